"""The cache law, key by key: whatever a stage declares in ``dvc.yaml`` it asks for, or a table says why not.

The stages run in this process on small data, in the shapes that their sections can have, while the sections
note which of their keys the code asks for. A key that reruns a stage which never asks for it is found.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image
from project import ROOT, run_task
from regression import VALUES, write_splits

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_stages
from selfsame.core.params import Section
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo
from selfsame.model.nets import build_net
from selfsame.model.torchvision_nets import input_scaling, load_weights
from selfsame.params.data import DATA
from selfsame.params.model import read_model
from selfsame.params.reading import parse, shapes_of
from selfsame.params.registry import AROUND, STAGES
from tasks.download import open_source

Read = dict[str, set[tuple[str, str]]]  # of each stage, the shapes and keys that its code asks for
STAGE_NAMES = ("download", "split", "train_baseline", "pseudo_label", "retrain", "evaluate")
SOFT, TABLE = {"name": "soft"}, {"name": "table", "noise_std": 0.1, "erase_fraction": 0.1}
# What the stages run with, one after the other, each on top of tests/project.py's TINY.
ROUNDS: tuple[dict[str, dict[str, Any]], ...] = (
    {
        "training": {"optimizer": {"name": "sgd"}, "schedule": {"name": "step"}, "augmentation": TABLE},
        "pseudo_label": {"threshold": 0.0, "balance": {"name": "prior"}},
        "retrain": {
            "method": "self_training",
            "strong_augmentation": {"name": "table"},
            "pseudo_labels": SOFT,
        },
    },
    {
        "pseudo_label": {"rule": "target_precision", "balance": {"name": "top_k"}},
        "retrain": {"method": "online", "pseudo_labels": SOFT},
    },
    {
        "data": {"source": "digits"},
        "split": {"labels_per_class": 3, "validation_per_class": 3, "holdout_fraction": 0.9},
        "model": {"architecture": "cnn", "widths": [2], "halve_after": [1], "dense": [4]},
        "training": {"augmentation": {"name": "image"}},
        "prediction": {"test_time_augmentation": 2},
        "train_baseline": {"max_epochs": 1},
        "pseudo_label": {"threshold": 0.0},
        "retrain": {"method": "self_training", "max_epochs": 1},
    },
)
# Stages that declare a key and don't ask for it by its name, and why an edit reruns them all the same.
EXCUSED = {
    ("download", "path"): "dvc.yaml takes the stage's input from it",
    ("download", "target_column"): "of images only where a file has their labels",
}


class Spy:
    """Notes the keys that the code of the stage in turn asks for."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.read: Read = {name: set() for name in STAGE_NAMES}
        self.stage: str | None = None
        plain = Section.__getattribute__

        def noting(section: Section, name: str) -> Any:
            if self.stage is not None and name in type(section).model_fields:
                self.read[self.stage].add((type(section).__name__, name))
            return plain(section, name)

        patch.setattr(Section, "__getattribute__", noting)
        for stage in STAGE_NAMES:
            module = __import__(f"tasks.{stage}", fromlist=["main"])
            patch.setattr(module, "main", self.watching(stage, module.main))

    def watching(self, stage: str, main: Callable[[Stage], None]) -> Callable[[Stage], None]:
        def watched(given: Stage) -> None:
            self.stage = stage
            try:
                main(given)
            finally:
                self.stage = None

        return watched

    def call(self, stages: tuple[str, ...], what: Callable[[], object]) -> None:
        """Call what several stages call alike, which may fail once it has asked."""
        for self.stage in stages:
            with suppress(SelfsameError):
                what()
        self.stage = None


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        spy = Spy(patch)
        for number, changes in enumerate(ROUNDS):
            folder = tmp_path_factory.mktemp(f"round-{number}")
            for stage in STAGE_NAMES:
                run_task(stage, folder, **changes)
        folder = tmp_path_factory.mktemp("values")
        write_splits(folder)
        disturbed = {"disturb_value_fraction": 0.1, "disturb_value_std": 0.1}
        values = VALUES | {"training": VALUES["training"] | disturbed}
        for stage in ("train_baseline", "pseudo_label", "retrain"):
            run_task(stage, folder, **values)
        (folder / "mine.csv").write_text("a,y\n1,u\n2,v\n3,u\n4,v\n")
        for name in ("u", "v"):
            (folder / "photos" / name).mkdir(parents=True)
            for number in range(3):
                pixels = np.full((9, 9, 3), 10 * number + 100 * (name == "u"), np.uint8)
                Image.fromarray(pixels).save(folder / "photos" / name / f"{number}.png")
        np.savez(folder / "mine.npz", x=np.arange(256, dtype=np.uint8).reshape(4, 8, 8), y=np.arange(4) % 2)
        for source in SOURCES:
            run_task("download", folder, data=source)
        rows = "".join(f"p{row // 4}-x,{row}.6.2024,{row * row},{'uv'[row % 2]}\n" for row in range(1, 29))
        (folder / "groups.csv").write_text(f"patient,day,a,y\n{rows}")
        run_task("download", folder, data=GROUPS)
        for marks in (MARKS["group"], MARKS["time"]):
            spy.call(("split",), lambda marks=marks: run_task("split", folder, split=marks))
        mirrored = parse("data", DATA, {"source": "mnist", "path": str(folder)})
        spy.call(("download",), lambda: open_source(mirrored, folder))
        (folder / "none.safetensors").write_text("no tensors")
        torchvision = TORCHVISION | {"weights": str(folder / "none.safetensors")}
        for architecture in (*NETS, torchvision):
            spy.call(("train_baseline", "retrain"), lambda architecture=architecture: build(architecture))
        yield spy.read


