"""Flow runs that are alive, and those that aren't: dead ones are closed, late ones don't pile up.

A process announces its run by a file that it holds a lock on. The kernel takes the lock back when the process
ends, however it does, while the server believes what it was last told: a killed run would stay ``Running``
for good. So each run begins by closing the runs of this workspace whose files nobody holds.
"""

import atexit
import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

import httpx
from prefect import Flow, State, tags
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext, TagsContext
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Completed, Crashed, Failed

from selfsame.core.errors import SelfsameError
from selfsame.dag.workspace import require_project
from selfsame.processes import lock
from selfsame.system_errors import mendable

SKIPPED = "Skipped"  # the state of a scheduled run that had nothing to do but stand back
TERMINAL = "terminal-"  # of the tags of runs that a terminal started; the others are announced by their ids
OPEN = ["SCHEDULED", "PENDING", "RUNNING", "CANCELLING"]
SILENCE = timedelta(minutes=10)  # after which a run that never announced itself is taken for dead
PAGE = 200  # runs that the server returns at a time
NO_ANSWER = "Failed to reach API"  # how a RuntimeError of Prefect's begins that means no more than this
_announced: dict[str, TextIO] = {}  # this process's runs; their files are held until it ends


def guarded(body: Callable[[], State]) -> State:
    """Run a flow's body: announced, after the dead are closed, and with its errors as the state's message.

    A scheduled run whose deployment has another run under way ends ``Skipped`` at once.
    """
    gc.freeze()  # what was imported stays: to look through it for garbage costs a fifth of a no-op run
    context = FlowRunContext.get()
    assert context is not None and context.flow_run is not None
    run = context.flow_run
    try:
        if not _announced.keys() & set(run.tags):
            announce(str(run.id))
        close_dead()
        # A tag of its own would let every task ask the server for a slot first, which takes two seconds.
        with TagsContext(current_tags=TagsContext.get().current_tags - _announced.keys()):
            if not run.auto_scheduled:
                return body()
            with _turn(run) as reason:
                return Completed(name=SKIPPED, message=reason) if reason else body()
    except Exception as error:
        if (said := mendable(error)) is None:
            raise
        return Failed(message=str(said))


def start(flow: Flow[..., State], *arguments: object) -> str:
    """Run a flow from a terminal, announced before the server knows of it; return its last message.

    Raises:
        SelfsameError: it failed, or the server doesn't answer or refuses.
    """
    address = PREFECT_API_URL.value()
    if address is None:
        print(
            "no Prefect server is configured: starting a temporary one, a matter of seconds", file=sys.stderr
        )
    key = f"{TERMINAL}{uuid4().hex[:8]}"
    announce(key)
    try:
        # A heartbeat costs up to a second at the end; that this run is alive its lock says.
        with tags(key), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            state: State = flow(*arguments, return_state=True)
    except (httpx.HTTPError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not str(error).startswith(NO_ANSWER):
            raise
        raise SelfsameError(
            f"the Prefect server at {address}: {' '.join(str(error).split()) or type(error).__name__}",
            "start it ('make up'), or unset PREFECT_API_URL: then a temporary one serves the run",
        ) from error
    if not state.is_completed():
        raise SelfsameError(state.message or f"the flow ended as {state.name}")
    return state.message or ""


def announce(key: str) -> None:
    """Say for the rest of this process that the run of this id or tag is alive."""
    folder = require_project() / "flows"
    folder.mkdir(parents=True, exist_ok=True)
    coming, path = folder / f"coming-{key}", folder / f"run-{key}"
    _announced[key] = coming.open("w", encoding="utf-8")
    lock(_announced[key])
    coming.replace(path)  # nobody sees it without its lock
    atexit.register(path.unlink, missing_ok=True)


def close_dead() -> None:
    """Close the runs of this workspace whose process is gone."""
    dead = {path.name.removeprefix("run-"): path for path in _files() if _is_free(path)}
    if not dead:
        return
    by_tag = [key for key in dead if key.startswith(TERMINAL)]
    by_id = [key for key in dead if key not in by_tag]
    with get_client(sync_client=True) as client:
        for field, wanted in (("tags", by_tag), ("id", by_id)):
            for run in _read_open(client, {field: {"any_": wanted}}) if wanted else ():
                _close(client, run, Crashed(message="its process ended without a word"))
    for path in dead.values():
        path.unlink(missing_ok=True)


@contextmanager
def _turn(run: FlowRun) -> Iterator[str]:
    """Hold a deployment's turn for a scheduled run; yield why it is another's, if it is."""
    path = require_project() / "flows" / f"turn-{run.deployment_id}"
    with path.open("a+", encoding="utf-8") as file:
        if not lock(file, wait=False):
            file.seek(0)
            yield f"another run of this deployment is under way: {file.read() or 'one that has just started'}"
            return
        file.truncate(0)
        file.write(f"{run.name}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        with get_client(sync_client=True) as client:
            _clear(client, run)
        yield ""


def _clear(client: SyncPrefectClient, own: FlowRun) -> None:
    """Close what else the deployment has that was due before: late runs, and dead ones that left no file."""
    wanted = {
        "expected_start_time": {"before_": (own.expected_start_time or datetime.now(UTC)).isoformat()},
        "deployment_id": {"any_": [str(own.deployment_id)]},
    }
    living = {path.name.removeprefix("run-") for path in _files()}
    left, page = 0, PAGE
    while page == PAGE:
        runs = _read_open(client, wanted, left)
        page = len(runs)
        left += page - sum(str(run.id) not in living and _close_stale(client, run, own) for run in runs)


def _close_stale(client: SyncPrefectClient, run: FlowRun, own: FlowRun) -> bool:
    assert run.state is not None
    if run.state.is_scheduled():
        _close(client, run, Completed(name=SKIPPED, message=f"late: {own.name} does its work"))
    elif datetime.now(UTC) - run.state.timestamp > SILENCE:
        _close(client, run, Crashed(message="its process ended before it had said that it lives"))
    else:
        return False
    return True


def _close(client: SyncPrefectClient, run: FlowRun, state: State) -> None:
    client.set_flow_run_state(run.id, state, force=True)


def _read_open(client: SyncPrefectClient, criteria: Mapping[str, Any], offset: int = 0) -> list[FlowRun]:
    chosen = FlowRunFilter.model_validate({"state": {"type": {"any_": OPEN}}, **criteria})
    order = FlowRunSort.EXPECTED_START_TIME_ASC
    return client.read_flow_runs(flow_run_filter=chosen, sort=order, limit=PAGE, offset=offset)


def _files() -> list[Path]:
    return sorted((require_project() / "flows").glob("run-*"))


def _is_free(path: Path) -> bool:
    """Tell whether nobody holds a file's lock; one removed meanwhile belongs to a run that has just ended."""
    if path.name.removeprefix("run-") in _announced:
        return False
    with suppress(FileNotFoundError), path.open("r+", encoding="utf-8") as file:
        return lock(file, wait=False) and path.exists()
    return False
