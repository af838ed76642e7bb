"""A training is shown in every place with the same figures, and only where that was asked for."""

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from selfsame.core.errors import SelfsameError
from selfsame.observe.watch import TENSORBOARD, watch

ROWS = [
    {"epoch": epoch, "learning_rate": 0.5, "training_loss": 1 / epoch, "validation_accuracy": epoch / 4}
    for epoch in (1, 2, 3)
]


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SELFSAME_OBSERVE", raising=False)


def ask(tensorboard: bool) -> None:
    Path("params.yaml").write_text(
        f"monitoring: {{tensorboard: {str(tensorboard).lower()}, checkpoint_seconds: 60.0}}\n"
    )


def show() -> list[Path]:
    with watch("retrain", max_epochs=3) as on_epoch:
        for row in ROWS:
            on_epoch(row)
    return [path for path in Path().rglob("*tfevents*") if path.is_file()]


def test_event_files_hold_the_history(capsys: pytest.CaptureFixture[str]) -> None:
    ask(tensorboard=True)
    (file,) = show()
    assert file.parent.parent == TENSORBOARD / "retrain"
    events = EventAccumulator(str(file)).Reload()
    assert set(events.Tags()["tensors"]) == {"learning_rate", "training_loss", "validation_accuracy"}
    for name in ("learning_rate", "training_loss", "validation_accuracy"):
        seen = [(event.step, event.tensor_proto.float_val[0]) for event in events.Tensors(name)]
        assert seen == [(row["epoch"], pytest.approx(row[name])) for row in ROWS]
    shown = capsys.readouterr().err  # a bar has room for what a person follows
    assert "3/3 epochs" in shown and "validation_accuracy 0.75" in shown and "learning_rate" not in shown


def test_a_second_training_is_a_run_of_its_own() -> None:
    ask(tensorboard=True)
    first = show()
    assert len(show()) == len(first) + 1


def test_nothing_is_written_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    ask(tensorboard=False)
    assert show() == []
    ask(tensorboard=True)
    monkeypatch.setenv("SELFSAME_OBSERVE", "0")
    assert show() == []


def test_without_tensorboard_it_says_so_before_any_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    ask(tensorboard=True)
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(SelfsameError, match="TensorBoard is not installed") as caught:
        show()
    assert "selfsame[tensorboard]" in caught.value.fix
