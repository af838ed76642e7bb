"""The stage ``train_baseline``: the same bytes for the same seed, and nothing of the pool in them."""

from pathlib import Path

import pytest
from project import run_task

from selfsame.core.digests import files_under, sha256_file

BASELINE = Path("models/baseline")


def train(folder: Path, **changes: object) -> dict[str, str]:
    run_task("train_baseline", folder, train_baseline=changes)
    return {file.name: sha256_file(file) for file in files_under(folder / BASELINE)}


def test_the_same_seed_gives_the_same_bytes(trained: Path) -> None:
    before = {file.name: sha256_file(file) for file in files_under(trained / BASELINE)}
    assert set(before) == {"model.safetensors", "config.json", "history.csv", "validation.json"}
    assert train(trained) == train(trained) == before


@pytest.mark.parametrize("change", [{"seed": 1}, {"max_epochs": 3}])
def test_another_seed_or_length_gives_another_model(change: dict[str, int], trained: Path) -> None:
    assert train(trained)["model.safetensors"] != train(trained, **change)["model.safetensors"]


def test_it_reads_nothing_but_the_labeled_and_validation_rows(trained: Path) -> None:
    before = train(trained)
    for path in (trained / "data").rglob("*"):
        if path.is_file() and path.stem not in ("labeled", "validation", "scaling"):
            path.unlink()
    assert train(trained) == before


def test_the_history_has_a_row_for_every_epoch(trained: Path) -> None:
    lines = (trained / BASELINE / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2"]
