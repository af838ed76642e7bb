"""Stage retrain: a fresh student learns from labeled rows and the pool.

In: ``labeled``, ``validation``, ``pool``, ``pseudo_labels``, ``scaling``, params ``compute model
retrain training``. Out: ``models/student``, the weights of its best checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo, count_rows, inputs_of, iter_batches, read_column, same_ids
from selfsame.params.retrain import FixMatch, Online, RetrainParams

if TYPE_CHECKING:
    from pathlib import Path

    from selfsame.learning.batches import Examples
    from selfsame.learning.methods import Method


def choose_method(own: RetrainParams, labeled: Path) -> Method:
    """Return the method that the parameters name, for a table of labeled rows.

    Raises:
        SelfsameError: the shares of its classes aren't one for each.
    """
    from selfsame.learning import fixmatch, methods

    ramp_up = methods.RampUp(own.unlabeled_weight, own.ramp_up_start_epochs, own.ramp_up_end_epochs)
    info = TableInfo.of(labeled)
    if info.target == "regression":
        return methods.OfflineValues(ramp_up)
    if isinstance(own, FixMatch):
        prior = own.prior(read_column(labeled, "label"), len(info.classes))
        return fixmatch.FixMatch(
            ramp_up, own.fixmatch_threshold, own.distribution_alignment, own.temperature, prior
        )
    if isinstance(own, Online):
        return methods.Online(ramp_up, own.temperature)
    return methods.Offline(ramp_up)


def load_pool(
    pool: Path, pseudo_labels: Path, accepted_only: bool, soft_temperature: float | None
) -> Examples:
    """Load pool rows with their pseudo-labels: the accepted ones, or all; classes, or distributions.

    Raises:
        SelfsameError: the pseudo-labels are not those of this pool.
    """
    from selfsame.learning.batches import stack_examples
    from selfsame.learning.targets import with_soft_labels

    info = TableInfo.of(pool)
    chosen, probabilities = [], []
    if count_rows(pool) != count_rows(pseudo_labels):
        raise _other_pool(pool, pseudo_labels)
    for rows, decisions in zip(iter_batches(pool), iter_batches(pseudo_labels), strict=True):
        if not same_ids(rows.column("example_id"), decisions.column("example_id")):
            raise _other_pool(pool, pseudo_labels)
        if accepted_only:
            accepted = decisions.column("accepted")
            rows, decisions = rows.filter(accepted), decisions.filter(accepted)
        chosen.append((inputs_of(rows, info), decisions.column("pseudo_label").to_numpy()))
        if soft_temperature is not None:
            probabilities.append(decisions.column("probabilities").flatten().to_numpy())
    examples = stack_examples(chosen, info)
    if soft_temperature is None:
        return examples
    return with_soft_labels(examples, np.concatenate(probabilities), soft_temperature)


def _other_pool(pool: Path, pseudo_labels: Path) -> SelfsameError:
    return SelfsameError(f"{pseudo_labels}: its rows are not those of {pool}", "run 'dvc repro --force'")


def main(stage: Stage) -> None:
    """Join the pool with its pseudo-labels and train a fresh net."""
    from selfsame.learning.fit import fit_model
    from selfsame.learning.loop import Plan

    own = stage.section("retrain", RetrainParams)
    method = choose_method(own, stage.inputs["labeled"])
    pool = load_pool(
        stage.inputs["pool"],
        stage.inputs["pseudo_labels"],
        accepted_only=method.pool_rows == "accepted",
        soft_temperature=own.temperature,
    )
    plan = Plan(
        method,
        own.seed,
        own.max_epochs,
        own.patience_epochs,
        own.pool_batch_size,
        own.strong_augmentation if isinstance(own, FixMatch) else None,
    )
    fit_model(stage, plan, pool, folder=stage.outputs["student"])


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("retrain", main)
