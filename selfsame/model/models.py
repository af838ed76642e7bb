"""Models on disk, and what they predict.

A model's folder stands alone: ``model.safetensors`` (weights), ``config.json`` (architecture, input,
classes, scaling) and ``history.csv`` (the curves of its training). The training stages add
``validation.json``: what the epoch whose weights are kept scored on validation rows. A model that was
refitted on validation rows holds a second one in ``validated``: the one that had not learned them, and by
which it was chosen.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from selfsame.core.ahead import read_ahead
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import (
    CONFIG,
    HISTORY,
    MODEL_FORMAT,
    VALIDATION,
    WEIGHTS,
)
from selfsame.core.tables import BATCH_ROWS, TableInfo, inputs_of, stored_batches
from selfsame.model.augment import augment
from selfsame.model.families import Committee
from selfsame.model.folder import damaged, read_config, views_of
from selfsame.model.inputs import Scaling, in_batches, prepare
from selfsame.model.nets import build_net, for_prediction, last_layer_name, without_last_layer
from selfsame.params.augmentation import AugmentationParams, read_augmentation
from selfsame.params.model import Family, FittedParams, ModelParams, read_model


@dataclass(frozen=True)
class Views:
    """How often, and how changed, a net sees a row that it predicts.

    Attributes:
        count: the row as it is, and so many less one changed views of it.
        limits: of the changes, as in training. They are drawn once, the same for every row.
    """

    count: int
    limits: AugmentationParams

    def of(self, inputs: Tensor) -> Iterator[Tensor]:
        """Yield every view (N, …) of prepared inputs."""
        generator = torch.Generator().manual_seed(0)
        yield inputs
        for _ in range(1, self.count):
            yield augment(inputs, self.limits, generator, alike=True)


@dataclass(frozen=True)
class Model:
    """A net together with all that is needed to apply it to raw rows.

    Attributes:
        recipe: the parameters it was trained with, by section; nothing here needs them to apply it.
        views: of a row, to be averaged; None for the row alone.
    """

    net: nn.Module
    params: ModelParams
    info: TableInfo
    scaling: Scaling
    recipe: dict[str, Any] = field(default_factory=dict)
    views: Views | None = None

    @property
    def device(self) -> torch.device:
        """Where the net's weights are."""
        return next(chain(self.net.parameters(), self.net.buffers())).device

    @property
    def is_fitted(self) -> bool:
        """Whether it is no net, but of the families that scikit-learn fits: these take raw rows."""
        return isinstance(self.params, FittedParams)

    @property
    def members(self) -> tuple["Model", ...]:
        """The families that a committee consists of, each by itself; of any other model the model alone."""
        if not isinstance(self.net, Committee):
            return (self,)
        return tuple(
            replace(self, net=net, params=Family.model_validate({"architecture": name}))
            for name, net in self.net.members.items()
        )

    @property
    def shares(self) -> dict[str, float]:
        """What each family of a committee weighs, of 1; nothing of any other model."""
        if not isinstance(self.net, Committee):
            return {}
        return dict(zip(self.net.members, self.net.weight.tolist(), strict=True))

    def ready(self) -> "Model":
        """Return the model with its net made for prediction once and for all: it isn't trained any more."""
        return replace(self, net=for_prediction(self.net))

    def logits(self, raw: Tensor) -> Tensor:
        """Return the logits (N, K) of raw inputs, or standardised values (N, 1), without dropout.

        They are means over the model's views: with few labels a net is less sure of a row than of the
        row's surroundings.
        """
        return self._means(self.net, raw)

    def features(self, raw: Tensor) -> Tensor:
        """Return the features (N, D) of raw inputs: what the last layer sees, without dropout.

        What is no net has no last layer: its logits are its features.

        Means over the views, like the logits, which the last layer so makes of them.
        """
        return self._means(self.net if self.is_fitted else without_last_layer(self.net), raw)

    def _means(self, net: nn.Module, raw: Tensor) -> Tensor:
        merged = for_prediction(net)

        @torch.inference_mode()
        def mean(rows: Tensor) -> Tensor:
            if self.is_fitted:
                return merged(rows.to(self.device)).float()
            inputs = prepare(rows.to(self.device), self.scaling)
            if self.views is None:
                return merged(inputs)
            # One after the other: torch's own mean adds in an order that depends on how many rows there are.
            return sum(merged(view) for view in self.views.of(inputs)) / self.views.count

        return in_batches(mean, raw, self.device)

    def said(self, outputs: Tensor) -> np.ndarray:
        """Return what outputs mean: class probabilities (N, K) float32, or values (N,) float64."""
        if self.scaling.target is None:
            return outputs.softmax(dim=1).cpu().numpy()
        return self.scaling.restored(outputs[:, 0]).cpu().numpy()

    @property
    def last_layer(self) -> nn.Linear:
        """What makes the logits of the features; the dropout stands right before it."""
        if self.is_fitted:
            return _unchanged(len(self.info.classes))
        layer = self.net.get_submodule(last_layer_name(self.net))
        assert isinstance(layer, nn.Linear)
        return layer


