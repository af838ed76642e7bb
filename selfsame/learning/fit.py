"""What both training stages do: load, build a fresh net, train with progress, save the folder."""

from pathlib import Path

import torch
from torch import nn

from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo
from selfsame.learning.device import StepNet, prepare_device
from selfsame.learning.inputs import Examples, Scaling, load_examples
from selfsame.learning.loop import Plan, TrainingData, train
from selfsame.learning.models import VALIDATED, Model, save_model, save_validation
from selfsame.learning.nets import build_net
from selfsame.learning.params import ComputeParams, ModelParams, TrainingParams
from selfsame.learning.refit import kept_epoch, refit
from selfsame.learning.resume import Checkpoints
from selfsame.learning.torchvision_nets import input_scaling, load_weights
from selfsame.observe.notes import note
from selfsame.observe.settings import monitoring
from selfsame.observe.watch import watch


def fit_model(stage: Stage, plan: Plan, pool: Examples | None, folder: Path) -> None:
    """Train a fresh net on the stage's labeled rows and ``pool``, and write it to ``folder``.

    With ``training.refit_on_validation`` that net goes to the folder ``validated`` in it, and ``folder``
    holds a second one that has learned the validation rows too.

    Args:
        pool: the pool rows that the method learns from, on the CPU; None for the baseline.
    """
    compute = stage.section("compute", ComputeParams)
    device = prepare_device(compute)
    params = stage.section("model", ModelParams)
    training = stage.section("training", TrainingParams)
    info = TableInfo.of(stage.inputs["labeled"])

    def fresh_net() -> nn.Module:
        torch.manual_seed(plan.seed)
        net = build_net(params, info)
        if params.weights is not None:
            load_weights(net, params)
        return net.to(device)

    def in_steps(net: nn.Module) -> nn.Module:
        return StepNet(net, compute)

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
    recipe = {name: section.model_dump() for name, section in stage.params.items() if name != "model"}
    checkpoints = Checkpoints.of(stage, device, monitoring().checkpoint_seconds)
    with watch(stage.spec.name, plan.max_epochs) as on_epoch:
        history = train(net, data, plan, training, on_epoch, checkpoints, in_steps)
    note(resumedFromEpoch=checkpoints.resumed_from_epoch)
    if training.refit_on_validation:
        save_model(folder / VALIDATED, Model(net, params, info, data.scaling, recipe), history)
        net, epochs = fresh_net(), kept_epoch(history, training.checkpoint)
        with watch(f"{stage.spec.name}, refit", epochs) as on_epoch:
            refit(net, data, plan, training, epochs, on_epoch, in_steps)
    save_model(folder, Model(net, params, info, data.scaling, recipe), history)
    save_validation(folder, history[kept_epoch(history, training.checkpoint) - 1])
    checkpoints.remove()
