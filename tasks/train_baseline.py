"""Stage train_baseline: learn from the labeled rows alone.

In: ``labeled``, ``validation``, ``scaling``, params ``compute model train_baseline training``.
Out: ``models/baseline``, the weights of the best validation loss; for a regression with a folder
``ensemble``: nets like it from further seeds, by whose agreement its pseudo-labels are judged.
"""

from pydantic import Field

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ENSEMBLE
from selfsame.core.params import Section
from selfsame.core.stage import Stage, run_stage
from selfsame.core.tables import TableInfo
from selfsame.params.compute import ComputeParams
from selfsame.params.model import OF_TABLES, ModelParams
from selfsame.params.training import TrainingParams


class TrainBaselineParams(Section):
    """Section ``train_baseline``: how long the baseline trains."""

    seed: int = Field(ge=0)
    max_epochs: int = Field(ge=1)
    patience_epochs: int = Field(ge=1)
    ensemble_members: int = Field(ge=0)


PARAMS = {
    "compute": ComputeParams,
    "model": ModelParams,
    "train_baseline": TrainBaselineParams,
    "training": TrainingParams,
}


def check_ensemble(own: TrainBaselineParams, architecture: str, info: TableInfo) -> None:
    """Make sure that there is an ensemble exactly where its agreement is asked for.

    Raises:
        SelfsameError: there isn't.
    """
    if architecture in OF_TABLES:
        if own.ensemble_members:
            raise SelfsameError(
                f"params.yaml: train_baseline.ensemble_members = {own.ensemble_members}, but a "
                f"{architecture} comes out the same for any seed",
                "set it to 0; the members of a committee are its ensemble",
            )
        return
    if bool(own.ensemble_members) != (info.target == "regression"):
        raise SelfsameError(
            f"params.yaml: train_baseline.ensemble_members = {own.ensemble_members}, for a {info.target}",
            "set it to 0 for classes, whose teacher has a confidence, and to 1 or more for values",
        )


def main(stage: Stage) -> None:
    """Train a fresh net on labeled rows, keep its best checkpoint; then the others of the ensemble."""
    from selfsame.learning.fit import fit_model
    from selfsame.learning.loop import Plan
    from selfsame.learning.methods import Supervised

    own = stage.section("train_baseline", TrainBaselineParams)
    check_ensemble(
        own, stage.section("model", ModelParams).architecture, TableInfo.of(stage.inputs["labeled"])
    )
    baseline = stage.outputs["baseline"]
    for member in range(own.ensemble_members + 1):
        plan = Plan(Supervised(), own.seed + member, own.max_epochs, own.patience_epochs)
        folder = baseline / ENSEMBLE / f"{member:02d}" if member else baseline
        fit_model(stage, plan, pool=None, folder=folder)


if __name__ == "__main__":
    run_stage("train_baseline", main, PARAMS)
