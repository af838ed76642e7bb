"""What both training stages do where the model is no net: fit families on rows, score, save the folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from selfsame.core.layout import LEARNED, OUT_OF_FOLD, VALIDATED
from selfsame.families import estimators
from selfsame.families.committee import fit_committee
from selfsame.families.fit import fit_families, out_of_fold
from selfsame.families.rows import Rows, together
from selfsame.learning.batches import Examples
from selfsame.learning.distributed import rank
from selfsame.learning.objective import build_objective
from selfsame.learning.pool import Round, write_learned
from selfsame.learning.run import TrainingRun
from selfsame.learning.targets import class_weights
from selfsame.model.models import Model, save_model, save_validation
from selfsame.params.model import Committee, FittedParams

MOST_UNLABELED = 2000  # pool rows along which a family may spread labels: all time grows with their square


def fit_table(run: TrainingRun, folder: Path) -> None:
    """Fit a family or a committee on labeled and accepted pool rows, and write it to ``folder``.

    With ``training.refit_on_validation`` the folder ``validated`` in it holds the one that validation rows
    may judge, and ``folder`` one that has learned them too; of the baseline also what models like it, of the
    other folds, say out of fold of every labeled and validation row.
    """
    params, plan, data = run.params, run.plan, run.data
    labeled, validation, pool = data.labeled, data.validation, data.pool
    assert isinstance(params, FittedParams)
    assert validation is not None
    factors = class_weights(labeled.labels, data.classes, run.training.class_weights)

    def weighed(examples: Examples, weight: float) -> Rows:
        labels, weights = examples.labels, torch.full((len(examples),), weight, dtype=torch.float64)
        if factors is not None:
            weights *= factors[labels] / factors[labeled.labels].mean()
        return Rows(examples.inputs.numpy(), labels.numpy(), weights.numpy(), data.classes)

    rows, held = weighed(labeled, 1.0), weighed(validation, 1.0)
    unlabeled, extra = np.empty((0, 0)), None
    if pool is not None:
        unlabeled = pool.inputs[_some(torch.arange(len(pool)), MOST_UNLABELED, plan.seed)].numpy()
        taught = _some(pool.accepted.nonzero()[:, 0], estimators.most_taught(rows), plan.seed)
        if len(taught):
            # Together these rows count so many times the labeled ones, and none more than one of those.
            weight = min(plan.method.ramp_up.weight * len(labeled) / len(taught), 1.0)
            extra = weighed(pool[taught], weight)

    def fit(learned: Rows) -> tuple[Model, np.ndarray]:
        net, judged = _fit(params, replace(learned, unlabeled=unlabeled), extra, plan.seed)
        return run.model(net), judged

    model, _ = fit(rows)
    objective = build_objective(run.training, labeled.labels, data.classes)
    losses = {
        "training_loss": objective.measure(model.logits(labeled.inputs), labeled.labels)["validation_loss"]
    }
    row = {"epoch": 1, **losses, **objective.measure(model.logits(validation.inputs), validation.labels)}

    def save(folder: Path) -> None:
        if rank():
            return
        save_model(folder, model, [row])
        if run.pool is not None:
            learned = torch.zeros_like(run.pool.accepted).scatter(0, taught, True)
            record = [run.pool.labels.int()], [learned], [learned.int()]
            write_learned(folder / LEARNED, plan.method.name, [Round(1, run.pool.teacher)], run.pool, *record)

    if run.training.refit_on_validation:
        save(folder / VALIDATED)
        model, judged = fit(together(rows, held))
        if pool is None and not rank():  # the pool's labels come of a teacher that has learned these rows
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / OUT_OF_FOLD, judged)
    save(folder)
    if not rank():
        save_validation(folder, row)


def _fit(params: FittedParams, rows: Rows, extra: Rows | None, seed: int) -> tuple[nn.Module, np.ndarray]:
    if isinstance(params, Committee):
        return fit_committee(params.families, rows, extra, seed)
    (fitted,) = fit_families(params.families, rows, seed, extra)
    return fitted, out_of_fold(params.families, rows, seed)[0].numpy()


def _some(places: Tensor, most: int | None, seed: int) -> Tensor:
    """Return a random choice of places, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(places))[:most]
    return places[torch.from_numpy(np.sort(chosen))]
