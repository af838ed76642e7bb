"""Stage train_baseline: learn from the labeled rows alone.

In: ``labeled``, ``validation``, ``scaling``, params ``compute model train_baseline training``.
Out: ``models/baseline``, the weights of the best validation loss; for a regression with a folder
``ensemble``: nets like it from further seeds, by whose agreement its pseudo-labels are judged.
"""

from dataclasses import replace

from selfsame.core.layout import ENSEMBLE
from selfsame.core.stage import Stage
from selfsame.params.compute import ComputeParams
from selfsame.params.model import ModelParams
from selfsame.params.train_baseline import TrainBaselineParams
from selfsame.params.training import TrainingParams


def main(stage: Stage) -> None:
    """Train a fresh net on labeled rows, keep its best checkpoint; then the others of the ensemble."""
    from selfsame.learning.fit import fit_model
    from selfsame.learning.loop import Plan
    from selfsame.learning.methods import supervised
    from selfsame.learning.run import TrainingRun

    own = stage.section("train_baseline", TrainBaselineParams)
    baseline = stage.outputs["baseline"]
    plan = Plan(supervised(), own.seed, own.max_epochs, own.patience_epochs)
    run = TrainingRun.of(
        "train_baseline",
        stage.inputs,
        stage.spec.code,
        stage.section("compute", ComputeParams),
        stage.section("model", ModelParams),
        stage.section("training", TrainingParams),
        own,
        plan,
    )
    for member in range(own.ensemble_members + 1):
        folder = baseline / ENSEMBLE / f"{member:02d}" if member else baseline
        fit_model(replace(run, plan=replace(plan, seed=own.seed + member)), folder)


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("train_baseline", main)
