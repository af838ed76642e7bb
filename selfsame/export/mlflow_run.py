"""A run in an MLflow tracking store of files: what was asked, what came of it, and the model.

All of it comes from the records behind the model's own bytes, so that a run of last month is written as well
as that of today.
"""

import csv
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow asks whether files are really wanted

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from selfsame.audit.case import Case
from selfsame.audit.snapshot import in_project
from selfsame.core.digests import sha256_json
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import HISTORY, RELEASE_MODEL
from selfsame.dag.nested import leaves

EXPERIMENT = "selfsame"
MODEL_TAG = "selfsame.model"  # the digest of the model's files: one run has it
MOST_METRICS, MOST_PARAMS = 1000, 100  # of one call
LONGEST_NAME = 240
LONGEST = 6000  # characters of a parameter's value; whole it stands in params.json


def export_run(case: Case, store: Path) -> tuple[str, bool]:
    """Write the run behind a model; return its id, and whether it is new.

    A run has the parameters of every stage behind the model, the metrics of ``evaluate``, the curves of the
    trainings, and as artifacts the report, the metrics, the parameters and the model's folder.

    Raises:
        SelfsameError: no record tells how the model was made.
    """
    records = [each.record for each in case.executions]
    if not records:
        raise SelfsameError(f"{case.artifact}: no record tells how it was made", "run 'dvc repro'")
    client = MlflowClient(tracking_uri=store.absolute().as_uri())
    known = client.get_experiment_by_name(EXPERIMENT)
    place = known.experiment_id if known else client.create_experiment(EXPERIMENT)
    model = sha256_json(case.digests)
    if found := client.search_runs([place], f"tags.`{MODEL_TAG}` = '{model}'"):
        return found[0].info.run_id, False
    params: dict[str, Any] = {name: values for record in records for name, values in record.params.items()}
    tags = {MODEL_TAG: model, "mlflow.source.name": "dvc repro"}
    if commit := records[-1].git.get("commit"):
        tags["mlflow.source.git.commit"] = commit
    begun, ended = (_milliseconds(each) for each in (records[0].started, records[-1].finished))
    name = params.get("evaluate", {}).get("title")
    run = client.create_run(place, begun, tags, run_name=name).info.run_id
    names = Names()
    for some in _portions(
        [Param(names.of(key), _short(value)) for key, value in leaves(params)], MOST_PARAMS
    ):
        client.log_batch(run, params=some)
    for few in _portions([*_results(case, ended), *_curves(case)], MOST_METRICS):
        client.log_batch(run, metrics=few)
    with tempfile.TemporaryDirectory() as scratch:
        _gather(case, params, Path(scratch))
        client.log_artifacts(run, scratch)
    client.set_terminated(run, end_time=ended)
    return run, True


def _results(case: Case, moment: int) -> Iterator[Metric]:
    """Yield the numbers of the metrics; words and what is unknown stand in the artifact alone."""
    names = Names()
    for key, value in leaves(case.metrics):
        if isinstance(value, int | float) and isfinite(value):
            yield Metric(names.of(key), float(value), moment, 0)


def _curves(case: Case) -> Iterator[Metric]:
    for training in case.trainings:
        moment = _milliseconds(training.record.finished)
        for name, digest in training.record.outputs.items():
            if Path(name).name != HISTORY:
                continue
            with case.snapshot.place(name, digest).open(encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    step = int(float(row["epoch"]))
                    for column, value in row.items():
                        if column != "epoch" and value and isfinite(float(value)):
                            key = f"{Path(name).parent.name}/{column}"
                            yield Metric(key, float(value), moment, step)


def _gather(case: Case, params: dict[str, Any], folder: Path) -> None:
    """Put the run's files together, under their own names."""
    inside = in_project(case.artifact)
    places = {
        RELEASE_MODEL / Path(name).relative_to(inside): case.snapshot.place(name, digest)
        for name, digest in case.digests.items()
    }
    if case.judged:
        written = case.judged.record.outputs
        reports = {Path(name): digest for name, digest in written.items() if name.startswith("reports/")}
        places |= {name: case.snapshot.place(name.as_posix(), digest) for name, digest in reports.items()}
    for target, place in places.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, folder / target)
    text = json.dumps(params, indent=2, ensure_ascii=False)
    (folder / "params.json").write_text(text + "\n", encoding="utf-8")


def _portions(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + most] for start in range(0, len(items), most))


class Names:
    """Names as MLflow allows them: no two keys get the same one."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def of(self, key: str) -> str:
        """Return a key without the signs that are forbidden, no longer than is allowed."""
        plain = made = re.sub(r"[^\w\-. ]", "_", key)[:LONGEST_NAME]
        number = 2
        while self._keys.setdefault(made, key) != key:
            made, number = f"{plain}_{number}", number + 1
        return made


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
