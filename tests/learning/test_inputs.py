"""From raw rows to a net's input: one path, and batches that miss no row."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import (
    FEATURES,
    IMAGES,
    OBJECTIVE,
    SCALING,
    examples,
    fresh_net,
    methods,
    model_params,
    plan,
    training_data,
    training_params,
    write_table,
)
from torch import Tensor, nn

from selfsame.core import tables
from selfsame.core.tables import TableInfo
from selfsame.learning.batches import EndlessBatches, Examples, balanced, load_examples, stack_examples
from selfsame.learning.loop import train, validate
from selfsame.model.inputs import FEATURE_LIMIT, Scaling, prepare
from selfsame.model.models import Model, answer_table


class Recording(nn.Module):
    """A net that remembers the bytes of every row it is given."""

    def __init__(self, net: nn.Module, seen: set[bytes]) -> None:
        super().__init__()
        self.net, self.seen = net, seen

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen |= row_bytes(inputs)
        return self.net(inputs)

    def __deepcopy__(self, memo: dict[int, object]) -> "Recording":
        copied = fresh_net()
        copied.load_state_dict(self.net.state_dict())
        return Recording(copied, self.seen)


def row_bytes(inputs: Tensor) -> set[bytes]:
    assert inputs.dtype == torch.float32
    return {row.numpy().tobytes() for row in inputs}


@pytest.mark.parametrize("name", ["offline", "online", "self_training"])
def test_training_labeling_validation_and_prediction_see_the_same_input(name: str, tmp_path: Path) -> None:
    data = training_data(pool=(6, 6, 6))
    seen: set[bytes] = set()
    net = Recording(fresh_net(), seen)
    unchanged = training_params().augmentation
    how = plan(methods()[name], max_epochs=4, strong=unchanged)
    train(net, data, how, training_params(ema_decay=0.9), lambda _: None)
    assert data.pool is not None
    shown = data.pool.inputs if name != "offline" else data.pool.inputs[data.pool.accepted]
    in_training = row_bytes(prepare(torch.cat([data.labeled.inputs, shown]), SCALING))
    in_training |= row_bytes(prepare(data.validation.inputs, SCALING))
    assert seen <= in_training if name == "self_training" else seen == in_training  # it draws only some rows
    assert len(seen) > 40

    seen.clear()
    validate(net, data.validation, SCALING, OBJECTIVE)
    in_validation = set(seen)
    seen.clear()
    table = write_table(tmp_path / "validation.parquet", IMAGES, data.validation)
    answer_table(Model(net, model_params(), IMAGES, SCALING), table)
    assert seen == in_validation == row_bytes(prepare(data.validation.inputs, SCALING))


def test_images_are_scaled_per_channel() -> None:
    raw = torch.randint(256, (5, 3, 4, 6), dtype=torch.uint8)
    scaling = Scaling(mean=(10.0, 20.5, 30.0), std=(2.0, 4.0, 0.5))
    made = prepare(raw, scaling)
    assert made.dtype == torch.float32
    for channel in range(3):
        expected = (raw[:, channel].numpy() - scaling.mean[channel]) / scaling.std[channel]
        np.testing.assert_allclose(made[:, channel].numpy(), expected, rtol=1e-6, atol=1e-6)


def test_features_are_scaled_in_double_precision() -> None:
    # float32 couldn't tell 1,000,000,001 from 1,000,000,002
    raw = torch.tensor([[1e9 + 1, 3.0], [1e9 + 2, 5.0]], dtype=torch.float64)
    made = prepare(raw, Scaling(mean=(1e9, 3.0), std=(1.0, 2.0)))
    assert made.dtype == torch.float32
    assert torch.equal(made, torch.tensor([[1.0, 0.0], [2.0, 1.0]]))


def test_a_feature_far_outside_the_labeled_rows_is_held_at_the_limit() -> None:
    raw = torch.tensor([[3.9, -3.9], [1e6, -1e6]], dtype=torch.float64)
    made = prepare(raw, Scaling(mean=(0.0, 0.0), std=(1.0, 1.0)))
    torch.testing.assert_close(made, torch.tensor([[3.9, -3.9], [FEATURE_LIMIT, -FEATURE_LIMIT]]))


def test_a_row_is_prepared_alike_in_any_batch() -> None:
    for rows in (examples((5, 5, 5), seed=1), examples((5, 5, 5), seed=1, info=FEATURES)):
        scaling = SCALING if rows.inputs.dim() == 4 else Scaling((1.0,) * 4, (3.0,) * 4)
        whole = prepare(rows.inputs, scaling)
        assert all(torch.equal(prepare(rows.inputs[i : i + 1], scaling)[0], whole[i]) for i in range(15))


def test_scaling_is_read_as_split_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "scaling.json"
    written = {"mean": [1.5, 2.0], "std": [0.1, 3.0], "target": None}
    path.write_text(json.dumps(written))
    assert Scaling.load(path) == Scaling((1.5, 2.0), (0.1, 3.0))
    path.write_text(json.dumps(written | {"target": {"mean": 7.0, "std": 0.5}}))
    assert Scaling.load(path) == Scaling((1.5, 2.0), (0.1, 3.0), target=(7.0, 0.5))
    assert Scaling.from_json(Scaling.load(path).as_json()) == Scaling.load(path)


@pytest.mark.parametrize("info", [IMAGES, FEATURES], ids=["images", "features"])
def test_a_table_is_loaded_whole_and_in_order(
    info: TableInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = examples((4, 5, 6), seed=1, info=info)
    table = write_table(tmp_path / "rows.parquet", info, rows)
    monkeypatch.setattr(tables, "BATCH_ROWS", 4)
    loaded = load_examples(table)
    assert torch.equal(loaded.inputs, rows.inputs) and torch.equal(loaded.labels, rows.labels)
    assert (loaded.inputs.dtype, loaded.labels.dtype) == (rows.inputs.dtype, torch.int64)


@pytest.mark.parametrize("info", [IMAGES, FEATURES], ids=["images", "features"])
def test_no_batches_make_no_examples_of_the_right_shape(info: TableInfo) -> None:
    none = stack_examples([], info)
    assert len(none) == 0
    assert none.inputs.shape == (0, *info.input_shape)
    assert none.inputs.dtype == examples((1,), seed=1, info=info).inputs.dtype


def numbered(per_class: tuple[int, ...]) -> Examples:
    """Examples whose only feature is their row number."""
    labels = torch.arange(len(per_class)).repeat_interleave(torch.tensor(per_class))
    return Examples(torch.arange(len(labels), dtype=torch.float64)[:, None], labels)


def batches(rows: Examples, size: int, seed: int = 0, evenly: bool = False) -> Iterator[Examples]:
    chances = balanced(rows.labels) if evenly else None
    drawn = EndlessBatches(torch.arange(len(rows)), size, torch.Generator().manual_seed(seed), chances)
    return (rows[each] for each in drawn)


def test_every_pass_visits_every_row_once_in_another_order() -> None:
    rows = numbered((5, 6))
    stream = batches(rows, 4)
    passes = []
    for _ in range(3):
        visited = list(islice(stream, 3))
        assert [len(batch) for batch in visited] == [4, 4, 3]
        passes.append(torch.cat([batch.inputs[:, 0] for batch in visited]))
        assert torch.equal(passes[-1].sort().values, rows.inputs[:, 0])
    assert len(torch.stack(passes).unique(dim=0)) == 3


def test_labels_stay_with_their_rows() -> None:
    rows = numbered((5, 6))
    for evenly in (False, True):
        for batch in islice(batches(rows, 4, evenly=evenly), 6):
            assert torch.equal(batch.labels, rows.labels[batch.inputs[:, 0].long()])


def test_the_seed_decides_the_order() -> None:
    for evenly in (False, True):
        first, again, other = (
            torch.cat([batch.inputs for batch in islice(batches(numbered((50, 9)), 8, seed, evenly), 20)])
            for seed in (1, 1, 2)
        )
        assert torch.equal(first, again) and not torch.equal(first, other)


def test_balanced_batches_show_14_and_4_photos_equally_often() -> None:
    rows = numbered((14, 4))
    drawn = torch.cat([batch.inputs[:, 0].long() for batch in islice(batches(rows, 18, evenly=True), 2000)])
    assert rows.labels[drawn].double().mean().item() == pytest.approx(0.5, abs=0.01)
    shares = torch.bincount(drawn, minlength=18) / len(drawn)
    expected = torch.tensor([0.5 / 14] * 14 + [0.5 / 4] * 4)
    torch.testing.assert_close(shares, expected, atol=0.005, rtol=0)  # and each photo of a class alike
    as_is = torch.cat([batch.labels for batch in islice(batches(rows, 18), 100)])
    assert as_is.double().mean().item() == pytest.approx(4 / 18)


def test_a_missing_value_is_the_mean_of_the_labeled_rows() -> None:
    raw = torch.tensor([[1.0, np.nan], [np.nan, 5.0]], dtype=torch.float64)
    prepared = prepare(raw, Scaling((3.0, 4.0), (2.0, 2.0)))
    assert prepared.tolist() == [[-1.0, 0.0], [0.0, 0.5]]
