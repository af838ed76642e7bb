"""What a training is given, as data and values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from selfsame.core.digests import files_under, sha256_file
from selfsame.core.params import Section
from selfsame.core.tables import TableInfo
from selfsame.learning.batches import PoolExamples, load_examples
from selfsame.learning.distributed import device_of_rank
from selfsame.learning.loop import Plan, TrainingData
from selfsame.learning.resume import SCRATCH, training_key
from selfsame.model.device import prepare_device
from selfsame.model.inputs import Scaling
from selfsame.model.models import Model
from selfsame.model.torchvision_nets import input_scaling
from selfsame.params.compute import ComputeParams
from selfsame.params.model import ModelParams
from selfsame.params.training import TrainingParams


@dataclass(frozen=True)
class TrainingRun:
    """One training of a fresh model.

    Attributes:
        name: shown while it runs.
        data: on the CPU, with labels as a net is to give them.
        pool: that of the data, with its labels in their own unit, as the record has them.
        recipe: the parameters by section, told in the model's folder.
        decided_by: what decides its bytes besides its seed and the machine, as JSON: digests of inputs and
            code, and the parameters.
    """

    name: str
    params: ModelParams
    training: TrainingParams
    plan: Plan
    data: TrainingData
    pool: PoolExamples | None
    info: TableInfo
    device: torch.device
    recipe: dict[str, Any]
    decided_by: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        name: str,
        inputs: Mapping[str, Path],
        code: Iterable[str],
        compute: ComputeParams,
        model: ModelParams,
        training: TrainingParams,
        own: Section,
        plan: Plan,
        pool: PoolExamples | None = None,
    ) -> Self:
        """Load what a training of these files and parameters is given.

        Args:
            name: of the stage, and of its own section.
            inputs: ``labeled``, ``validation``, ``scaling`` and what else decides its bytes.
            code: files and folders that decide them too.
            own: the section that is the stage's alone.
            pool: the pool with its pseudo-labels, on the CPU; None for the baseline.
        """
        device = device_of_rank(prepare_device(compute))
        info = TableInfo.of(inputs["labeled"])
        scaling = input_scaling(model, Scaling.load(inputs["scaling"]))
        labeled, validation = (
            load_examples(inputs[role]).standardised(scaling) for role in ("labeled", "validation")
        )
        taught = pool.standardised(scaling) if pool is not None else None
        data = TrainingData(labeled, validation, taught, scaling, len(info.classes))
        sections = {"compute": compute, "model": model, "training": training, name: own}
        told = {key: section.model_dump() for key, section in sorted(sections.items())}
        decided_by = {
            "inputs": {stem: _digests(path) for stem, path in inputs.items()},
            "code": {path: _digests(Path(path)) for path in code},
            "params": told,
        }
        recipe = {key: dict(values) for key, values in told.items() if key != "model"}
        if training.processes == 1:  # as folders say it that were written before there was a choice
            del recipe["training"]["processes"]
        return cls(name, model, training, plan, data, pool, info, device, recipe, decided_by)

    def model(self, net: nn.Module) -> Model:
        """Return what is saved of a net."""
        return Model(net, self.params, self.info, self.data.scaling, self.recipe)

    @property
    def checkpoint_folder(self) -> Path:
        """Where its checkpoint is left."""
        return SCRATCH / self.name / training_key(self.decided_by, self.plan.seed, self.device)


def _digests(path: Path) -> list[str]:
    return [sha256_file(file) for file in files_under(path)]
