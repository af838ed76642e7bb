"""Progress: one live line in a terminal, few lines in a log, none when silenced."""

import io
import sys

import pytest

from selfsame.observe import progress as module
from selfsame.observe.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time stands still unless a test sets ``clock[0]`` (seconds)."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.delenv("SELFSAME_OBSERVE", raising=False)
    return now


def work(clock: list[float], epochs: int, total: int) -> None:
    """Train for ``epochs`` of ``total`` epochs of two seconds each."""
    with progress("train", total=total, unit="epoch") as bar:
        for epoch in range(1, epochs + 1):
            clock[0] += 2
            bar.update(epoch=epoch, loss=1 / epoch)


def test_log_gets_a_line_now_and_then_and_the_last(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    work(clock, epochs=12, total=12)
    assert log.getvalue().splitlines() == [
        "train   42%  5/12 epochs  0:10, 0:14 left  loss 0.2",
        "train   83%  10/12 epochs  0:20, 0:04 left  loss 0.1",
        "train  100%  12/12 epochs  0:24  loss 0.08333",
    ]


def test_terminal_gets_one_line_that_is_redrawn(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "60")
    work(clock, epochs=3, total=4)
    shown = terminal.getvalue()
    assert shown.count("\n") == 1 and shown.endswith("\n")
    drawn = shown.rstrip("\n").split("\r\x1b[2K")[1:]
    assert drawn[0].startswith("train  ━━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄  1/4 epochs  0:02, 0:06 left")
    assert max(map(len, drawn)) < 60


def test_terminal_is_not_redrawn_faster_than_eyes_see(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress("label", total=1000, unit="row") as bar:
        for _ in range(1000):
            clock[0] += 0.001
            bar.update()
    assert terminal.getvalue().count("\r") <= 11


def test_rows_count_by_batches_and_hours_show(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    with progress("label", total=4000, unit="row") as bar:
        clock[0] = 1800
        bar.update(advance=1000)
    assert log.getvalue().startswith("label   25%  1000/4000 rows  30:00, 1:30:00 left\n")


def test_a_failure_leaves_the_line_and_passes_on(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with pytest.raises(ZeroDivisionError), progress("train", total=5, unit="epoch"):
        raise ZeroDivisionError
    assert terminal.getvalue().endswith("0/5 epochs  0:00\n")


def test_empty_work_and_silence(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    work(clock, epochs=0, total=0)
    assert capsys.readouterr() == ("", "train  100%  0/0 epochs  0:00\n")
    monkeypatch.setenv("SELFSAME_OBSERVE", "0")
    work(clock, epochs=30, total=30)
    assert capsys.readouterr() == ("", "")
