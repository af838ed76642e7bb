"""Refit on labeled and validation rows: as long as validation chose, and what was chosen by is kept."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_fit import fitted
from tiny import (
    ALL_TECHNIQUES,
    NORMED_AND_DROPPED,
    examples,
    fresh_net,
    methods,
    plan,
    same_bits,
    trained,
    training_data,
    training_params,
)

from selfsame.core.layout import VALIDATED
from selfsame.learning.batches import Examples
from selfsame.learning.loop import Row, TrainingData
from selfsame.learning.methods import Method, supervised
from selfsame.learning.refit import kept_row, refit
from selfsame.model.folder import validated
from selfsame.model.models import load_model
from selfsame.model.nets import detached_state

METHODS: dict[str, Method] = {"supervised": supervised(), **methods()}
UNSTEADY = ALL_TECHNIQUES.model_copy(update={"learning_rate": 0.35, "checkpoint": "validation_loss"})
EPOCHS = 8


def refitted(
    data: TrainingData, epochs: int, method: Method, told: list[Row] | None = None
) -> dict[str, torch.Tensor]:
    net = fresh_net(NORMED_AND_DROPPED)
    rows: list[Row] = [] if told is None else told
    refit(net, data, plan(method, max_epochs=EPOCHS), UNSTEADY, epochs, rows.append)
    return detached_state(net)


@pytest.mark.parametrize("name", METHODS)
def test_without_validation_rows_it_is_the_kept_checkpoint_bit_for_bit(name: str) -> None:
    data, method = training_data((8, 6, 6)), METHODS[name]
    state, history = trained(data, plan(method, max_epochs=EPOCHS), UNSTEADY, NORMED_AND_DROPPED)
    epochs = int(kept_row(history, "validation_loss")["epoch"])
    assert epochs < EPOCHS, "else this shows nothing"
    none = Examples(data.validation.inputs[:0], data.validation.labels[:0])
    assert same_bits(refitted(replace(data, validation=none), epochs, method), state)


def test_it_lasts_as_long_as_was_chosen() -> None:
    told: list[Row] = []
    refitted(training_data(), 3, supervised(), told)
    assert [row["epoch"] for row in told] == [1, 2, 3]
    assert "validation_loss" not in told[0], "nothing is judged on rows that are learned"


def test_validation_rows_are_learned_with_their_labels() -> None:
    data = training_data()
    flipped = Examples(data.validation.inputs, (data.validation.labels + 1) % 3)
    fewer = examples((2, 2, 2), seed=2)
    states = [
        refitted(replace(data, validation=rows), 3, supervised())
        for rows in (data.validation, flipped, fewer)
    ]
    assert not same_bits(states[0], states[1]) and not same_bits(states[0], states[2])


@pytest.mark.parametrize(
    ("criterion", "epoch"), [("validation_loss", 2), ("validation_accuracy", 3), ("last", 4)]
)
def test_the_kept_epoch_is_the_first_of_the_best(criterion: str, epoch: int) -> None:
    rows = [(2.0, 0.1), (0.5, 0.3), (0.9, 0.7), (0.5, 0.7)]
    history = [
        {"epoch": number, "validation_loss": loss, "validation_accuracy": accuracy}
        for number, (loss, accuracy) in enumerate(rows, start=1)
    ]
    assert kept_row(history, criterion)["epoch"] == epoch


def test_the_folder_keeps_the_net_that_was_chosen_by(tmp_path: Path) -> None:
    how = plan(methods()["offline"], max_epochs=EPOCHS)
    plain = fitted(tmp_path, "plain", how, training_params(checkpoint="validation_loss"))
    both = fitted(
        tmp_path, "both", how, training_params(checkpoint="validation_loss", refit_on_validation=True)
    )
    before = {Path(name).name: content for name, content in both.items() if VALIDATED in name}
    assert before["model.safetensors"] == plain["model.safetensors"] != both["model.safetensors"]
    assert before["history.csv"] == plain["history.csv"] == both["history.csv"]
    assert validated(tmp_path / "both") == tmp_path / "both" / VALIDATED
    assert validated(tmp_path / "plain") == tmp_path / "plain"
    assert load_model(tmp_path / "both").recipe["training"]["refit_on_validation"] is True
