"""What runs a stage as a process: it stands above the stages, and nothing here can change their bytes."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import StageSpec, by_stem, read_stages, read_yaml
from selfsame.core.layout import GRAPH_FILE, PARAMS_FILE
from selfsame.core.params import Section
from selfsame.core.stage import Stage
from selfsame.observe import record
from selfsame.params.check import check_params
from selfsame.stage_lock import hold_stage
from selfsame.system_errors import mendable

Check = Callable[[Any], dict[str, Section]]


def run_stage(name: str, main: Callable[[Stage], None], check: Check = check_params) -> None:
    """Run one stage as a process, alone: check, run, move the outputs into place, leave a provenance record.

    The whole of ``params.yaml`` is checked, not only the stage's own sections, so that a misspelt key
    stops the first stage that runs and not the fifth. ``SELFSAME_OBSERVE=0`` leaves the record out (a test
    compares the digests). Exits with status 1 and one message when a person has something to mend;
    ``SELFSAME_DEBUG=1`` or ``--debug`` shows the traceback instead.

    Args:
        check: makes checked sections of what is written in ``params.yaml``.
    """
    if "--debug" in sys.argv[1:]:
        os.environ["SELFSAME_DEBUG"] = "1"
    try:
        stages = read_stages()
        if name not in stages:
            raise SelfsameError(
                f"{GRAPH_FILE}: no stage named '{name}'", f"add it, or rename tasks/{name}.py"
            )
        spec = stages[name]
        with hold_stage(spec, stages):  # whoever waited for it finds what was left by the one before
            sections = check(read_yaml(PARAMS_FILE))
            if unknown := [section for section in spec.params if section not in sections]:
                raise SelfsameError(
                    f"{GRAPH_FILE}: stage {name} lists the params {unknown}, which are no sections",
                    f"correct {GRAPH_FILE}",
                )
            own = {section: sections[section] for section in spec.params}
            observer = record.begin(spec, own) if os.environ.get("SELFSAME_OBSERVE", "1") != "0" else None
            _run(spec, main, own)
            if observer is not None:
                observer.finish()
    except Exception as error:
        said = mendable(error)
        if said is None or os.environ.get("SELFSAME_DEBUG") == "1":
            raise
        sys.exit(f"error in stage {name}: {said}")


def _run(spec: StageSpec, main: Callable[[Stage], None], params: Mapping[str, Section]) -> None:
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
