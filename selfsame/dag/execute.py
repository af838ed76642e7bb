"""Run one stage in a process of its own, and say what became of it."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal
from uuid import uuid4

from selfsame.dag.workspace import Workspace
from selfsame.processes import kill_group
from selfsame.system_errors import mendable

REDRAW_SECONDS = 2.0  # a progress bar redraws its line many times a second; one in so many is kept
LINE_BYTES = 64 * 1024  # a longer line is cut
ERROR_LINES = 20  # of a failed stage's output, kept as its error text
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Outcome:
    """What became of a stage.

    Attributes:
        kind: ``unchanged`` (DVC found nothing to do), ``restored`` (outputs taken from DVC's cache),
            ``ran`` or ``failed``.
        seconds: from the start of the process to its end.
        error: of a failed stage, its own last words.
    """

    kind: Literal["unchanged", "restored", "ran", "failed"]
    seconds: float
    error: str = ""


def run_stage(
    workspace: Workspace,
    stage: str,
    on_line: Callable[[str], None],
    force: bool = False,
    environment: Mapping[str, str] | None = None,
    pull: bool = False,
    limit_seconds: float | None = None,
) -> Outcome:
    """Let DVC bring one stage up to date in a child process; its upstreams must be so already.

    The child leads a process group of its own, so that the stage's command and whatever that starts
    can be killed together: when this process ends, and when the workspace is let go.

    Args:
        on_line: called with each line of the stage's output (stdout and stderr merged), without its
            end; progress bars come as one line every ``REDRAW_SECONDS`` and one at the end.
        force: run even if nothing changed.
        environment: variables to add for the stage.
        pull: take from the remote what was computed elsewhere; ``pull_run_cache`` comes first.
        limit_seconds: kill the stage, with all that it started, when it takes longer.
    """
    start = time.monotonic()
    flags = ["--force"] * force + ["--pull"] * pull
    child = run_child(
        workspace, "selfsame.dag.child", [stage, *flags], on_line, environment or {}, limit_seconds
    )
    seconds = time.monotonic() - start
    if child.expired:
        return Outcome("failed", seconds, f"killed at its time limit of {limit_seconds:g} s")
    if child.report is None:
        return Outcome("failed", seconds, child.last_words(f"its process ended with status {child.status}"))
    error = child.last_words(child.report["error"]) if child.report["kind"] == "failed" else ""
    return Outcome(child.report["kind"], seconds, error)


@dataclass(frozen=True)
class Child:
    """How a child process ended.

    Attributes:
        report: the JSON object that it left, if it came so far.
        tail: the last lines that it printed.
        expired: it was killed at its time limit.
    """

    report: Any
    status: int
    tail: tuple[str, ...]
    expired: bool

    def last_words(self, otherwise: str) -> str:
        """Return the error that it printed: its last message or traceback, else its last lines."""
        lines = [line for line in self.tail if line]
        starts = [i for i, line in enumerate(lines) if line.startswith(("error", "Traceback"))]
        return "\n".join([*lines[starts[-1] if starts else 0 :], otherwise])


def run_child(
    workspace: Workspace,
    module: str,
    arguments: Sequence[str],
    on_line: Callable[[str], None],
    environment: Mapping[str, str],
    limit_seconds: float | None = None,
    folder: Path = Path(),
) -> Child:
    """Run one of our modules in a process that dies with this one, in ``folder``.

    Its first argument is the file that it leaves its report in, one JSON object.
    """
    tail: deque[str] = deque(maxlen=ERROR_LINES)
    report = workspace.scratch / f"{uuid4()}.json"
    process = workspace.start(
        [sys.executable, "-m", module, str(report), *arguments],
        env=_environment(environment),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdin is not None and process.stdout is not None
    with process.stdin, process.stdout as output, _time_limit(process, limit_seconds) as expired:
        for line in read_lines(output):
            tail.append(line)
            on_line(line)
        status = process.wait()
    written = report.read_text(encoding="utf-8") if report.exists() else ""
    return Child(json.loads(written) if written else None, status, tuple(tail), expired.is_set())


def leave_report(path: str, report: object) -> None:
    """Write what ``run_child`` reads; if there is no room for it, end with one sentence instead."""
    try:
        Path(path).write_text(json.dumps(report), encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"error: {mendable(OSError(error.errno, error.strerror, path))}") from None


@contextmanager
def _time_limit(child: "subprocess.Popen[bytes]", seconds: float | None) -> Iterator[threading.Event]:
    """Kill the child's process group after so long; the event tells whether that happened."""
    expired = threading.Event()

    def kill() -> None:
        if child.poll() is None:
            expired.set()
            kill_group(child.pid)

    if seconds is None:
        yield expired
        return
    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


def read_lines(stream: IO[bytes]) -> Iterator[str]:
    """Yield a stream's lines as they come, without colours, and of progress bars a readable part.

    A carriage return starts a line anew: what stood there is shown only if ``REDRAW_SECONDS`` have
    passed since the last such line.
    """
    pending, shown = b"", 0.0
    while chunk := os.read(stream.fileno(), LINE_BYTES):
        *parts, pending = re.split(rb"(\r?\n|\r(?!\n|\Z))", pending + chunk)
        for text, end in zip(parts[::2], parts[1::2], strict=True):
            if end == b"\r":
                now = time.monotonic()
                if not text.strip() or now - shown < REDRAW_SECONDS:
                    continue
                shown = now
            yield _text(text)
        if len(pending) > LINE_BYTES:
            yield _text(pending)
            pending = b""
    if pending.strip():
        yield _text(pending)


def _text(line: bytes) -> str:
    return ESCAPES.sub("", line.decode(errors="replace")).rstrip()


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    """Put this interpreter's folder first, so that a stage's ``python`` is the one that runs the flow."""
    folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **added}
