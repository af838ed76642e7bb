"""What runs a stage as a process: it stands above the stages, and nothing here can change their bytes."""

import os
import shutil
import subprocess
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
from selfsame.params.training import TrainingParams
from selfsame.stage_lock import hold_stage
from selfsame.system_errors import mendable

RANK_OF = "SELFSAME_RANK_OF"  # names, to a process that torchrun starts, the stage that it is a rank of
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
        if os.environ.get(RANK_OF) == name:
            _as_rank(spec, main, check)
            return
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
    partial = _partial(outputs)
    for path in partial.values():  # left behind by a killed run
        _remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        training = params.get("training")
        if isinstance(training, TrainingParams) and training.processes > 1:
            _in_ranks(spec.name, training.processes)
        else:
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


def _partial(outputs: Mapping[str, Path]) -> dict[str, Path]:
    return {stem: path.with_name(f".partial-{path.name}") for stem, path in outputs.items()}


def _in_ranks(name: str, processes: int) -> None:
    """Run a stage's body in several processes that torchrun starts; all of them end with this one.

    Raises:
        SelfsameError: one of them failed, whereupon torchrun has ended the others.
    """
    ends_with_parent = ["-m", "selfsame.processes"]
    command = [*ends_with_parent, "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {RANK_OF: name}
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, *command, *ends_with_parent, f"tasks.{name}"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            said.append(line.strip())
    if process.returncode:
        start = f"error in stage {name}: "
        why = next((line.removeprefix(start) for line in said if line.startswith(start)), None)
        signals = [line for line in said if "Signal " in line or "Error: " in line]
        raise SelfsameError(
            f"a process of the training failed: {why or ' '.join(signals[-1:]) or 'it said nothing'}",
            "what it said stands above; run the stage again: it goes on from its last checkpoint",
        )


def _as_rank(spec: StageSpec, main: Callable[[Stage], None], check: Check) -> None:
    """Run a stage's body as one of several processes, of which the first writes what the stage expects."""
    if os.environ["RANK"] != "0":
        os.environ["SELFSAME_OBSERVE"] = "0"
    sections = check(read_yaml(PARAMS_FILE))
    params = {section: sections[section] for section in spec.params}
    inputs, outputs = by_stem(spec.inputs), _partial(by_stem(spec.outputs))
    main(Stage(spec, MappingProxyType(inputs), MappingProxyType(outputs), MappingProxyType(params)))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
