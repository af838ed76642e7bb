"""Serve the deployments of ``prefect.yaml`` from one process: ``python -m flows.serve``.

Start it in the project's folder. It needs a running server and no worker: each run is a process of its own,
started in this folder.
"""

import os
from pathlib import Path
from typing import Any

from prefect import serve
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment

from selfsame.core.graph_file import read_yaml

TABLE = Path("prefect.yaml")


def read_deployments() -> list[RunnerDeployment]:
    """Read the table; work pools don't matter here."""
    return [_deployment(entry) for entry in read_yaml(TABLE)["deployments"]]


def _deployment(entry: dict[str, Any]) -> RunnerDeployment:
    return RunnerDeployment.from_entrypoint(
        entry["entrypoint"],
        name=entry["name"],
        description=entry["description"],
        schedules=[DeploymentScheduleCreate(schedule=CronSchedule(**item)) for item in entry["schedules"]],
        parameters=entry["parameters"],
    )


def main() -> None:
    """Serve until told to stop; schedules then pause."""
    os.environ.setdefault("PYTHONPATH", str(Path.cwd()))
    serve(*read_deployments())


if __name__ == "__main__":
    main()
