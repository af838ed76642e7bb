"""The record of what a training was taught: its labels, rebuilt from the record alone."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from tiny import ALL_TECHNIQUES, fresh_net, methods, plan, pool_examples, training_data
from torch import Tensor

from selfsame.core.layout import LEARNED_KEY
from selfsame.learning import loop
from selfsame.learning.loop import train
from selfsame.learning.pool import Pool

POOL = (8, 6, 6)
TAUGHT = Counter[tuple[str, int]]


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> TAUGHT:
    """Every label that enters a loss, with its row, as the loop hands them over."""
    seen: TAUGHT = Counter()
    draw, losses, rows = Pool.draw, loop.losses, []

    def drawing(pool: Pool, epoch: int) -> tuple[Tensor, object]:
        drawn = draw(pool, epoch)
        rows.append(drawn[0])
        return drawn

    def losing(*given: object) -> tuple[object, Tensor | None]:
        made, labels = losses(*given)
        if labels is not None:
            labels = labels.argmax(dim=1) if labels.dim() == 2 else labels
            seen.update(
                (f"row {row}", label) for row, label in zip(rows[-1].tolist(), labels.tolist(), strict=True)
            )
            return made, labels
        return made, None

    monkeypatch.setattr(Pool, "draw", drawing)
    monkeypatch.setattr(loop, "losses", losing)
    return seen


def recorded(path: Path) -> TAUGHT:
    """The same, from the record alone."""
    return Counter(
        {
            (row["example_id"], label): sum(
                uses for each, uses in zip(row["labels"], row["uses"], strict=True) if each == label
            )
            for row in pq.read_table(path).to_pylist()
            for label in row["labels"]
            if label is not None
        }
    )


@pytest.mark.parametrize("name", methods())
def test_the_labels_that_were_learned_are_rebuilt_from_the_record(
    name: str, taught: TAUGHT, tmp_path: Path
) -> None:
    examples = pool_examples(POOL)
    _, pool = train(
        fresh_net(), training_data(POOL), plan(methods()[name], max_epochs=6), ALL_TECHNIQUES, lambda _: None
    )
    assert pool is not None
    pool.write(tmp_path / "learned.parquet", examples)
    assert taught and +recorded(tmp_path / "learned.parquet") == taught


def test_what_steps_make_themselves_is_fetched_once_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU is not waited for in every step; that the record is the same is asked above."""
    fetched, cpu = 0, Tensor.cpu

    def fetching(values: Tensor) -> Tensor:
        nonlocal fetched
        fetched += values.dtype == torch.int32  # classes, as they are recorded
        return cpu(values)

    how = plan(methods()["online"], pool_batch_size=2, max_epochs=10)
    monkeypatch.setattr(Tensor, "cpu", fetching)
    _, pool = train(fresh_net(), training_data(POOL), how, ALL_TECHNIQUES, lambda _: None)
    assert pool is not None
    pool.state()
    assert fetched == len(pool.rounds) == 3  # thirty steps of two rows, of a pool of twenty


@pytest.mark.parametrize("name", ["offline", "self_training"])
def test_the_first_round_is_the_gates_and_every_further_one_names_its_teacher(
    name: str, tmp_path: Path
) -> None:
    examples = pool_examples(POOL)
    _, pool = train(fresh_net(), training_data(POOL), plan(methods()[name]), ALL_TECHNIQUES, lambda _: None)
    assert pool is not None
    pool.write(tmp_path / "learned.parquet", examples)
    table = pq.read_table(tmp_path / "learned.parquet")
    assert [table["example_id"].combine_chunks()] == list(examples.ids)
    given = [
        label if kept else None
        for label, kept in zip(examples.labels.tolist(), examples.accepted, strict=True)
    ]
    assert [labels[0] for labels in table["labels"].to_pylist()] == given
    described = json.loads(table.schema.metadata[LEARNED_KEY])
    rounds = described["rounds"]
    assert (described["method"], rounds[0]) == (name, {"first_epoch": 1, "teacher": examples.teacher})
    assert [each["first_epoch"] for each in rounds] == ([1] if name == "offline" else [1, 2, 3])
    assert len({each["teacher"] for each in rounds}) == len(rounds)


def test_of_a_large_pool_a_round_labels_as_many_rows_as_it_draws() -> None:
    how = plan(methods()["self_training"], pool_batch_size=2, max_epochs=3)
    _, pool = train(fresh_net(), training_data(POOL), how, ALL_TECHNIQUES, lambda _: None)
    assert pool is not None and pool.share_taught <= 6 / 20  # three steps an epoch, of two rows


def test_rows_below_the_threshold_are_not_shown() -> None:
    how = plan(methods()["self_training"])
    _, pool = train(fresh_net(), training_data(POOL), how, ALL_TECHNIQUES, lambda _: None)
    assert pool is not None
    state = pool.state()
    assert torch.equal(state["uses"] > 0, (state["uses"] > 0) & state["taught"])
