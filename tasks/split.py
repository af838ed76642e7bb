"""Stage split: give every example one role and fit the scaling.

In: ``examples``, params ``split``. Out: ``labeled``, ``validation``, ``calibration`` (validation rows
that only the gate may read, in a file of their own, so that no training can), ``pool`` (labels blanked),
``holdout``, ``hidden_labels`` (the pool's true labels, for measuring only) and ``scaling.json``
(mean and standard deviation of the labeled rows).
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from selfsame.core.errors import SelfsameError
from selfsame.core.params import Section
from selfsame.core.stage import Stage, run_stage
from selfsame.core.tables import TableInfo, TableWriter, inputs_of, iter_batches, read_column

LABELED, VALIDATION, CALIBRATION, POOL, HOLDOUT, DROPPED = range(6)
ROLE_NAMES = {
    LABELED: "labeled",
    VALIDATION: "validation",
    CALIBRATION: "calibration",
    POOL: "pool",
    HOLDOUT: "holdout",
}


class SplitParams(Section):
    """Section ``split``: how many rows get which role."""

    seed: int = Field(ge=0)
    labels_per_class: int = Field(ge=1)
    validation_per_class: int = Field(ge=1)
    calibration_fraction: float = Field(ge=0, lt=1)
    holdout_fraction: float | None = Field(gt=0, lt=1)
    duplicates: Literal["stop", "drop"]
    exclude: list[str]

    @property
    def calibration_per_class(self) -> int:
        """Validation rows of every class that are kept for calibration and gate alone."""
        return round(self.calibration_fraction * self.validation_per_class)

    @model_validator(mode="after")
    def _some_validation_is_left(self) -> Self:
        if self.calibration_per_class == self.validation_per_class:
            raise ValueError(
                f"calibration_fraction = {self.calibration_fraction} leaves none of "
                f"{self.validation_per_class} validation rows a class to choose checkpoints by"
            )
        return self


PARAMS = {"split": SplitParams}


def assign_roles(
    labels: np.ndarray, own_holdout: np.ndarray | None, classes: tuple[str, ...], params: SplitParams
) -> np.ndarray:
    """Draw a role for every row, class by class.

    Args:
        labels: (N,) class indices; negative where unknown, which sends the row to the pool.
        own_holdout: (N,) bool, the source's own holdout, used when ``holdout_fraction`` is null.

    Returns:
        (N,) int8 roles.

    Raises:
        SelfsameError: a class has too few rows, or there is no holdout.
    """
    if params.holdout_fraction is None and own_holdout is None:
        raise SelfsameError(
            "params.yaml: split.holdout_fraction = null, but the source sets no holdout aside",
            "set split.holdout_fraction to a share of the rows, for example 0.25",
        )
    random = np.random.default_rng(params.seed)
    roles = np.full(len(labels), POOL, dtype=np.int8)
    for index, name in enumerate(classes):
        rows = random.permutation(np.flatnonzero(labels == index))
        if params.holdout_fraction is None:
            assert own_holdout is not None
            aside = own_holdout[rows]
        else:
            aside = np.arange(len(rows)) < round(params.holdout_fraction * len(rows))
        roles[rows[aside]] = HOLDOUT
        rest = rows[~aside]
        needed = params.labels_per_class + params.validation_per_class
        if len(rest) < needed:
            raise SelfsameError(
                f"params.yaml: split.labels_per_class + split.validation_per_class = {needed}, but the "
                f"class {name!r} has only {len(rest)} rows beside the holdout",
                "lower one of the two, or bring more labeled rows of that class",
            )
        roles[rest[: params.labels_per_class]] = LABELED
        roles[rest[params.labels_per_class : needed]] = VALIDATION
        roles[rest[needed - params.calibration_per_class : needed]] = CALIBRATION
    return roles


def repeated_rows(ids: np.ndarray) -> np.ndarray:
    """Return the positions of all rows whose content stood in an earlier row already."""
    _, first = np.unique(ids, return_index=True)
    return np.setdiff1d(np.arange(len(ids)), first)


def excluded_rows(ids: np.ndarray, exclude: list[str]) -> np.ndarray:
    """Return the positions of the withdrawn examples.

    Raises:
        SelfsameError: an id is not in the data, so that a mistyped one doesn't stay in unnoticed.
    """
    unknown = sorted(set(exclude) - set(ids[np.isin(ids, exclude)]))
    if unknown:
        raise SelfsameError(
            f"params.yaml: split.exclude names {unknown[0]!r}, which no example has as its id",
            "copy the id from the table, or remove it from split.exclude",
        )
    return np.flatnonzero(np.isin(ids, exclude))


def fit_scaling(labeled: Path) -> dict[str, Any]:
    """Fit mean and standard deviation on labeled rows: per channel or feature, and of the values to learn."""
    info = TableInfo.of(labeled)
    inputs = np.concatenate([inputs_of(batch, info) for batch in iter_batches(labeled)]).astype(np.float64)
    axes = (0, 2, 3) if info.image_shape else (0,)
    std = inputs.std(axis=axes)
    std[std == 0] = 1.0  # a constant input stays at zero
    target = None
    if info.target == "regression":
        values = read_column(labeled, "label")
        target = {"mean": float(values.mean()), "std": float(values.std()) or 1.0}
    return {"mean": inputs.mean(axis=axes).tolist(), "std": std.tolist(), "target": target}


def main(stage: Stage) -> None:
    """Check for duplicates, draw the roles, write every role's table, fit the scaling."""
    params = stage.section("split", SplitParams)
    examples = stage.inputs["examples"]
    info = TableInfo.of(examples)

    ids = read_column(examples, "example_id")
    repeated = repeated_rows(ids)
    if len(repeated) and params.duplicates == "stop":
        raise SelfsameError(
            f"{examples}: {len(repeated)} rows repeat the content of an earlier row (the first is "
            f"row {repeated[0]}); in two roles at once they would leak labels",
            "remove them from the source, or set split.duplicates to drop, which keeps the first of each",
        )
    labels = _known_labels(read_column(examples, "label"))
    left_out = np.union1d(repeated, excluded_rows(ids, params.exclude))
    labels[left_out] = -1
    roles = assign_roles(labels, _own_holdout(examples), info.classes, params)
    roles[left_out] = DROPPED

    _write_roles(examples, info, roles, stage)
    scaling = fit_scaling(stage.outputs["labeled"])
    stage.outputs["scaling"].write_text(json.dumps(scaling, indent=2) + "\n", encoding="utf-8")


