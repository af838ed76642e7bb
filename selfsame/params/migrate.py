"""A ``params.yaml`` of the form in which every key was written out, brought to the present one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import PARAMS_FILE
from selfsame.core.params import Section
from selfsame.params.check import check_params
from selfsame.params.reading import shapes_of, with_tags
from selfsame.params.registry import SECTIONS, STAGES

MOVED = {
    "data.url": "operation.refresh_url",
    "compute.precision": "training.precision",
    "compute.compile": "training.compile",
    "training.optimizer": "training.optimizer.name",
    "training.momentum": "training.optimizer.momentum",
    "training.nesterov": "training.optimizer.nesterov",
    "training.schedule": "training.schedule.name",
    "training.step_every_epochs": "training.schedule.every_epochs",
    "training.step_factor": "training.schedule.factor",
    "training.augmentation.colour_fraction": "training.augmentation.color_fraction",
    "training.prediction_views": "prediction.test_time_augmentation",
    "retrain.fixmatch_threshold": "retrain.relabel_threshold",
    "pseudo_label.largest_spread": "pseudo_label.largest_ensemble_std",
    "pseudo_label.balance": "pseudo_label.balance.name",
    "pseudo_label.rows_per_class": "pseudo_label.balance.rows_per_class",
    "retrain.strong_augmentation.colour_fraction": "retrain.strong_augmentation.color_fraction",
    "retrain.pseudo_labels": "retrain.pseudo_labels.name",
    "retrain.soft_temperature": "retrain.pseudo_labels.temperature",
    "active_learning.diversity": "active_learning.diversity.name",
    "active_learning.candidates_per_row": "active_learning.diversity.candidates_per_row",
}
TABLES = ("breast_cancer", "california_housing", "table")  # sources whose rows are no images
TAGGED = ("data", "model", "pseudo_label", "retrain")  # sections whose tag is always written
WIDTH = 100  # of a group of keys that stands on one line
Params = dict[str, dict[str, Any]]


def migrate(old: Any) -> tuple[Params, list[str]]:
    """Return the present form of an old file's content, and what was changed, a line each.

    Raises:
        SelfsameError: the content is no old file's, or what it says is not valid today.
    """
    if not isinstance(old, dict) or not isinstance(old.get("training", {}).get("optimizer"), str):
        raise SelfsameError(
            "params.yaml: not of the form that can be converted, in which training.optimizer is a word",
            "see docs/migration.md",
        )
    values = {MOVED.get(key, key): value for key, value in _leaves(old)}
    was_fixmatch = values["retrain.method"] == "fixmatch"  # which taught no label of the gate
    if was_fixmatch:
        values["retrain.method"] = "self_training"
    unread: list[str] = []
    kind = "table" if old["data"]["source"] in TABLES else "image"
    values |= {"training.augmentation.name": kind, "retrain.strong_augmentation.name": kind}
    for section in ("train_baseline", "retrain"):
        patience, epochs = values[f"{section}.patience_epochs"], values[f"{section}.max_epochs"]
        if patience >= epochs or values["training.checkpoint"] == "last":
            del values[f"{section}.patience_epochs"]
            unread.append(f"{section}.patience_epochs = {patience}")
    new = _nested(values)
    for section in list(new):
        new[section] = _only_known(section, SECTIONS[section], new[section], unread)
    search = new.get("feedback", {}).get("search", {})
    new["feedback"]["search"] = {MOVED.get(key, key): space for key, space in search.items()}
    resolved = check_params(new)
    short = {name: _differing(resolved[name], SECTIONS[name], name in TAGGED) for name in SECTIONS}
    short = {name: section for name, section in short.items() if section or name in STAGES}
    if check_params(short) != resolved:
        raise AssertionError("what is left out must be the defaults")
    kept = dict(_leaves(short))
    defaults = sum(1 for _ in _leaves(new)) - len(kept)
    return short, [
        *(f"{before} is now {after}" for before, after in MOVED.items() if after in kept),
        *(
            ["retrain.method = fixmatch is now self_training"]
            if old["retrain"]["method"] == "fixmatch"
            else []
        ),
        *(f"{key} is left out: nothing read it" for key in unread),
        f"{defaults} keys are left out: they have their default, which 'selfsame params' shows",
    ]


def migrate_file(path: Path = PARAMS_FILE) -> list[str]:
    """Convert ``params.yaml`` where it stands, the former file kept beside it; return what was changed.

    Raises:
        SelfsameError: it is no file of the former form, or what it says is not valid today.
    """
    new, said = migrate(read_yaml(path))
    kept = path.with_suffix(".old.yaml")
    if kept.exists():
        raise SelfsameError(f"{kept} exists: the former file would replace it", "move it away first")
    path.rename(kept)
    path.write_text(as_yaml(new), encoding="utf-8")
    return [*said, f"{path} is converted; the former file, with its comments, is {kept}"]


def as_yaml(params: Params) -> str:
    """Return the text of a file: a block for every section, groups of keys on one line where they fit."""
    blocks = ["\n".join(_lines(name, section)) for name, section in params.items()]
    return "# yaml-language-server: $schema=./params.schema.json\n\n" + "\n\n".join(blocks) + "\n"


def _lines(key: str, value: Any, depth: int = 0) -> Iterator[str]:
    yaml, stream = YAML(), StringIO()
    yaml.default_flow_style, yaml.width = None, 1 << 16
    yaml.dump({key: value}, stream)
    line = stream.getvalue().rstrip("\n")
    line = line[1:-1] if line.startswith("{") else line
    if isinstance(value, dict) and value and (not depth or "\n" in line or len(line) > WIDTH):
        yield f"{depth * '  '}{key}:"
        for inner, each in value.items():
            yield from _lines(inner, each, depth + 1)
    else:
        yield depth * "  " + line


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and key not in ("search", "stage_minutes_of"):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _nested(values: dict[str, Any]) -> Params:
    nested: Params = {}
    for name, value in values.items():
        *path, last = name.split(".")
        place: dict[str, Any] = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return nested


def _only_known(where: str, schema: Any, written: dict[str, Any], unread: list[str]) -> dict[str, Any]:
    """Leave out keys that the shape doesn't have: nothing ever read them."""
    tag, shapes = shapes_of(schema)
    name = written.get(tag, "") if tag else ""
    fields = shapes[name].model_fields if name in shapes else {}
    kept = {}
    for key, value in written.items():
        if key not in fields:
            unread.append(f"{where}.{key} = {value}")
        elif isinstance(value, dict) and shapes_of(fields[key])[1]:
            kept[key] = _only_known(f"{where}.{key}", fields[key], value, unread)
        else:
            kept[key] = value
    return kept


def _differing(section: Section, schema: Any, with_tag: bool = False) -> dict[str, Any]:
    """Return what must be written to get this section."""
    tag, _ = shapes_of(schema)
    written = section.model_dump()
    short: dict[str, Any] = {}
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, Section):
            inner = _differing(value, field)
            short |= {key: inner} if inner else {}
        elif key == tag:
            short |= {key: value} if with_tag or value != with_tags(schema, {})[tag] else {}
        elif field.is_required() or value != field.get_default(call_default_factory=True):
            short[key] = written[key]
    return short
