"""Stage retrain: a fresh student learns from labeled rows and the pool.

In: ``labeled``, ``validation``, ``pool``, ``pseudo_labels``, ``scaling``, params ``compute model
retrain training``. Out: ``models/student``, the weights of its best checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from selfsame.core.errors import SelfsameError
from selfsame.core.params import Section
from selfsame.core.stage import Stage, run_stage
from selfsame.core.tables import TableInfo, count_rows, inputs_of, iter_batches, read_column, same_ids
from selfsame.params.augmentation import AugmentationParams, Fraction
from selfsame.params.compute import ComputeParams
from selfsame.params.model import ModelParams
from selfsame.params.training import TrainingParams

if TYPE_CHECKING:
    from pathlib import Path

    from selfsame.learning.batches import Examples
    from selfsame.learning.methods import Method


class RetrainParams(Section):
    """Section ``retrain``: how the student learns from the pool."""

    seed: int = Field(ge=0)
    method: Literal["offline", "online", "fixmatch"]
    max_epochs: int = Field(ge=1)
    patience_epochs: int = Field(ge=1)
    pool_batch_size: int = Field(ge=1)
    unlabeled_weight: float = Field(ge=0)
    ramp_up_start_epochs: int = Field(ge=0)
    ramp_up_end_epochs: int = Field(ge=0)
    fixmatch_threshold: Fraction | None
    strong_augmentation: AugmentationParams
    distribution_alignment: Fraction
    class_prior: list[float] | None
    pseudo_labels: Literal["hard", "soft"]
    soft_temperature: float = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _ramp_up_ends_after_it_starts(self) -> Self:
        if self.ramp_up_end_epochs < self.ramp_up_start_epochs:
            raise ValueError(
                f"ramp_up_end_epochs = {self.ramp_up_end_epochs} is before "
                f"ramp_up_start_epochs = {self.ramp_up_start_epochs}"
            )
        return self

    @model_validator(mode="after")
    def _soft_labels_teach_something(self) -> Self:
        if self.method == "online" and self.pseudo_labels == "soft" and self.soft_temperature == 1:
            raise ValueError(
                "soft_temperature = 1 teaches nothing online: the net already has its own distribution"
            )
        return self

    @model_validator(mode="after")
    def _prior_is_a_distribution(self) -> Self:
        shares = self.class_prior
        if shares is not None and (min(shares, default=0) <= 0 or abs(sum(shares) - 1) > 1e-6):
            raise ValueError(f"class_prior = {shares} must be shares above 0 that add up to 1")
        return self

    @property
    def temperature(self) -> float | None:
        """That of soft pseudo-labels; None for hard ones."""
        return self.soft_temperature if self.pseudo_labels == "soft" else None

    def prior(self, labels: np.ndarray, classes: int) -> tuple[float, ...]:
        """Return the shares (K,) that the pool's classes are thought to have: given, or of ``labels`` (N,).

        Raises:
            SelfsameError: they are not one for each class.
        """
        if self.class_prior is None:
            return tuple((np.bincount(labels, minlength=classes) / len(labels)).tolist())
        if len(self.class_prior) != classes:
            raise SelfsameError(
                f"params.yaml: retrain.class_prior has {len(self.class_prior)} shares, "
                f"the data {classes} classes",
                "give one share for each class, or null for those of the labeled rows",
            )
        return tuple(self.class_prior)

    def check_for_values(self) -> None:
        """Make sure that nothing here needs classes.

        Raises:
            SelfsameError: something does.
        """
        for key, needed in (("method", "offline"), ("pseudo_labels", "hard"), ("class_prior", None)):
            value = getattr(self, key)
            if value != needed:
                raise SelfsameError(
                    f"params.yaml: retrain.{key} = {value!r} needs classes; this is a regression",
                    f"set retrain.{key} to {needed or 'null'}",
                )


PARAMS = {
    "compute": ComputeParams,
    "model": ModelParams,
    "retrain": RetrainParams,
    "training": TrainingParams,
}


def choose_method(own: RetrainParams, labeled: Path) -> Method:
    """Return the method that the parameters name, for a table of labeled rows.

    Raises:
        SelfsameError: it needs classes, and there are none.
    """
    from selfsame.learning.fixmatch import FixMatch
    from selfsame.learning.methods import Offline, OfflineValues, Online, RampUp

    ramp_up = RampUp(own.unlabeled_weight, own.ramp_up_start_epochs, own.ramp_up_end_epochs)
    info = TableInfo.of(labeled)
    if info.target == "regression":
        own.check_for_values()
        return OfflineValues(ramp_up)
    if own.method == "fixmatch":
        prior = own.prior(read_column(labeled, "label"), len(info.classes))
        return FixMatch(ramp_up, own.fixmatch_threshold, own.distribution_alignment, own.temperature, prior)
    if own.method == "online":
        return Online(ramp_up, own.temperature)
    return Offline(ramp_up)


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
        own.strong_augmentation,
    )
    fit_model(stage, plan, pool, folder=stage.outputs["student"])


if __name__ == "__main__":
    run_stage("retrain", main, PARAMS)
