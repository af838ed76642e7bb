"""Run one stage in a process of its own, and say what became of it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from selfsame.dag.workspace import Workspace

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
    can be killed together, and kills it when the workspace's lifeline ends.

    Args:
        on_line: called with each line of the stage's output (stdout and stderr merged), without its
            end; progress bars come as one line every ``REDRAW_SECONDS`` and one at the end.
        force: run even if nothing changed.
        environment: variables to add for the stage.
        pull: take from the remote what was computed elsewhere; ``pull_run_cache`` comes first.
        limit_seconds: kill the stage, with all that it started, when it takes longer.
    """
    start = time.monotonic()
    lifeline = workspace.lifeline.fileno()
    tail: deque[str] = deque(maxlen=ERROR_LINES)
    report, report_end = os.pipe()
    with os.fdopen(report, encoding="utf-8") as report_file:
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "selfsame.dag.child", stage, str(lifeline), str(report_end)]
                + ["--force"] * force
                + ["--pull"] * pull,
                env=_environment(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(lifeline, report_end),
                start_new_session=True,
            )
        finally:
            os.close(report_end)
        assert child.stdout is not None
        with child.stdout as output, _time_limit(child, limit_seconds) as expired:
            for line in read_lines(output):
                tail.append(line)
                on_line(line)
            status = child.wait()
        written = report_file.read()
    seconds = time.monotonic() - start
    if expired.is_set():
        return Outcome("failed", seconds, f"killed at its time limit of {limit_seconds:g} s")
    if not written:
        return Outcome("failed", seconds, _last_words(tail, f"its process ended with status {status}"))
    said = json.loads(written)
    error = _last_words(tail, said["error"]) if said["kind"] == "failed" else ""
    return Outcome(said["kind"], seconds, error)


@contextmanager
def _time_limit(child: "subprocess.Popen[bytes]", seconds: float | None) -> Iterator[threading.Event]:
    """Kill the child's process group after so long; the event tells whether that happened."""
    expired = threading.Event()

    def kill() -> None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
            expired.set()

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


def _last_words(tail: deque[str], otherwise: str) -> str:
    """Return the error that a failed stage printed: its last message or traceback, else its last lines."""
    lines = [line for line in tail if line]
    starts = [i for i, line in enumerate(lines) if line.startswith(("error", "Traceback"))]
    return "\n".join([*lines[starts[-1] if starts else 0 :], otherwise])


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    """Put this interpreter's folder first, so that a stage's ``python`` is the one that runs the flow."""
    folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **added}
