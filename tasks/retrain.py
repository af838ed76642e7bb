"""Stage retrain: a fresh student learns from labeled rows and the pool.

In: ``labeled``, ``validation``, ``pool``, ``pseudo_labels``, ``scaling``, params ``compute model
retrain training``. Out: ``models/student``, the weights of its best checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo, read_column
from selfsame.engine import resources
from selfsame.params.compute import ComputeParams
from selfsame.params.model import ModelParams
from selfsame.params.retrain import Online, RetrainParams, SelfTraining
from selfsame.params.training import TrainingParams

if TYPE_CHECKING:
    from pathlib import Path

    from selfsame.learning.methods import Method


def choose_method(own: RetrainParams, labeled: Path) -> Method:
    """Return the method that the parameters name, for a table of labeled rows.

    Raises:
        SelfsameError: the shares of its classes aren't one for each.
    """
    from selfsame.learning import methods

    ramp_up = methods.RampUp(own.unlabeled_weight, own.ramp_up_start_epochs, own.ramp_up_end_epochs)
    if isinstance(own, SelfTraining):
        return methods.SelfTraining(
            ramp_up,
            relabel_every_epochs=own.relabel_every_epochs,
            threshold=own.relabel_threshold,
            alignment=own.distribution_alignment,
            soft_temperature=own.temperature,
            prior=own.prior(read_column(labeled, "label"), len(TableInfo.of(labeled).classes)),
        )
    if isinstance(own, Online):
        return methods.Online(ramp_up, soft_temperature=own.temperature)
    return methods.Offline(ramp_up)


def main(stage: Stage) -> None:
    """Join the pool with its pseudo-labels and train a fresh net."""
    from selfsame.learning.batches import load_pool
    from selfsame.learning.fit import fit_model
    from selfsame.learning.loop import Plan
    from selfsame.learning.run import TrainingRun

    own = stage.section("retrain", RetrainParams)
    method = choose_method(own, stage.inputs["labeled"])
    memory = resources().memory_gb
    pool = load_pool(stage.inputs["pool"], stage.inputs["pseudo_labels"], own.temperature, memory)
    plan = Plan(
        method,
        own.seed,
        own.max_epochs,
        own.patience_epochs,
        own.pool_batch_size,
        own.strong_augmentation if isinstance(own, SelfTraining) else None,
    )
    run = TrainingRun.of(
        "retrain",
        stage.inputs,
        stage.spec.code,
        stage.section("compute", ComputeParams),
        stage.section("model", ModelParams),
        stage.section("training", TrainingParams),
        own,
        plan,
        pool,
    )
    fit_model(run, stage.outputs["student"])


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("retrain", main)