def _known_labels(column: np.ndarray) -> np.ndarray:
    """Return class indices as int64, -1 where the label is null."""
    return np.where(np.isnan(column.astype(np.float64)), -1, column).astype(np.int64)


def _own_holdout(examples: Path) -> np.ndarray | None:
    column = read_column(examples, "source_holdout")
    return None if any(value is None for value in column[:1]) else column.astype(bool)


def _write_roles(examples: Path, info: TableInfo, roles: np.ndarray, stage: Stage) -> None:
    """Copy every row into its role's table, one batch in memory at a time."""
    schema = info.schema(pa.field("source_row", pa.int64(), nullable=False))
    hidden_schema = pa.schema([schema.field("example_id"), schema.field("label")])
    with ExitStack() as stack:
        writers = {
            role: stack.enter_context(TableWriter(stage.outputs[name], schema))
            for role, name in ROLE_NAMES.items()
        }
        hidden = stack.enter_context(TableWriter(stage.outputs["hidden_labels"], hidden_schema))
        for batch, batch_roles in _with_roles(examples, schema.names, roles):
            for role, writer in writers.items():
                rows = batch.filter(pa.array(batch_roles == role))
                if not rows.num_rows:
                    continue
                if role == POOL:
                    known = rows.filter(rows.column("label").is_valid())
                    hidden.write(known.select(hidden_schema.names).cast(hidden_schema))
                    blank = pa.nulls(rows.num_rows, schema.field("label").type)
                    rows = rows.set_column(schema.get_field_index("label"), schema.field("label"), blank)
                writer.write(pa.record_batch(rows.columns, schema=schema))


def _with_roles(
    examples: Path, columns: list[str], roles: np.ndarray
) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
    start = 0
    for batch in iter_batches(examples, columns):
        yield batch, roles[start : start + batch.num_rows]
        start += batch.num_rows


if __name__ == "__main__":
    run_stage("split", main, PARAMS)
