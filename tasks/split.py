"""Stage split: give every example one role and fit the scaling.

In: ``examples``, ``reading`` (how a table's words are read, kept for a model), ``labels`` (people's answers),
params ``split``. Out: ``labeled``, ``validation``, ``calibration`` (validation rows that only the gate may
read, in a file of their own, so that no training can), ``pool`` (labels blanked), ``holdout``,
``hidden_labels`` (the pool's true labels, for measuring only),
``dropped`` (rows without a role, and why), ``scaling.json`` (mean and standard deviation of the labeled rows'
inputs and, for regression, of their target) and ``accounting.json`` (what became of every label given).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.annotations import ANNOTATIONS, answered, class_indices, read_annotations, with_answers
from selfsame.core.layout import KEPT
from selfsame.core.space import let_go
from selfsame.core.stage import Stage
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import ID, TableInfo, inputs_of, iter_batches, open_table, read_column
from selfsame.params.split import SplitParams
from selfsame.roles.decide import REASONS, REPEAT, Decision, account, decide, said
from selfsame.roles.given import Given, Part, gather, halves
from selfsame.roles.near import look_for_copies, refuse_copies
from selfsame.roles.rows import DROPPED, HOLDOUT, LABELED, OWN_HOLDOUT, OWN_VALIDATION, POOL, ROLE_NAMES

ROUNDING = 1e-12  # of the mean: a smaller standard deviation is that of a constant


def read_given(examples: Path, info: TableInfo, params: SplitParams) -> Given:
    """Read what the roles are drawn by."""
    return gather(_parts(examples, info, params), info, params)


def _parts(examples: Path, info: TableInfo, params: SplitParams) -> Iterator[Part]:
    """Yield the examples without what isn't asked for: inputs are only for a group or time among them."""
    kept = [name for name in open_table(examples).schema.names if name.startswith(KEPT)]
    asked = {params.group_column, params.time_column} - {None}
    among = not info.image_shape and not asked <= {name.removeprefix(KEPT) for name in kept}
    columns = [ID, "label", "source_role", *kept, *(info.features if among else ())]
    for batch in iter_batches(examples, columns):
        roles = [pc.equal(batch.column("source_role"), name) for name in ("validation", "holdout")]
        validation, holdout = (each.fill_null(False).to_numpy(zero_copy_only=False) for each in roles)
        yield Part(
            halves(batch.column(ID)),
            batch.column("label").cast(pa.float64()).to_numpy(zero_copy_only=False),
            (OWN_VALIDATION * validation + OWN_HOLDOUT * holdout).astype(np.int8),
            {name.removeprefix(KEPT): batch.column(name) for name in kept},
            inputs_of(batch, info) if among else np.empty((batch.num_rows, 0)),
        )


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
        yield info.labels.scaled(read_column(labeled, "label"))

    mean, std = _mean_and_std(inputs)
    columns = zip(*_mean_and_std(targets), strict=True)
    target = next(({"mean": at, "std": spread} for at, spread in columns), None)
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
    """Decide every row's role, write every role's table, fit the scaling, account for the labels."""
    params = stage.section("split", SplitParams)
    examples = stage.inputs["examples"]
    reading = json.loads(stage.inputs["reading"].read_text(encoding="utf-8"))
    info = replace(TableInfo.of(examples), reading=reading)
    given = read_given(examples, info, params)
    decision = decide(given, info, params, str(examples))
    accounted = account(decision, given)
    answers = class_indices(read_annotations(stage.inputs["labels"]), info.classes, ANNOTATIONS)
    # An answer moves no other row: those that judge stay a random draw, the withdrawn stay withdrawn.
    moved = [row for row in answered(given.rows_of(answers)) if decision.roles[row] == POOL]
    decision.roles[moved] = LABELED

    _write_roles(examples, info, decision, answers, stage, params.rows_per_part)
    scaling = fit_scaling(stage.outputs["labeled"])
    _write_json(stage.outputs["scaling"], scaling)
    copies = look_for_copies(
        [stage.outputs[name] for name in ("validation", "calibration", "holdout")],
        [stage.outputs[name] for name in ("labeled", "pool")],
    )
    if params.near_copies == "stop":
        refuse_copies(copies, str(examples))
    accounted |= {"near_copies": {"rows": sum(copy >= 0 for _, copy in copies), "of": len(copies)}}
    _write_json(stage.outputs["accounting"], accounted | {"answered_rows_moved_to_labeled": len(moved)})
    for line in said(accounted):
        print(f"split: {line}")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _write_roles(
    examples: Path,
    info: TableInfo,
    decision: Decision,
    answers: Mapping[str, int],
    stage: Stage,
    rows_per_part: int,
) -> None:
    """Copy every row into its role's table, one batch in memory at a time."""
    schema = info.schema(pa.field("source_row", pa.int64(), nullable=False))
    hidden_schema = pa.schema([schema.field(ID), schema.field("label")])
    dropped_schema = hidden_schema.append(schema.field("source_row"))
    for name, kind in (("reason", pa.string()), ("kept_row", pa.int64())):
        dropped_schema = dropped_schema.append(pa.field(name, kind))
    with ExitStack() as stack:
        writers = {
            role: stack.enter_context(
                TableWriter(stage.outputs[name], schema, rows_per_part if role == POOL else None)
            )
            for role, name in ROLE_NAMES.items()
        }
        hidden = stack.enter_context(TableWriter(stage.outputs["hidden_labels"], hidden_schema))
        dropped = stack.enter_context(TableWriter(stage.outputs["dropped"], dropped_schema))
        start = 0
        for batch in iter_batches(examples, schema.names):
            places = slice(start, start + batch.num_rows)
            start = places.stop
            roles, codes = decision.roles[places], decision.reasons[places]
            for role, writer in writers.items():
                rows = batch.filter(pa.array(roles == role))
                if not rows.num_rows:
                    continue
                if role == POOL:
                    known = rows.filter(rows.column("label").is_valid())
                    hidden.write(known.select(hidden_schema.names).cast(hidden_schema))
                    blank = pa.nulls(rows.num_rows, schema.field("label").type)
                    rows = rows.set_column(schema.get_field_index("label"), schema.field("label"), blank)
                elif role != HOLDOUT:  # what measures is read as it was given
                    rows = with_answers(rows, answers)
                writer.write(pa.record_batch(rows.columns, schema=schema))
            left_out = np.flatnonzero(roles == DROPPED)
            if len(left_out):
                rows = batch.select([ID, "label", "source_row"]).take(pa.array(left_out))
                why = pa.array([REASONS[code] for code in codes[left_out]])
                kept = pa.array(decision.repeats.of(places)[0][left_out], mask=codes[left_out] != REPEAT)
                dropped.write(pa.record_batch([*rows.columns, why, kept], schema=dropped_schema))
            let_go(decision.roles, decision.reasons)


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("split", main)
