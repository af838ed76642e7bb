"""The flow against a real Prefect server: whatever is claimed here is asked back from its API."""

import hashlib
import json
import signal

import psutil
from ruamel.yaml import YAML

from tests.conftest import Toy, has_ended
from tests.flows.runs import STAGES, ask, finish, run_flow, start_flow, task_runs


def digests(toy: Toy) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*toy.folder.glob("*.txt"), toy.folder / "metrics.json"]
    }


def test_three_runs(toy: Toy, prefect_api: str) -> None:
    first = run_flow()
    assert first["type"] == "COMPLETED"
    runs = task_runs(prefect_api, first["id"], **dict.fromkeys(STAGES, "Completed"))
    assert set(toy.runs()) == STAGES
    edges = {
        name: {item["id"] for item in run["task_inputs"].get("wait_for", [])} for name, run in runs.items()
    }
    assert edges["join"] == {runs["left"]["id"], runs["right"]["id"]}

    second = run_flow()
    runs = task_runs(prefect_api, second["id"], **dict.fromkeys(STAGES, "Cached"))
    assert toy.runs() == []
    assert runs["left"]["state"]["message"] == "unchanged: up to date"

    toy.set("left", value=2)
    third = run_flow()
    task_runs(prefect_api, third["id"], prepare="Cached", left="Completed", right="Cached", join="Completed")
    assert toy.runs() == ["left", "join"]
    assert third["message"] == "ran: left, join; unchanged: prepare, right"

    artifacts = ask(prefect_api, "artifacts", {"flow_runs": {"id": {"any_": [third["id"]]}}})
    by_key = {artifact["key"]: artifact["data"] for artifact in artifacts}
    assert set(by_key) == {"summary", "metrics-json"}
    assert "params.yaml: left.value 1 → 2" in by_key["summary"]
    assert "left.txt: " in by_key["summary"]
    assert {"metric": "left.size", "value": 1.5} in json.loads(by_key["metrics-json"])

    body = {"logs": {"flow_run_id": {"any_": [first["id"]]}}}
    assert "hello from left" in [log["message"] for log in ask(prefect_api, "logs", body)]


def test_restored_after_a_parameter_is_set_back(done: Toy, prefect_api: str) -> None:
    done.set("left", value=2)
    run_flow()
    done.runs()
    done.set("left", value=1)
    answer = run_flow()
    runs = task_runs(prefect_api, answer["id"], **dict.fromkeys(STAGES, "Cached"))
    assert runs["left"]["state"]["message"].startswith("restored: ")
    assert answer["message"] == "restored: left, join; unchanged: prepare, right"
    assert done.runs() == []


def test_downstream_of_the_same_bytes_is_not_run(done: Toy, prefect_api: str) -> None:
    with (done.folder / "stage.py").open("a") as file:
        file.write("# a comment: every stage reads this script, and writes the same as before\n")
    done.set("prepare", unread=1)
    text = (done.folder / "dvc.yaml").read_text().replace('"stage.py", "prepare.txt"', '"prepare.txt"')
    (done.folder / "dvc.yaml").write_text(text)
    answer = run_flow(targets=["left"])
    task_runs(prefect_api, answer["id"], prepare="Completed", left="Cached")
    assert done.runs() == ["prepare"]


def test_failure_blocks_what_is_downstream(toy: Toy, prefect_api: str) -> None:
    toy.set("left", fail=True)
    answer = run_flow()
    assert answer["type"] == "FAILED"
    runs = task_runs(
        prefect_api, answer["id"], prepare="Completed", left="Failed", right="Completed", join="NotReady"
    )
    assert runs["left"]["state"]["message"].startswith("error in stage left: told to fail")
    assert answer["message"].startswith("failed: left; blocked: join\n")
    assert "left: error in stage left: told to fail" in answer["message"]


def test_the_same_as_dvc(toy: Toy, prefect_api: str) -> None:
    run_flow()
    by_flow = digests(toy)
    lock = YAML(typ="safe").load(toy.folder / "dvc.lock")
    for path in [*(toy.folder / f"{stage}.txt" for stage in STAGES), toy.folder / "dvc.lock"]:
        path.unlink()
    toy.dvc("repro", "--force")
    assert digests(toy) == by_flow
    assert YAML(typ="safe").load(toy.folder / "dvc.lock") == lock


def test_killing_the_flow_kills_the_stage(toy: Toy, prefect_api: str) -> None:
    toy.set("left", sleep=200)
    flow = start_flow(targets=["left"])
    stage = psutil.Process(toy.wait_for_start("left"))
    flow.send_signal(signal.SIGKILL)
    flow.communicate()
    assert has_ended(stage.pid), "the stage outlived its flow"
    toy.runs()
    toy.set("left", sleep=0)
    assert run_flow(wait=False)["type"] == "COMPLETED"
    assert set(toy.runs()) == {"left", "right", "join"}, "prepare had ended before"


def test_interrupting_the_flow_kills_the_stage(toy: Toy, prefect_api: str) -> None:
    toy.set("left", sleep=200)
    flow = start_flow(targets=["left"])
    stage = psutil.Process(toy.wait_for_start("left"))
    flow.send_signal(signal.SIGINT)
    flow.communicate(timeout=120)
    assert flow.returncode != 0
    assert has_ended(stage.pid)


def test_two_flows_at_once(toy: Toy, prefect_api: str) -> None:
    toy.set("prepare", sleep=2)
    flows = [start_flow(force=True), start_flow(force=True)]
    toy.wait_for_start("prepare")
    refused = run_flow(wait=False)
    assert refused["type"] == "FAILED"
    assert "the workspace is in use by process" in refused["message"]
    assert [finish(flow)["type"] for flow in flows] == ["COMPLETED", "COMPLETED"]
    events = (toy.folder / "runs.log").read_text().splitlines()
    names = [line.split()[1] for line in events if line.startswith("end")]
    assert sorted(names[:4]) == sorted(names[4:]) == sorted(STAGES), "the second began before the first ended"
    assert len(names) == 8
