"""What both training stages do: load, build a fresh net, train with progress, save the folder."""

from pathlib import Path

import torch

from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo
from selfsame.learning.device import prepare_device
from selfsame.learning.inputs import Examples, Scaling, load_examples
from selfsame.learning.loop import Plan, TrainingData, train
from selfsame.learning.models import Model, save_model
from selfsame.learning.nets import build_net
from selfsame.learning.params import ComputeParams, ModelParams, TrainingParams
from selfsame.observe.progress import progress


def fit_model(stage: Stage, plan: Plan, pool: Examples | None, folder: Path) -> None:
    """Train a fresh net on the stage's labeled rows and ``pool``, and write it to ``folder``.

    Args:
        pool: the pool rows that the method learns from, on the CPU; None for the baseline.
    """
    device = prepare_device(stage.section("compute", ComputeParams))
    params = stage.section("model", ModelParams)
    training = stage.section("training", TrainingParams)
    info = TableInfo.of(stage.inputs["labeled"])
    scaling = Scaling.load(stage.inputs["scaling"])
    labeled, validation = (load_examples(stage.inputs[role]) for role in ("labeled", "validation"))
    data = TrainingData(
        labeled=labeled.standardised(scaling).to(device),
        validation=validation.standardised(scaling).to(device),
        pool=pool.standardised(scaling).to(device) if pool is not None else None,
        scaling=scaling,
        classes=len(info.classes),
    )
    torch.manual_seed(plan.seed)
    net = build_net(params, info).to(device)
    with progress(stage.spec.name, total=plan.max_epochs, unit="epoch") as bar:
        history = train(net, data, plan, training, lambda row: bar.update(**row))
    recipe = {name: section.model_dump() for name, section in stage.params.items() if name != "model"}
    save_model(folder, Model(net, params, info, data.scaling, recipe), history)
