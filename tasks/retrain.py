"""Stage retrain: a fresh student learns from labeled rows and accepted pseudo-labels.

In: ``labeled``, ``validation``, ``pool``, ``pseudo_labels``, ``scaling``, params ``compute model
retrain training``. Out: ``models/student``, the weights of the best validation loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from selfsame.core.errors import SelfsameError
from selfsame.core.params import Section
from selfsame.core.stage import Stage, run_stage
from selfsame.core.tables import TableInfo, inputs_of, iter_batches, same_ids
from selfsame.learning.params import ComputeParams, ModelParams, TrainingParams

if TYPE_CHECKING:
    from pathlib import Path

    from selfsame.learning.inputs import Examples


class RetrainParams(Section):
    """Section ``retrain``: how the student learns from the pool."""

    seed: int = Field(ge=0)
    method: Literal["offline"]
    max_epochs: int = Field(ge=1)
    patience_epochs: int = Field(ge=1)
    pool_batch_size: int = Field(ge=1)
    unlabeled_weight: float = Field(ge=0)
    ramp_up_fraction: Annotated[float, Field(ge=0, le=1)]


PARAMS = {
    "compute": ComputeParams,
    "model": ModelParams,
    "retrain": RetrainParams,
    "training": TrainingParams,
}


def load_accepted(pool: Path, pseudo_labels: Path) -> Examples:
    """Load the accepted pool rows with their pseudo-labels; only these are held in memory.

    Raises:
        SelfsameError: the pseudo-labels are not those of this pool.
    """
    from selfsame.learning.inputs import stack_examples

    info = TableInfo.of(pool)
    accepted = []
    batches = zip(iter_batches(pool), iter_batches(pseudo_labels), strict=True)
    for rows, decisions in batches:
        if not same_ids(rows.column("example_id"), decisions.column("example_id")):
            raise SelfsameError(
                f"{pseudo_labels}: its rows are not those of {pool}", "run 'dvc repro --force pseudo_label'"
            )
        mask = decisions.column("accepted")
        kept = decisions.column("pseudo_label").filter(mask)
        accepted.append((inputs_of(rows.filter(mask), info), kept.to_numpy()))
    return stack_examples(accepted, info)


def main(stage: Stage) -> None:
    """Join the accepted rows with their inputs and train a fresh net."""
    from selfsame.learning.fit import fit_model
    from selfsame.learning.loop import Plan
    from selfsame.learning.methods import Offline

    own = stage.section("retrain", RetrainParams)
    accepted = load_accepted(stage.inputs["pool"], stage.inputs["pseudo_labels"])
    method = Offline(own.unlabeled_weight, own.ramp_up_fraction)
    plan = Plan(method, own.seed, own.max_epochs, own.patience_epochs, own.pool_batch_size)
    fit_model(stage, plan, accepted, folder=stage.outputs["student"])


if __name__ == "__main__":
    run_stage("retrain", main, PARAMS)
