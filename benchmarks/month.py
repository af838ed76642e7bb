"""What a month of ticks leaves in the server's database, what removes it, and a flow beside that."""

import json
import os
import random
import re
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from growth import succeed
from noop import prefect_server
from small import load

from flows.up import environment as up_environment

DAYS, KEPT_DAYS, EVENT_DAYS = 30, 7, 7  # simulated; `operation.keep_runs_days`; what Prefect keeps events for
LOOP_SECONDS = 20  # between two removals; Prefect's own is an hour
RUN_TABLES = {  # what a flow run leaves, by the table and the rows' own choice
    "flow_run": "id = :run",
    "flow_run_state": "flow_run_id = :run",
    "task_run": "flow_run_id = :run",
    "task_run_state": "task_run_id IN (SELECT id FROM task_run WHERE flow_run_id = :run)",
    "artifact": "flow_run_id = :run",
    "log": "flow_run_id = :run",
}
OF_RUN = "SELECT event_id FROM event_resources WHERE resource_id LIKE '%' || :run"
EVENT_TABLES = {"events": f"id IN ({OF_RUN})", "event_resources": f"event_id IN ({OF_RUN})"}
IDENTIFIER = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")


def month(numbers: Iterable[int], chance: random.Random) -> None:
    """Insert the rows of many runs, spread over a month; let the server remove them beside flows; twice."""
    params = Path("params.yaml")
    written = params.read_text()
    params.write_text(f"{written}operation:\n  keep_runs_days: {KEPT_DAYS}\n")
    own = up_environment("127.0.0.1", "0") | {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": str(LOOP_SECONDS)
    }
    params.write_text(written)
    del own["PREFECT_API_URL"]
    count = len(list(numbers))
    _serve(own, lambda: [succeed("the first run"), succeed("a no-op"), time.sleep(5)])
    for again in range(2):
        began = time.monotonic()
        with closing(_open()) as database:
            run = _last_run(database)
            template = [(table, row) for table, row in _rows(database, run, RUN_TABLES)]
            events = [(table, row) for table, row in _rows(database, run, EVENT_TABLES)]
            _insert(database, template, events, count, chance)
        print(f"{count} runs inserted in {time.monotonic() - began:.0f} s: {_state()}", flush=True)
        _serve(own, _watch)
        print(f"round {again}: {_state()}", flush=True)


def _serve(environment: dict[str, str], body: Callable[[], object]) -> None:
    """Run a server with what the product gives it, and something beside it; it may have no trouble."""
    with prefect_server(environment) as url:
        os.environ["PREFECT_API_URL"] = url
        body()
    log = Path(environment["PREFECT_HOME"]).with_suffix(".log").read_text()
    if locked := log.count("database is locked"):
        sys.exit(f"database is locked, {locked} times:\n{log[-3000:]}")


def _watch() -> None:
    """Run no-ops until nothing old is left."""
    seconds, began = [], time.monotonic()
    while old := _old():
        seconds.append(succeed(f"no-op beside the removal of {old} rows"))
        print(f"  {old} old rows, a no-op took {seconds[-1]:.1f} s, load {load()}", flush=True)
    calm = [succeed("a no-op") for _ in range(5)]
    beside = f"{statistics.median(seconds):.1f} s, {max(seconds):.1f} s at most" if seconds else "none"
    print(f"  removed in {time.monotonic() - began:.0f} s; {len(seconds)} no-ops beside it: {beside}; "
          f"5 after it: {statistics.median(calm):.1f} s; no 'database is locked'")  # fmt: skip


def _open() -> sqlite3.Connection:
    return sqlite3.connect(Path(os.environ["PREFECT_HOME"]) / "prefect.db", timeout=60)


def _old() -> int:
    """Count what is to be removed, and isn't yet."""
    with closing(_open()) as database:
        (runs,) = database.execute(
            "SELECT count(*) FROM flow_run WHERE end_time < datetime('now', ?)", [f"-{KEPT_DAYS} days"]
        ).fetchone()
        (events,) = database.execute(
            "SELECT count(*) FROM events WHERE occurred < datetime('now', ?)", [f"-{EVENT_DAYS} days"]
        ).fetchone()
    return int(runs + events)


def _state() -> str:
    with closing(_open()) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        counts = {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("flow_run", "task_run_state", "events", "event_resources")
        }
        (free,) = database.execute("PRAGMA freelist_count").fetchone()
    size = (Path(os.environ["PREFECT_HOME"]) / "prefect.db").stat().st_size / 1e6
    return f"{size:.0f} MB, {free * 4096 / 1e6:.0f} MB of them free; rows {counts}"


def _last_run(database: sqlite3.Connection) -> str:
    (run,) = database.execute("SELECT id FROM flow_run ORDER BY start_time DESC LIMIT 1").fetchone()
    return str(run)


def _rows(
    database: sqlite3.Connection, run: str, tables: dict[str, str]
) -> Iterator[tuple[str, list[object]]]:
    for table, condition in tables.items():
        for row in database.execute(f"SELECT * FROM {table} WHERE {condition}", {"run": run}):
            yield table, list(row)


def _insert(
    database: sqlite3.Connection,
    template: list[tuple[str, list[object]]],
    events: list[tuple[str, list[object]]],
    count: int,
    chance: random.Random,
) -> None:
    """Insert copies with ids and moments of their own; events a little older than Prefect keeps them."""
    now = datetime.now(UTC).replace(tzinfo=None)
    own = {str(row[list(_columns(database, table)).index("id")]) for table, row in [*template, *events]}
    age = now - datetime.fromisoformat(max(MOMENT.findall(json.dumps(template))))
    pieces = [
        re.split(f"({IDENTIFIER}|{MOMENT.pattern})", json.dumps(rows))
        for rows in (template, template + events)
    ]
    moments = {piece: datetime.fromisoformat(piece) for piece in pieces[1] if MOMENT.fullmatch(piece)}
    for number in range(count):
        back = timedelta(days=DAYS) * (count - number) / count
        fresh = {name: str(UUID(int=chance.getrandbits(128), version=4)) for name in own}
        fresh |= {
            piece: (moment + age - back).isoformat(" ", "microseconds") for piece, moment in moments.items()
        }
        with_events = back < timedelta(days=EVENT_DAYS + 2)
        for table, row in json.loads("".join(fresh.get(piece, piece) for piece in pieces[with_events])):
            database.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
        if number % 5000 == 4999:
            database.commit()
            print(f"  {number + 1} runs, load {load()}", flush=True)
    database.commit()


def _columns(database: sqlite3.Connection, table: str) -> Iterator[str]:
    return (row[1] for row in database.execute(f"PRAGMA table_info({table})"))
