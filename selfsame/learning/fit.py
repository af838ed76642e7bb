"""Fitting a net: build it, train with progress, save the folder."""

from pathlib import Path

import torch
from torch import nn

from selfsame.core.layout import LEARNED, VALIDATED
from selfsame.learning.distributed import rank, spread
from selfsame.learning.loop import train
from selfsame.learning.refit import kept_epoch, refit
from selfsame.learning.resume import Checkpoints
from selfsame.learning.run import TrainingRun
from selfsame.learning.steps import StepNet, prepare_compiler
from selfsame.learning.tables import fit_table
from selfsame.model.models import save_model, save_validation
from selfsame.model.nets import build_net
from selfsame.model.torchvision_nets import TorchvisionNet, load_weights
from selfsame.observe.notes import note
from selfsame.observe.watch import monitoring, watch
from selfsame.params.model import FittedParams, Torchvision


def fit_model(run: TrainingRun, folder: Path) -> None:
    """Train a fresh model and write it to ``folder``.

    With ``training.refit_on_validation`` that model goes to the folder ``validated`` in it, and ``folder``
    holds a second one that has learned the validation rows too.
    """
    if isinstance(run.params, FittedParams):
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

    net = fresh_net()
    checkpoints = Checkpoints(run.checkpoint_folder, monitoring().checkpoint_seconds)
    with watch(run.name, plan.max_epochs) as on_epoch:
        history, taught = train(net, data, plan, training, on_epoch, checkpoints, in_steps)
    if checkpoints.resumed_from_epoch is not None:
        note(resumedFromEpoch=checkpoints.resumed_from_epoch, seed=plan.seed)

    def save(folder: Path) -> None:
        if rank():
            return
        save_model(folder, run.model(net), history)
        if run.pool is not None and taught is not None:
            taught.write(folder / LEARNED, run.pool)

    if training.refit_on_validation:
        save(folder / VALIDATED)
        net, epochs = fresh_net(), kept_epoch(history, training.checkpoint)
        with watch(f"{run.name}, refit", epochs) as on_epoch:
            taught = refit(net, data, plan, training, epochs, on_epoch, in_steps)
    save(folder)
    if not rank():
        save_validation(folder, history[kept_epoch(history, training.checkpoint) - 1])
        checkpoints.remove()
