"""The one entry that all stages share: parameters in, named paths, outputs written whole or not at all."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import GRAPH_FILE, StageSpec, by_stem, read_stages
from selfsame.core.params import Schemas, Section, all_schemas, load_params

AnySection = TypeVar("AnySection", bound=Section)


@dataclass(frozen=True)
class Stage:
    """What a stage's ``main`` is given.

    Attributes:
        inputs: data dependencies of ``dvc.yaml`` by stem; a file that isn't declared can't be found.
        outputs: where to write each declared output, by stem: a temporary sibling, renamed at the end.
        params: the stage's own sections, checked.
    """

    spec: StageSpec
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    params: Mapping[str, Section]

    def section(self, name: str, schema: type[AnySection]) -> AnySection:
        """Return one section, typed."""
        section = self.params[name]
        assert isinstance(section, schema)
        return section


def run_stage(name: str, main: Callable[[Stage], None], schemas: Schemas) -> None:
    """Run one stage as a process: check, run, move the outputs into place, leave a provenance record.

    The whole of ``params.yaml`` is checked, not only the stage's own sections, so that a misspelt key
    stops the first stage that runs and not the fifth. The observer is loaded by name because nothing it
    does can reach an output: it is no code dependency of any stage (``SELFSAME_OBSERVE=0`` leaves it
    out, and a test compares the digests). Exits with status 1 and one message when a person has
    something to mend; ``SELFSAME_DEBUG=1`` or ``--debug`` shows the traceback instead.
    """
    if "--debug" in sys.argv[1:]:
        os.environ["SELFSAME_DEBUG"] = "1"
    try:
        spec = _own_spec(name, schemas)
        sections = load_params({**all_schemas(), **schemas})  # own classes last: __main__'s, not an import's
        observer = None
        if os.environ.get("SELFSAME_OBSERVE", "1") != "0":
            observer = import_module("selfsame.observe.record").begin(spec)
        _run(spec, main, {key: sections[key] for key in schemas})
        if observer is not None:
            observer.finish()
    except SelfsameError as error:
        if os.environ.get("SELFSAME_DEBUG") == "1":
            raise
        sys.exit(f"error in stage {name}: {error}")


def _own_spec(name: str, schemas: Schemas) -> StageSpec:
    spec = read_stages().get(name)
    if spec is None:
        raise SelfsameError(f"{GRAPH_FILE}: no stage named '{name}'", f"add it, or rename tasks/{name}.py")
    if set(spec.params) != set(schemas):
        raise SelfsameError(
            f"{GRAPH_FILE}: stage {name} lists the params {sorted(spec.params)}, "
            f"tasks/{name}.py reads {sorted(schemas)}",
            "make the two lists the same: an undeclared section would never rerun the stage",
        )
    return spec


def _run(spec: StageSpec, main: Callable[[Stage], None], params: dict[str, Section]) -> None:
    inputs, outputs = by_stem(spec.inputs), by_stem(spec.outputs)
    for path in inputs.values():
        if not path.exists():
            raise SelfsameError(f"{path}: missing input of stage {spec.name}", "run 'dvc repro'")
    partial = {stem: path.with_name(f".partial-{path.name}") for stem, path in outputs.items()}
    for path in partial.values():  # left behind by a killed run
        _remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        main(Stage(spec, MappingProxyType(inputs), MappingProxyType(partial), MappingProxyType(params)))
        unwritten = [str(outputs[stem]) for stem, path in partial.items() if not path.exists()]
        if unwritten:
            raise RuntimeError(f"stage {spec.name} did not write {', '.join(unwritten)}")
        for stem, path in outputs.items():
            _remove(path)
            partial[stem].rename(path)
    finally:
        for path in partial.values():
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