def _unchanged(outputs: int) -> nn.Linear:
    layer = nn.Linear(outputs, outputs)
    layer.load_state_dict({"weight": torch.eye(outputs), "bias": torch.zeros(outputs)})
    return layer


def save_model(folder: Path, model: Model, history: Sequence[Mapping[str, float | None]]) -> None:
    """Write a model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.cpu().contiguous() for name, value in model.net.state_dict().items()}
    (folder / WEIGHTS).write_bytes(save(weights))
    config = {
        "format_version": MODEL_FORMAT,
        "model": model.params.model_dump(),
        "info": asdict(model.info),
        "scaling": model.scaling.as_json(),
        "recipe": model.recipe,
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    with (folder / HISTORY).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def save_validation(folder: Path, kept: Mapping[str, float | None]) -> None:
    """Write the validation scores of ``kept``, the row of the history whose epoch left the weights.

    They stand in a file of their own so that DVC compares them between experiments, as metrics.
    """
    scores = {name.removeprefix("validation_"): kept[name] for name in kept if name.startswith("validation_")}
    text = json.dumps({"epoch": kept["epoch"], **scores}, indent=2) + "\n"
    (folder / VALIDATION).write_text(text, encoding="utf-8")


def load_model(
    folder: Path, device: torch.device | str = "cpu", test_time_augmentation: int | None = None
) -> Model:
    """Read a model's folder.

    Args:
        test_time_augmentation: views of a row that a prediction is the mean of, under the augmentation of its
            training; None for as many as the folder says, or one.

    Raises:
        SelfsameError: it isn't there, is of another format, or is damaged.
    """
    config = read_config(folder)
    try:
        params = read_model(config["model"])
        info = TableInfo.from_json(config["info"])
        scaling, recipe = Scaling.from_json(config["scaling"]), config["recipe"]
        count = test_time_augmentation or views_of(folder)
        limits = recipe["training"]["augmentation"] if count > 1 else None
        views = Views(count, read_augmentation(limits)) if limits else None
        net = build_net(params, info).to(device)
        net.load_state_dict(load_file(folder / WEIGHTS, device=str(device)))
    except SafetensorError as error:
        raise damaged(folder / WEIGHTS, error) from None
    # whatever pydantic and torch say of a folder that isn't whole
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise damaged(folder, error) from None
    return Model(net, params, info, scaling, recipe, views)


def answer_table(model: Model, table: Path, seen: Callable[[int], None] | None = None) -> np.ndarray:
    """Return what a model says of a whole table: probabilities (N, K) float32, or values (N,) float64.

    Args:
        seen: is told how many rows were predicted, batch by batch.

    Raises:
        SelfsameError: the table isn't of the kind that the model was trained on.
    """
    info = TableInfo.of(table)
    if (info.input_shape, info.classes, info.features) != (
        model.info.input_shape,
        model.info.classes,
        model.info.features,
    ):
        raise SelfsameError(
            f"{table}: its inputs or classes are not those that the model was trained on",
            "run 'dvc repro', so that data and model belong together",
        )
    ready = model.ready()
    answers = [model.said(torch.empty((0, max(len(model.info.classes), 1))))]
    stored = stored_batches(table, [each.name for each in info.input_fields()])
    for raw in read_ahead(inputs_of(batch, info) for batch in stored):
        answers.append(predict_inputs(ready, raw))
        if seen is not None:
            seen(len(raw))
    return np.concatenate(answers)


def predict_inputs(model: Model, raw: np.ndarray) -> np.ndarray:
    """Return what a model says of raw inputs as a table holds them, likewise."""
    ready = model.ready()
    return np.concatenate([ready.said(ready.logits(rows)) for rows in blocks_of(raw)])


def blocks_of(raw: np.ndarray) -> Iterator[Tensor]:
    """Yield raw inputs (N, …) as tensors, at most ``BATCH_ROWS`` rows at a time, an empty one of no rows."""
    for start in range(0, max(len(raw), 1), BATCH_ROWS):
        rows = raw[start : start + BATCH_ROWS]
        yield torch.from_numpy(rows if rows.flags.writeable else rows.copy())  # torch takes no other


def features_of_inputs(model: Model, raw: np.ndarray) -> np.ndarray:
    """Return the features (N, D), float32, of raw inputs as a table holds them."""
    return np.concatenate([model.features(rows).cpu().numpy() for rows in blocks_of(raw)])


def last_layer_of(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights (K, D) and biases (K,) that make logits of features, float32."""
    layer = model.last_layer
    return layer.weight.detach().cpu().numpy(), layer.bias.detach().cpu().numpy()
