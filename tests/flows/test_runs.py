"""Runs that are alive, dead, late or skipped, as the server is told of them."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from prefect import State, flow, tags, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.context import TaskRunContext
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings
from prefect.states import Completed, Crashed, Pending, Running, Scheduled

from flows import runs
from flows.pipeline import judge
from flows.runs import announce, close_dead, guarded, start
from selfsame.core.errors import SelfsameError
from tests.conftest import Toy

ANNOUNCE = """
import sys, time
from flows.runs import announce
for key in sys.argv[1:]:
    announce(key)
print("announced", flush=True)
time.sleep(600)
"""


@flow(name="body")
def body() -> State:
    return guarded(lambda: Completed(message="done"))


@pytest.fixture
def client(toy: Toy, prefect_api: str) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


def state_of(client: SyncPrefectClient, run: FlowRun) -> str:
    state = client.read_flow_run(run.id).state
    assert state is not None
    return f"{state.name}: {state.message}"


def test_the_dead_are_closed_and_the_living_are_not(client: SyncPrefectClient) -> None:
    key = f"terminal-{uuid4().hex[:8]}"
    by_tag = client.create_flow_run(body, state=Running(), tags=[key])
    by_id, ended, foreign = (client.create_flow_run(body, state=Running()) for _ in range(3))
    client.set_flow_run_state(ended.id, Completed(message="well"), force=True)
    keys = [key, *(str(run.id) for run in (by_id, ended))]
    with subprocess.Popen([sys.executable, "-c", ANNOUNCE, *keys], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"announced\n"
        close_dead()
        assert state_of(client, by_id) == state_of(client, by_tag) == "Running: None"
        process.kill()
    assert start(body) == "done"
    said = "Crashed: its process ended without a word"
    assert state_of(client, by_id) == state_of(client, by_tag) == said
    assert state_of(client, ended) == "Completed: well"
    assert state_of(client, foreign) == "Running: None", "another workspace's, for all that is known here"
    left = {path.name.removeprefix("run-") for path in Path(".dvc/tmp/flows").iterdir()}
    assert left <= runs._announced.keys()


def test_a_run_that_ends_leaves_no_file(toy: Toy) -> None:
    subprocess.run([sys.executable, "-c", "from flows.runs import announce; announce('a')"], check=True)
    assert list(Path(".dvc/tmp/flows").iterdir()) == []


def test_a_scheduled_run_stands_back_for_another_of_its_deployment(
    client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = client.create_deployment(client.create_flow(body), name="every minute")
    due = datetime.now(UTC) + timedelta(minutes=1)

    def create(state: State) -> FlowRun:
        return client.create_flow_run_from_deployment(deployment, state=state)

    late = [create(Scheduled(scheduled_time=due - timedelta(minutes=2 + number))) for number in range(3)]
    stuck, fresh, first = create(Pending()), create(Pending()), create(Scheduled(scheduled_time=due))
    coming = create(Scheduled(scheduled_time=due + timedelta(hours=1)))
    monkeypatch.setattr(runs, "PAGE", 2)  # the server is asked again
    announce(str(fresh.id))
    with runs._turn(first) as reason:
        assert reason == ""
        assert [state_of(client, run) for run in late] == [f"Skipped: late: {first.name} does its work"] * 3
        assert state_of(client, stuck).startswith("Pending")
        for run in (fresh, coming):
            with runs._turn(run) as reason:
                assert reason.startswith(f"another run of this deployment is under way: {first.name}, since ")
    monkeypatch.setattr(runs, "SILENCE", timedelta(0))
    with runs._turn(first) as reason:
        assert reason == ""
    assert state_of(client, stuck) == "Crashed: its process ended before it had said that it lives"
    assert state_of(client, fresh).startswith("Pending") and state_of(client, coming).startswith("Scheduled")


def test_a_run_from_a_terminal_waits_for_no_slot_and_no_heartbeat(toy: Toy, prefect_api: str) -> None:
    @task
    def tags_of_a_task() -> list[str]:
        context = TaskRunContext.get()
        assert context is not None
        return context.task_run.tags

    @flow
    def looking() -> State:
        heartbeat = get_current_settings().flows.heartbeat_frequency
        return guarded(lambda: Completed(message=f"tags {tags_of_a_task()}, heartbeat {heartbeat}"))

    assert start(looking) == "tags [], heartbeat None"
    with tags("one-at-a-time"):
        assert start(looking) == "tags ['one-at-a-time'], heartbeat None", "what a person limits is limited"


def test_a_failure_is_the_states_message(toy: Toy, prefect_api: str) -> None:
    @flow
    def failing() -> State:
        def fail() -> State:
            raise SelfsameError("the oven is cold", "light it")

        return guarded(fail)

    with pytest.raises(SelfsameError, match="the oven is cold\n  fix: light it"):
        start(failing)


def test_a_dead_server_is_one_sentence(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    said = r"^the Prefect server at http://127\.0\.0\.1:9/api: .*reach"
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(SelfsameError, match=said),
    ):
        start(body)


@pytest.mark.parametrize("error", [httpx.ReadTimeout(""), httpx.PoolTimeout("\n")])
def test_an_error_without_a_word_is_said_by_its_kind(toy: Toy, error: Exception) -> None:
    def silent(return_state: bool) -> State:
        raise error

    with pytest.raises(SelfsameError, match=f": {type(error).__name__}\n"):
        start(cast("Any", silent))


def test_stages_that_end_without_a_word_fail_the_flow_and_are_named() -> None:
    good = Completed(message="ran in 1 s")
    crashed, cancelled = Crashed(), State(type=StateType.CANCELLED)
    state = judge({"a": good, "b": crashed, "c": cancelled, "d": Pending()})
    assert state.is_failed()
    assert state.message == "failed: b, c; blocked: d\nb: Crashed\nc: Cancelled"
    state = judge({"a": good, "b": Running()})
    assert state.is_failed() and state.message == "failed: none; blocked: b\nb: Running"


def test_outside_of_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SelfsameError, match="not a DVC project"):
        start(body)
