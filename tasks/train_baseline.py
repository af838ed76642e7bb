"""Stage train_baseline: learn from the labeled rows alone.

In: ``labeled``, ``validation``, ``scaling``, params ``compute model train_baseline training``.
Out: ``models/baseline``, the weights of the best validation loss.
"""

from pydantic import Field

from selfsame.core.params import Section
from selfsame.core.stage import Stage, run_stage
from selfsame.learning.params import ComputeParams, ModelParams, TrainingParams


class TrainBaselineParams(Section):
    """Section ``train_baseline``: how long the baseline trains."""

    seed: int = Field(ge=0)
    max_epochs: int = Field(ge=1)
    patience_epochs: int = Field(ge=1)


PARAMS = {
    "compute": ComputeParams,
    "model": ModelParams,
    "train_baseline": TrainBaselineParams,
    "training": TrainingParams,
}


def main(stage: Stage) -> None:
    """Train a fresh net on labeled rows, keep its best checkpoint."""
    from selfsame.learning.fit import fit_model
    from selfsame.learning.loop import Plan
    from selfsame.learning.methods import Supervised

    own = stage.section("train_baseline", TrainBaselineParams)
    plan = Plan(Supervised(), own.seed, own.max_epochs, own.patience_epochs)
    fit_model(stage, plan, pool=None, folder=stage.outputs["baseline"])


if __name__ == "__main__":
    run_stage("train_baseline", main, PARAMS)
