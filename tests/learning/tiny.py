"""Small examples, parameters and nets, so that a whole training takes a fraction of a second."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import TableInfo, example_ids, input_columns
from selfsame.learning.batches import Examples, PoolExamples
from selfsame.learning.loop import Plan, Row, TrainingData, train
from selfsame.learning.methods import Method, Offline, Online, RampUp, SelfTraining, supervised
from selfsame.learning.objective import Classes
from selfsame.learning.targets import LabeledLoss
from selfsame.model.inputs import Scaling
from selfsame.model.nets import build_net, detached_state
from selfsame.params.augmentation import AugmentationParams, ImageAugmentation
from selfsame.params.compute import ComputeParams
from selfsame.params.model import ModelParams, read_model
from selfsame.params.training import Sgd, TrainingParams

IMAGES = TableInfo("tiny", "classification", ("a", "b", "c"), image_shape=(1, 8, 8))
FEATURES = TableInfo("tiny", "classification", ("a", "b", "c"), features=("u", "v", "w", "x"))
SCALING = Scaling(mean=(110.0,), std=(60.0,))
OBJECTIVE = Classes(LabeledLoss(0.0, None), 0.0, 3)
WHOLE_RAMP = RampUp(1.0, 0, 0)
STRONG = ImageAugmentation(
    shift_pixels=2.0,
    rotate_degrees=20.0,
    scale_fraction=0.2,
    erase_fraction=0.25,
    noise_std=0.1,
    flip_fraction=0.5,
    contrast_fraction=0.2,
    shear_fraction=0.1,
    color_fraction=0.2,
)

State = dict[str, Tensor]


def limits(**changes: float) -> AugmentationParams:
    """No augmentation, but for ``changes``."""
    nothing = dict.fromkeys(ImageAugmentation.model_fields, 0.0) | {"name": "image"}
    return ImageAugmentation.model_validate(nothing | changes)


def compute_params(**changes: Any) -> ComputeParams:
    """One thread of the CPU, but for ``changes``."""
    plain = {"device": "cpu", "cpu_threads": 1}
    return ComputeParams.model_validate(plain | changes)


def training_params(**changes: Any) -> TrainingParams:
    """Plain SGD, whole batches and no technique, but for ``changes``."""
    plain = {
        "batch_size": 64,
        "optimizer": Sgd(name="sgd", momentum=0.0),
        "learning_rate": 0.05,
        "weight_decay": 0.0,
        "schedule": {"name": "constant"},
        "warm_up_fraction": 0.0,
        "ema_decay": 0.0,
        "augmentation": limits(),
        "refit_on_validation": False,
    }
    return TrainingParams.model_validate(plain | changes)


def model_params(**changes: Any) -> ModelParams:
    """A small plain CNN, but for ``changes``."""
    plain = {"architecture": "cnn", "widths": [4, 6], "dropout": 0.0}
    if changes.get("architecture", "cnn") == "cnn":
        plain |= {"halve_after": [1], "dense": None, "batch_norm": False}
    elif changes["architecture"] == "mlp":
        plain["batch_norm"] = False
    else:
        del plain["widths"]
    return read_model(plain | changes)


ALL_TECHNIQUES = training_params(
    batch_size=5,
    optimizer={"name": "adamw"},
    learning_rate=0.01,
    weight_decay=0.01,
    schedule={"name": "one_cycle"},
    warm_up_fraction=0.2,
    gradient_clip_norm=1.0,
    ema_decay=0.9,
    label_smoothing=0.1,
    disturb_label_fraction=0.2,
    class_sampling="balanced",
    class_weights="inverse_share",
    augmentation=ImageAugmentation(
        shift_pixels=1.0,
        rotate_degrees=10.0,
        scale_fraction=0.1,
        erase_fraction=0.2,
        noise_std=0.05,
        flip_fraction=0.5,
        contrast_fraction=0.2,
        shear_fraction=0.1,
        color_fraction=0.2,
    ),
)
NORMED_AND_DROPPED = model_params(batch_norm=True, dropout=0.4)


def examples(per_class: tuple[int, ...], seed: int, info: TableInfo = IMAGES) -> Examples:
    """Noisy copies of one prototype per class, in the order of the classes."""
    prototypes = np.random.default_rng(0).uniform(40, 180, (len(info.classes), *info.input_shape))
    labels = np.repeat(np.arange(len(per_class)), per_class)
    noisy = prototypes[labels] + np.random.default_rng(seed).normal(0, 30, (len(labels), *info.input_shape))
    raw = noisy.clip(0, 255).astype(np.uint8) if info.image_shape else noisy
    return Examples(torch.from_numpy(raw), torch.from_numpy(labels))


def pool_examples(per_class: tuple[int, ...], seed: int = 3, info: TableInfo = IMAGES) -> PoolExamples:
    """Pool rows with their true labels, of which the gate has accepted all but every fourth."""
    rows = examples(per_class, seed, info)
    ids = pa.array([f"row {number}" for number in range(len(rows))])
    return PoolExamples(rows.inputs, rows.labels, [ids], torch.arange(len(rows)) % 4 != 3, teacher="0" * 64)


def training_data(pool: tuple[int, ...] | None = None) -> TrainingData:
    """Imbalanced labeled rows, a validation set, and as many pool rows of each class as ``pool`` says."""
    return TrainingData(
        labeled=examples((7, 4, 3), seed=1),
        validation=examples((5, 5, 5), seed=2),
        pool=pool_examples(pool) if pool is not None else None,
        scaling=SCALING,
        classes=3,
    )


def on_device(data: TrainingData, device: torch.device) -> TrainingData:
    """Return the same rows on ``device``."""
    return replace(
        data,
        labeled=data.labeled.to(device),
        validation=data.validation.to(device),
        pool=data.pool.to(device) if data.pool is not None else None,
    )


def methods(ramp_up: RampUp = WHOLE_RAMP) -> dict[str, Method]:
    """Every method that learns from a pool; the first self-training takes any class a little likely."""
    return {
        "offline": Offline(ramp_up),
        "online": Online(ramp_up),
        "self_training": SelfTraining(ramp_up, threshold=0.34),
        "self_training, following": SelfTraining(ramp_up, alignment=0.7, soft_temperature=0.5),
    }


def plan(method: Method | None = None, **changes: Any) -> Plan:
    """Three epochs with pool batches of 8."""
    return Plan(
        **{
            "method": method or supervised(),
            "seed": 0,
            "max_epochs": 3,
            "patience_epochs": 100,
            "pool_batch_size": 8,
            "strong": STRONG,
            **changes,
        }
    )


def fresh_net(params: ModelParams | None = None, seed: int = 0, info: TableInfo = IMAGES) -> nn.Module:
    """Build a net whose first weights depend on ``seed`` alone."""
    torch.manual_seed(seed)
    return build_net(params or model_params(), info)


def trained(
    data: TrainingData,
    how: Plan,
    training: TrainingParams | None = None,
    model: ModelParams | None = None,
) -> tuple[State, list[Row]]:
    """Train a fresh net; return its weights and buffers, and the history."""
    net = fresh_net(model)
    history, _ = train(net, data, how, training or training_params(), lambda _: None)
    return detached_state(net), history


def same_bits(left: State, right: State) -> bool:
    """Tell whether two states are equal in every bit."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def same_rows(left: list[Row], right: list[Row]) -> bool:
    """Tell whether two histories are equal, NaN being equal to itself."""
    return [repr(row) for row in left] == [repr(row) for row in right]


def write_table(path: Path, info: TableInfo, rows: Examples, unlabeled: int = 0) -> Path:
    """Write examples as a table, the labels of the first ``unlabeled`` rows as nulls."""
    inputs = rows.inputs.numpy()
    labels = pa.array(rows.labels.numpy(), mask=np.arange(len(rows)) < unlabeled)
    with TableWriter(path, info.schema()) as writer:
        columns = [pa.array(example_ids(inputs)), *input_columns(inputs, info), labels]
        writer.write(pa.record_batch(columns, schema=info.schema()))
    return path
