"""Stage split: give every example one role and fit the scaling.

In: ``examples``, ``labels`` (people's answers), params ``split``. Out: ``labeled``, ``validation``,
``calibration`` (validation rows that only the gate may read, in a file of their own, so that no training
can), ``pool`` (labels blanked), ``holdout``, ``hidden_labels`` (the pool's true labels, for measuring only)
and ``scaling.json`` (mean and standard deviation of the labeled rows' inputs and, for regression, of their
target).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from selfsame.core.annotations import ANNOTATIONS, class_indices, is_answered, read_annotations, with_answers
from selfsame.core.errors import SelfsameError
from selfsame.core.params import Section
from selfsame.core.stage import Stage, run_stage
from selfsame.core.tables import TableInfo, TableWriter, inputs_of, iter_batches, read_column

LABELED, VALIDATION, CALIBRATION, POOL, HOLDOUT, DROPPED = range(6)
ROUNDING = 1e-12  # of the mean: a smaller standard deviation is that of a constant
ROLE_NAMES = {
    LABELED: "labeled",
    VALIDATION: "validation",
    CALIBRATION: "calibration",
    POOL: "pool",
    HOLDOUT: "holdout",
}


Rows = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class SplitParams(Section):
    """Section ``split``: how many rows get which role.

    A whole number is so many rows of every class, a fraction that share of every class's rows; ``all`` is
    every labeled row that no other role takes. A regression's rows are all of one class.
    """

    seed: int = Field(ge=0)
    labels_per_class: Rows | Share | Literal["all"]
    validation_per_class: Rows | Share
    calibration_fraction: float = Field(ge=0, lt=1)
    holdout_fraction: float | None = Field(gt=0, lt=1)
    duplicates: Literal["stop", "drop"]
    exclude: list[str]


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
        labeled, validation = count_rows_of(params, name, len(rows), len(rest))
        calibration = round(params.calibration_fraction * validation)
        if calibration == validation:
            raise SelfsameError(
                f"params.yaml: split.calibration_fraction = {params.calibration_fraction} leaves none of "
                f"{validation} validation rows of {name!r} to choose checkpoints by",
                "lower it, or raise split.validation_per_class",
            )
        taken = labeled + validation
        roles[rest[:labeled]] = LABELED
        roles[rest[labeled:taken]] = VALIDATION
        roles[rest[taken - calibration : taken]] = CALIBRATION
    return roles


def count_rows_of(params: SplitParams, name: str, rows: int, rest: int) -> tuple[int, int]:
    """Return how many labeled and how many validation rows a class gives.

    Args:
        rows, rest: the class's rows that have a label, and those of them that are not holdout.

    Raises:
        SelfsameError: there are too few.
    """
    wanted, validation = params.labels_per_class, _rows(params.validation_per_class, rows)
    if wanted == "all":
        labeled = max(1, rest - validation)
    else:
        labeled = _rows(wanted, rows)
        if isinstance(wanted, float):  # rounding may ask for a row more than there is
            labeled -= labeled + validation == rest + 1
    if not labeled or not validation or labeled + validation > rest:
        raise SelfsameError(
            f"params.yaml: split.labels_per_class = {wanted} and split.validation_per_class = "
            f"{params.validation_per_class} need {labeled} and {validation} rows of {name!r}, at least one "
            f"each; it has {rest} beside the holdout",
            "change one of the two, or bring more labeled rows of that class",
        )
    return labeled, validation


def _rows(wanted: float, rows: int) -> int:
    return wanted if isinstance(wanted, int) else round(wanted * rows)


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
    """Fit mean and standard deviation on labeled rows: per channel of an image, or per feature.

    Missing values (NaN) don't count. ``target`` is null for classification.
    """
    info = TableInfo.of(labeled)

    def inputs() -> Iterator[np.ndarray]:
        for batch in iter_batches(labeled):
            raw = inputs_of(batch, info).astype(np.float64)
            yield np.moveaxis(raw, 1, -1).reshape(-1, raw.shape[1])

    def targets() -> Iterator[np.ndarray]:
        yield read_column(labeled, "label")[:, None]

    mean, std = _mean_and_std(inputs)
    target = None
    if info.target == "regression":
        ((target_mean,), (target_std,)) = _mean_and_std(targets)
        target = {"mean": target_mean, "std": target_std}
    return {"mean": mean, "std": std, "target": target}


def _mean_and_std(batches: Callable[[], Iterator[np.ndarray]]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each column of (N, F) batches, read three times.

    A column without a known value has the mean 0; one that doesn't vary the standard deviation 1.
    """
    count = sum(np.sum(~np.isnan(rows), axis=0) for rows in batches())
    known = np.maximum(count, 1)
    mean = sum(np.nansum(rows, axis=0) for rows in batches()) / known
    std = np.sqrt(sum(np.nansum((rows - mean) ** 2, axis=0) for rows in batches()) / known)
    std[std <= ROUNDING * np.abs(mean)] = 1.0
    return mean.tolist(), std.tolist()


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
    labels = _class_indices(read_column(examples, "label").astype(np.float64), info)
    left_out = np.union1d(repeated, excluded_rows(ids, params.exclude))
    labels[left_out] = -1
    roles = assign_roles(labels, _own_holdout(examples), info.classes or ("all rows",), params)
    roles[left_out] = DROPPED
    answers = class_indices(read_annotations(stage.inputs["labels"]), info.classes, ANNOTATIONS)
    # An answer moves no other row: those that judge stay a random draw, the withdrawn stay withdrawn.
    roles[is_answered(ids, answers) & (roles == POOL)] = LABELED

    _write_roles(examples, info, roles, answers, stage)
    scaling = fit_scaling(stage.outputs["labeled"])
    stage.outputs["scaling"].write_text(json.dumps(scaling, indent=2) + "\n", encoding="utf-8")


def _class_indices(labels: np.ndarray, info: TableInfo) -> np.ndarray:
    """Return (N,) int64, -1 where the label is null; rows of a regression are all of class 0."""
    return np.where(np.isnan(labels), -1, labels if info.classes else 0).astype(np.int64)


def _own_holdout(examples: Path) -> np.ndarray | None:
    column = read_column(examples, "source_holdout")
    return None if any(value is None for value in column[:1]) else column.astype(bool)


def _write_roles(
    examples: Path, info: TableInfo, roles: np.ndarray, answers: Mapping[str, int], stage: Stage
) -> None:
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
                elif role == LABELED:
                    rows = with_answers(rows, answers)
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
