"""What both training stages do: load, build a fresh net, train with progress, save the folder."""

from pathlib import Path

import torch
from torch import nn

from selfsame.core.layout import LEARNED, VALIDATED
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo
from selfsame.learning.batches import PoolExamples, load_examples
from selfsame.learning.distributed import device_of_rank, rank, spread
from selfsame.learning.loop import Plan, TrainingData, train
from selfsame.learning.refit import kept_epoch, refit
from selfsame.learning.resume import Checkpoints
from selfsame.learning.steps import StepNet, prepare_compiler
from selfsame.learning.tables import fit_table, recipe_of
from selfsame.model.device import prepare_device
from selfsame.model.inputs import Scaling
from selfsame.model.models import Model, save_model, save_validation
from selfsame.model.nets import build_net
from selfsame.model.torchvision_nets import input_scaling, load_weights
from selfsame.observe.notes import note
from selfsame.observe.watch import monitoring, watch
from selfsame.params.compute import ComputeParams
from selfsame.params.model import FittedParams, ModelParams, Torchvision
from selfsame.params.training import TrainingParams


def fit_model(stage: Stage, plan: Plan, pool: PoolExamples | None, folder: Path) -> None:
    """Train a fresh net on the stage's labeled rows and ``pool``, and write it to ``folder``.

    With ``training.refit_on_validation`` that net goes to the folder ``validated`` in it, and ``folder``
    holds a second one that has learned the validation rows too.

    Args:
        pool: the pool with its pseudo-labels, on the CPU; None for the baseline.
    """
    compute = stage.section("compute", ComputeParams)
    device = device_of_rank(prepare_device(compute))
    params = stage.section("model", ModelParams)
    training = stage.section("training", TrainingParams)
    info = TableInfo.of(stage.inputs["labeled"])
    if isinstance(params, FittedParams):
        fit_table(stage, plan, pool, folder)
        return

    if training.compile:
        prepare_compiler(device)

    def fresh_net() -> nn.Module:
        torch.manual_seed(plan.seed)
        net = build_net(params, info)
        if isinstance(params, Torchvision) and params.weights is not None:
            load_weights(net, params)
        return net.to(device)

    def in_steps(net: nn.Module) -> nn.Module:
        return spread(net, StepNet(net, training))

    net = fresh_net()
    scaling = input_scaling(params, Scaling.load(stage.inputs["scaling"]))
    labeled, validation = (load_examples(stage.inputs[role]) for role in ("labeled", "validation"))
    data = TrainingData(
        labeled=labeled.standardised(scaling).to(device),
        validation=validation.standardised(scaling).to(device),
        pool=pool.standardised(scaling).to(device) if pool is not None else None,
        scaling=scaling,
        classes=len(info.classes),
    )
    checkpoints = Checkpoints.of(stage, plan.seed, device, monitoring().checkpoint_seconds)
    with watch(stage.spec.name, plan.max_epochs) as on_epoch:
        history, taught = train(net, data, plan, training, on_epoch, checkpoints, in_steps)
    if checkpoints.resumed_from_epoch is not None:
        note(resumedFromEpoch=checkpoints.resumed_from_epoch, seed=plan.seed)

    def save(folder: Path) -> None:
        if rank():
            return
        save_model(folder, Model(net, params, info, data.scaling, recipe_of(stage)), history)
        if pool is not None and taught is not None:
            taught.write(folder / LEARNED, pool)

    if training.refit_on_validation:
        save(folder / VALIDATED)
        net, epochs = fresh_net(), kept_epoch(history, training.checkpoint)
        with watch(f"{stage.spec.name}, refit", epochs) as on_epoch:
            taught = refit(net, data, plan, training, epochs, on_epoch, in_steps)
    save(folder)
    if not rank():
        save_validation(folder, history[kept_epoch(history, training.checkpoint) - 1])
        checkpoints.remove()
