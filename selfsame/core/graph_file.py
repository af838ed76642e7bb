"""``dvc.yaml`` as the stages themselves read it: which paths and parameter sections are whose.

DVC stays the judge of what is up to date (``selfsame.dag`` asks it). A stage needs only to know its
own paths, so that each path stands in one place, and must not import DVC to learn them.
A path may be a parameter, ``${section.key}``, which DVC and this module take from ``params.yaml`` alike.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import GRAPH_FILE, PARAMS_FILE
from selfsame.core.text import read_text

PARAMETER = re.compile(r"\$\{(\w+)\.(\w+)\}")
CODE_ROOTS = ("tasks", "selfsame")


@dataclass(frozen=True)
class StageSpec:
    """One stage of ``dvc.yaml``. Paths are relative to the project's root, as written there."""

    name: str
    cmd: str
    desc: str
    code: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: tuple[str, ...]


def read_yaml(path: Path) -> Any:
    """Read a YAML file as DVC does (YAML 1.2, so that ``1e-3`` is a number; no duplicate keys).

    Raises:
        SelfsameError: it isn't there, is not UTF-8, or is not valid YAML.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise SelfsameError(
            f"{path}: no such file in {Path.cwd()}", "run from the project's root folder"
        ) from None
    try:
        return YAML(typ="safe").load(text)
    # ruamel's own, and what Python says of a date that doesn't exist or of a thousand brackets
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        raise SelfsameError(f"{path}: not valid YAML: {error}", "mend the line named above") from None


def read_stages(path: Path = GRAPH_FILE, *, resolved: bool = True) -> dict[str, StageSpec]:
    """Read every stage of ``dvc.yaml``, in the order written; parameters from the ``params.yaml`` beside it.

    Args:
        resolved: put a parameter's value where it stands for a path; False leaves ``${section.key}``.

    Raises:
        SelfsameError: a parameter that stands for a path is missing or no text; or it is no graph.
    """
    written = read_yaml(path)
    params = path.with_name(PARAMS_FILE.name) if resolved else None
    try:
        return {name: _stage_spec(name, entry, params) for name, entry in written.get("stages", {}).items()}
    except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise SelfsameError(
            f"{path}: not a graph of stages: {type(error).__name__}: {error}",
            "'dvc repro' names the line that is wrong; 'git diff' shows what was changed",
        ) from None


def by_stem(paths: Iterable[str]) -> dict[str, Path]:
    """Name each path by its stem: ``data/splits/pool.parquet`` is ``pool``."""
    named: dict[str, Path] = {}
    for text in paths:
        path = Path(text)
        if path.stem in named:
            raise SelfsameError(
                f"{GRAPH_FILE}: {named[path.stem]} and {path} have the same name '{path.stem}'",
                "rename one of them: a stage finds its files by their stems",
            )
        named[path.stem] = path
    return named


def _stage_spec(name: str, entry: dict[str, Any], params: Path | None) -> StageSpec:
    deps = [_name_of(dep, params) for dep in entry.get("deps", [])]
    outs = [_name_of(out, params) for key in ("outs", "metrics", "plots") for out in entry.get(key, [])]
    code = tuple(dep for dep in deps if Path(dep).parts[0] in CODE_ROOTS)
    return StageSpec(
        name=name,
        cmd=entry["cmd"],
        desc=entry.get("desc", ""),
        code=code,
        inputs=tuple(dep for dep in deps if dep not in code),
        outputs=tuple(outs),
        params=tuple(entry.get("params", [])),
    )


def _name_of(item: str | dict[str, Any], params: Path | None) -> str:
    """A path stands in ``dvc.yaml`` either alone or as the one key of its options."""
    text = item if isinstance(item, str) else next(iter(item))
    parameter = PARAMETER.fullmatch(text)
    return text if parameter is None or params is None else _parameter(params, *parameter.groups())


def _parameter(params: Path, section: str, key: str) -> str:
    written = read_yaml(params)
    try:
        value = written[section][key]
    except (KeyError, TypeError):
        value = None
    if not isinstance(value, str) or not value:
        raise SelfsameError(
            f"{params}: {section}.{key} = {value!r}: {GRAPH_FILE} takes a path from it",
            "give the path of a file or folder; complete examples are in presets/",
        )
    return value
