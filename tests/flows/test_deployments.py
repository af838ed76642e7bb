"""Deployments: the table's own consistency; then server, worker and schedules as ``make up`` starts them."""

import os
import shutil
import signal
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prefect.flows import load_flow_from_entrypoint
from ruamel.yaml import YAML

from flows.serve import read_deployments
from tests.conftest import BIN, ROOT, Toy, has_ended
from tests.flows.house import RUN_SECONDS, House
from tests.flows.runs import ask


def test_the_table_names_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    deployments = read_deployments()
    assert len({(deployment.flow_name, deployment.name) for deployment in deployments}) == len(deployments)
    for deployment in deployments:
        flow = load_flow_from_entrypoint(deployment.entrypoint or "")
        assert deployment.parameters.keys() <= flow.parameters.properties.keys(), deployment.name
        assert deployment.concurrency_limit is None, "its leases live in the server's memory"


def write_table(project: Path) -> None:
    """Put the toy flow into the deployments' table, once with a schedule and once without."""
    shutil.copy(Path(__file__).parent / "toy_flow.py", project)
    table = YAML(typ="safe").load(ROOT / "prefect.yaml")
    template = table["deployments"][0] | {"entrypoint": "toy_flow.py:toy", "parameters": {"options": {}}}
    table["deployments"] = [template, template | {"name": "other", "schedules": []}]
    YAML().dump(table, project / "prefect.yaml")


def test_one_process_serves_the_table(toy: Toy, prefect_api: str) -> None:
    write_table(toy.folder)
    server = subprocess.Popen(
        [str(BIN / "python"), "-m", "flows.serve"],
        env=os.environ | {"PREFECT_RUNNER_POLL_FREQUENCY": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + RUN_SECONDS
        scheduled = {
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
            "flows": {"name": {"any_": ["toy"]}},  # other tests use the server too
        }
        # With SQLAlchemy 2.1 there are never any.
        while not (runs := ask(prefect_api, "flow_runs", scheduled)):
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.5)
        assert all(run["expected_start_time"][11:16] == "03:00" for run in runs)
        command = [str(BIN / "python"), "-m", "prefect", "deployment", "run", "toy/other", "--watch"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS)
        assert "Completed" in done.stdout, done.stdout + done.stderr
        assert sorted(toy.runs()) == ["join", "left", "prepare", "right"]
    finally:
        server.terminate()
        said, _ = server.communicate(timeout=120)
    assert server.returncode == 0, said


@pytest.fixture(scope="module")
def house(fresh_toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    project = folder / "toy"
    shutil.copytree(fresh_toy, project)
    write_table(project)
    with House(project, folder) as house:
        yield house


@pytest.fixture
def resident(house: House) -> Toy:
    """Return the toy project that the house keeps."""
    return Toy(house.project)


@pytest.mark.slow
def test_without_the_key_nothing_is_told(house: House) -> None:
    assert house.ask("health", key="") is True
    for key in ("", "operator:wrong"):
        with pytest.raises(urllib.error.HTTPError, match="401") as caught:
            house.ask("flow_runs/filter", {}, key=key)
        caught.value.close()


@pytest.mark.slow
def test_a_schedule_creates_runs(house: House) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while not (
        runs := house.ask("flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
    ):
        assert time.monotonic() < deadline, house.log.read_text()
        time.sleep(0.5)
    assert all(run["expected_start_time"][11:16] == "03:00" for run in runs)


@pytest.mark.slow
def test_first_all_run_then_none_then_what_a_new_input_needs(house: House, resident: Toy) -> None:
    stages = "prepare, left, right, join"
    assert house.finish(house.start("nightly")) == ("Completed", f"ran: {stages}")
    assert sorted(resident.runs()) == sorted(stages.split(", "))
    assert house.finish(house.start("nightly")) == ("Cached", f"unchanged: {stages}")
    assert resident.runs() == []
    (resident.folder / "source.txt").write_text("fresh\n")
    resident.set("right", value=7)
    assert house.finish(house.start("other", targets=["left"]))[1] == "ran: prepare, left"
    assert house.finish(house.start("nightly"))[1] == "ran: right, join; unchanged: prepare, left"


@pytest.mark.slow
def test_runs_never_overlap(house: House, resident: Toy) -> None:
    resident.set("prepare", sleep=4)
    resident.runs()
    runs = [house.start(name, force=True) for name in ("nightly", "other")]
    assert [house.finish(run)[0] for run in runs] == ["Completed", "Completed"]
    events = (resident.folder / "runs.log").read_text().splitlines()
    names = [line.split()[1] for line in events if line.startswith("end")]
    assert len(names) == 8 and sorted(names[:4]) == sorted(names[4:]), (
        "the second began before the first ended"
    )
    resident.runs()


@pytest.mark.slow
def test_stopping_leaves_no_process(house: House, resident: Toy) -> None:
    resident.runs()  # forget earlier starts
    resident.set("prepare", sleep=600)
    house.start("nightly", force=True)
    stage = psutil.Process(resident.wait_for_start("prepare"))
    family = [stage, *psutil.Process(house.process.pid).children(recursive=True)]
    assert len(family) >= 4, "stage, server, worker and flow"
    house.process.send_signal(signal.SIGTERM)
    assert house.process.wait(60) == 0, house.log.read_text()
    assert [process for process in family if not has_ended(process.pid)] == []
