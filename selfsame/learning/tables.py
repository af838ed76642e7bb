"""What both training stages do where the model is no net: fit families on rows, score, save the folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from selfsame.core.layout import LEARNED, OUT_OF_FOLD, VALIDATED
from selfsame.families.committee import fit_committee
from selfsame.families.fit import fit_family, out_of_fold
from selfsame.families.rows import Rows, together
from selfsame.learning.batches import Examples
from selfsame.learning.distributed import rank
from selfsame.learning.objective import build_objective
from selfsame.learning.pool import Round, write_learned
from selfsame.learning.run import TrainingRun
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
    rows, held = _rows(labeled, 1.0, data.classes), _rows(validation, 1.0, data.classes)
    extra = None
    if pool is not None and pool.accepted.any():
        accepted = pool[pool.accepted.nonzero()[:, 0]]
        # Together these rows count so many times the labeled ones, and none of them more than one of those.
        weight = min(plan.method.ramp_up.weight * len(labeled) / len(accepted), 1.0)
        extra = _rows(accepted, weight, data.classes)

    unlabeled = np.empty((0, 0)) if pool is None else _some(pool, plan.seed)

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
            record = [run.pool.labels.int()], [run.pool.accepted], [run.pool.accepted.int()]
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
    fitted = fit_family(params.architecture, rows, seed, extra)
    return fitted, out_of_fold(params.architecture, rows, seed).numpy()


def _some(pool: Examples, seed: int) -> np.ndarray:
    """Return the inputs of a random choice of pool rows, in their order."""
    chosen = np.random.default_rng(seed).permutation(len(pool))[:MOST_UNLABELED]
    return pool.inputs[torch.from_numpy(np.sort(chosen))].numpy()


def _rows(examples: Examples, weight: float, classes: int) -> Rows:
    labels = examples.labels.numpy()
    return Rows(examples.inputs.numpy(), labels, np.full(len(labels), weight, dtype=np.float64), classes)
