"""How long work shows that it goes on: one live line in a terminal, now and then a line in a log.

Progress goes to stderr, so that what a command prints on stdout is its result alone. It only looks at
the figures it is given, and ``SELFSAME_OBSERVE=0`` silences it.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

LIVE_SECONDS = 0.1  # between two redrawings of the live line
LINE_SECONDS = 10.0  # between two lines of a log
BAR_CELLS = 20


class Progress:
    """Counts ``unit``s up to ``total`` and shows the latest figures; made by ``progress``."""

    def __init__(self, name: str, total: int, unit: str, stream: TextIO | None) -> None:
        self._name, self._total, self._unit, self._stream = name, total, unit, stream
        self._live = stream is not None and stream.isatty()
        self._done, self._figures = 0, ""
        self._started = self._shown = monotonic()

    def update(self, advance: int = 1, **figures: float) -> None:
        """Count ``advance`` more and show ``figures`` (name=value), if the last showing is old enough.

        A figure named as the unit itself (the ``epoch`` of a history's row) is the count, instead of
        ``advance``.
        """
        self._done = int(figures.get(self._unit, self._done + advance))
        if self._stream is None:
            return
        self._figures = "".join(
            f"  {name} {value:.4g}" for name, value in figures.items() if name != self._unit
        )
        now = monotonic()
        if now - self._shown >= (LIVE_SECONDS if self._live else LINE_SECONDS):
            self._shown = now
            self._show(end="" if self._live else "\n")

    def close(self) -> None:
        """Show the last state, whatever the time, and leave the line."""
        if self._stream is not None:
            self._show(end="\n")

    def _show(self, end: str) -> None:
        assert self._stream is not None
        seconds = monotonic() - self._started
        share = min(self._done / self._total, 1.0) if self._total else 1.0
        line = f"{self._done}/{self._total} {self._unit}s  {_clock(seconds)}"
        if 0 < self._done < self._total:
            line += f", {_clock(seconds / self._done * (self._total - self._done))} left"
        line += self._figures  # last, so that a narrow terminal cuts figures and not the time left
        if self._live:
            filled = round(share * BAR_CELLS)
            line = f"{self._name}  {'━' * filled}{'┄' * (BAR_CELLS - filled)}  {line}"
            # One cell short of the width: a full last column makes some terminals wrap.
            line = "\r\x1b[2K" + line[: shutil.get_terminal_size().columns - 1]
        else:
            line = f"{self._name}  {share:4.0%}  {line}"
        self._stream.write(line + end)
        self._stream.flush()


@contextmanager
def progress(name: str, total: int, unit: str) -> Iterator[Progress]:
    """Show the progress of a block of work that ends after ``total`` units, or earlier.

    Args:
        name: what is being done, as a person would say it.
        total: units of the whole work.
        unit: what is counted, in the singular (``epoch``, ``row``).
    """
    bar = Progress(name, total, unit, None if os.environ.get("SELFSAME_OBSERVE") == "0" else sys.stderr)
    try:
        yield bar
    finally:
        bar.close()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
