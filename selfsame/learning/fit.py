"""Fitting a net: build it, train with progress, save the folder."""

from contextlib import nullcontext
from pathlib import Path

import torch
from torch import nn

from selfsame.core.cores import has_a_core_to_spare
from selfsame.core.layout import LEARNED, VALIDATED
from selfsame.learning.distributed import is_spread, rank, spread
from selfsame.learning.loop import train
from selfsame.learning.pool import Pool
from selfsame.learning.refit import kept_row, refit
from selfsame.learning.resume import Checkpoints
from selfsame.learning.run import TrainingRun
from selfsame.learning.steps import StepNet, prepare_compiler
from selfsame.model.models import save_model, save_validation
from selfsame.model.nets import build_net
from selfsame.model.torchvision_nets import TorchvisionNet, load_weights
from selfsame.observe.beside import beside
from selfsame.observe.notes import note
from selfsame.observe.watch import monitoring, watch
from selfsame.params.model import FittedParams, Torchvision


def fit_model(run: TrainingRun, folder: Path) -> None:
    """Train a fresh model and write it to ``folder``.

    With ``training.refit_on_validation`` that model goes to the folder ``validated`` in it, and ``folder``
    holds a second one that has learned the validation rows too.
    """
    if isinstance(run.params, FittedParams):
        from selfsame.learning.tables import fit_table  # scikit-learn and scipy: a second

        fit_table(run, folder)
    else:
        _fit_net(run, folder)


def _fit_net(run: TrainingRun, folder: Path) -> None:
    plan, training, data = run.plan, run.training, run.data.to(run.device)
    if training.compile:
        prepare_compiler(run.device)

    def fresh_net() -> nn.Module:
        torch.manual_seed(plan.seed)
        net = build_net(run.params, run.info)
        if isinstance(net, TorchvisionNet) and isinstance(run.params, Torchvision) and run.params.weights:
            load_weights(net, run.params)
        return net.to(run.device)

    def in_steps(net: nn.Module) -> nn.Module:
        return spread(net, StepNet(net, training))

    def refitted(epochs: int) -> tuple[nn.Module, Pool | None]:
        net = fresh_net()
        with watch(f"{run.name}, refit", epochs) as on_epoch:
            return net, refit(net, data, plan, training, epochs, on_epoch, refit_checkpoints, in_steps)

    net = fresh_net()
    seconds, key = monitoring().checkpoint_seconds, run.checkpoint_folder
    checkpoints = Checkpoints(key, seconds)
    meanwhile = _refit_may_run_meanwhile(run)
    refit_checkpoints = Checkpoints(key.with_name(f"{key.name}-refit"), seconds, last=meanwhile)
    for each, fact in ((checkpoints, "resumedFromEpoch"), (refit_checkpoints, "refitResumedFromEpoch")):
        if each.resumed_from_epoch is not None:
            note(**{fact: each.resumed_from_epoch, "seed": plan.seed})
    # The copy leaves the refit's last checkpoint, with which it is done as soon as it begins.
    copied = beside(lambda: refitted(plan.max_epochs)) if meanwhile else nullcontext()
    with watch(run.name, plan.max_epochs) as on_epoch, copied:
        history, taught = train(net, data, plan, training, on_epoch, checkpoints, in_steps)

    kept = kept_row(history, training.checkpoint)

    def save(folder: Path) -> None:
        if rank():
            return
        save_model(folder, run.model(net), history)
        if run.pool is not None and taught is not None:
            taught.write(folder / LEARNED, run.pool)

    if training.refit_on_validation:
        save(folder / VALIDATED)
        net, taught = refitted(int(kept["epoch"]))
    save(folder)
    if not rank():
        save_validation(folder, kept)
        checkpoints.remove()
        refit_checkpoints.remove()


def _refit_may_run_meanwhile(run: TrainingRun) -> bool:
    """Tell whether the refit's epochs are known before the training that chooses, and a core is idle."""
    known = run.training.refit_on_validation and run.training.checkpoint == "last"
    # A process with more threads, or with a GPU, can't be copied; and its cores have enough to do.
    alone = run.device.type == "cpu" and torch.get_num_threads() == 1 and not is_spread()
    return known and alone and has_a_core_to_spare()