SOURCES = (
    {"source": "table", "target_column": "y", "path": "mine.csv"},
    {"source": "images", "path": "photos", "image_size": 8},
    {"source": "arrays", "path": "mine.npz"},
)
GROUPS = {"source": "table", "target_column": "y", "path": "groups.csv", "ignore_columns": ["patient", "day"]}
SIZES = {"labels_per_class": 2, "validation_per_class": 2, "holdout_fraction": 0.25, "near_copies": "allow"}
MARKS = {
    "group": SIZES | {"group_column": "patient", "group_pattern": "(p.*)-"},
    "time": SIZES | {"time_column": "day", "time_pattern": "(.*)", "time_format": "%d.%m.%Y"},
}
NETS = ({"architecture": "resnet18"}, {"architecture": "forest"}, {"architecture": "committee"})
TORCHVISION = {
    "architecture": "torchvision",
    "torchvision_name": "squeezenet1_1",
    "weights_sha256": 64 * "0",
}


def build(written: dict[str, Any]) -> None:
    """Do with an architecture what a training does before its first step."""
    from selfsame.model.inputs import Scaling

    image = TableInfo("any", "classification", ("a", "b"), image_shape=(1, 40, 40))
    table = TableInfo("any", "classification", ("a", "b"), features=("u",))
    params = read_model(written)
    no_net = written["architecture"] in ("forest", "committee")
    net = build_net(params, table if no_net else image)
    if written["architecture"] == "torchvision":
        input_scaling(params, Scaling((0.0,), (1.0,)))
        load_weights(net, params)


def keys_of(schema: Any) -> Iterator[tuple[str, str]]:
    """Yield every key of every shape, tags and names of groups apart."""
    tag, shapes = shapes_of(schema)
    for shape in dict.fromkeys(shapes.values()):
        for key, field in shape.model_fields.items():
            if shapes_of(field)[1]:
                yield from keys_of(field)
            elif key not in (tag, "name"):
                yield shape.__name__, key


def test_a_stage_asks_for_what_it_declares(read: Read) -> None:
    law = {
        (stage, section, *key)
        for stage, spec in read_stages(ROOT / "dvc.yaml").items()
        for section in spec.params
        for key in keys_of(STAGES[section])
    }
    assert {section for _, section, _, _ in law} == set(STAGES) and len(law) > 150
    unread = {place for place in law if place[2:] not in read[place[0]]}
    assert {place for place in unread if (place[0], place[3]) not in EXCUSED} == set()


def test_what_no_stage_declares_none_asks_for(read: Read) -> None:
    # Observers ask, and who spreads work: neither can change an output.
    watched = {key for name in ("monitoring", "resources") for key in keys_of(AROUND[name])}
    around = {key for schema in AROUND.values() for key in keys_of(schema)} - watched
    assert not around & {key for keys in read.values() for key in keys}
