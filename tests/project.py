"""A small copy of the project, the commands a person would run in it, and its files computed anew."""

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from forked import BIN, PRELOADED, SHARED, bin_folder
from ruamel.yaml import YAML

from selfsame.core.annotations import ANNOTATIONS
from selfsame.core.digests import files_under, sha256_file, sha256_json
from selfsame.core.graph_file import by_stem, read_stages, read_yaml
from selfsame.core.stage import Stage
from selfsame.params.overrides import with_overrides
from selfsame.params.reading import parse
from selfsame.params.registry import SECTIONS
from selfsame.processes import lock

ROOT = Path(__file__).resolve().parent.parent
CODE = ("tasks", "selfsame", "flows")  # folders
INBOX = Path("data/inbox")  # the default of data.path
EMPTY = ("data/inbox/.gitkeep", "data/annotations/labels.csv")  # what a person fills
FILES = ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", *EMPTY)
TINY: dict[str, dict[str, Any]] = {  # what differs from params.yaml: seconds instead of a minute
    "data": {"source": "breast_cancer"},
    "split": {"labels_per_class": 10, "validation_per_class": 10},
    "model": {"architecture": "mlp", "widths": [4]},
    "compute": {"device": "cpu", "cpu_threads": 1},
    "training": {
        "checkpoint": "validation_loss",
        "ema_decay": 0.0,
        "refit_on_validation": False,
        "validate_every_epochs": 1,
        "augmentation": {"name": "table"},
    },
    "train_baseline": {"max_epochs": 2},
    "prediction": {"test_time_augmentation": 1},
    "pseudo_label": {"threshold": 0.6},
    "retrain": {"method": "offline", "max_epochs": 2},
    "evaluate": {"scikit_learn_champion": False},  # it would always be, of nets trained for two epochs
}
FOREIGN = ("DVC_ROOT", "DVC_EXP_NAME", "SELFSAME_OBSERVE", "SELFSAME_DEBUG", "SELFSAME_FLOW_RUN")


@dataclass(frozen=True)
class Repro:
    """What one ``dvc repro`` did: the stages whose command ran, and those restored from DVC's cache."""

    ran: tuple[str, ...]
    restored: tuple[str, ...]


@dataclass(frozen=True)
class Project:
    """A project folder."""

    root: Path

    @classmethod
    def create(cls, root: Path, params: dict[str, dict[str, Any]]) -> "Project":
        """Copy the product to ``root``, with ``params`` in place of the values of ``params.yaml``."""
        copy_sources(ROOT, root)
        project = cls(root)
        for section, values in params.items():
            project.set(section, **values)
        project.run("git", "init", "-q")
        project.run("dvc", "init", "-q")
        project.run("dvc", "config", "core.analytics", "false")
        return project

    def copy_to(self, root: Path) -> "Project":
        """Copy everything, DVC's cache and all, with the files' times."""
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)

    def start(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project and return whatever came of it."""
        return subprocess.run(
            command, cwd=self.root, env=self.environment() | environment, capture_output=True, text=True
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of a command that is run in the project."""
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        own = {
            "PATH": os.pathsep.join([str(bin_folder()), str(BIN), os.environ["PATH"]]),
            "DVC_SITE_CACHE_DIR": str(self.root.with_name(f"{self.root.name}-site")),  # its notes on files
            "COLUMNS": "200",
        }
        return inherited | own

    def run(self, *command: str, **environment: str) -> str:
        """Run a command that must succeed; return what it prints."""
        done = self.start(*command, **environment)
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def selfsame(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line of this very copy."""
        return self.start("python", "-m", "selfsame.cli", *arguments)

    def repro(self, *arguments: str) -> Repro:
        """Run ``dvc repro``; the provenance records and DVC must tell the same."""
        before = self.executions()
        output = self.run("dvc", "repro", *arguments)
        after = self.executions()
        ran = tuple(name for name in self.stages for _ in range(after[name] - before[name]))
        assert sorted(ran) == sorted(re.findall(r"Running stage '(\w+)'", output)), output
        restored = re.findall(r"Stage '(\w+)' is cached - skipping run, checking out outputs", output)
        return Repro(ran, tuple(restored))

    def executions(self) -> dict[str, int]:
        """Count every stage's provenance records."""
        return {name: len(list(self.root.glob(f"lineage/{name}/*.json"))) for name in self.stages}

    @property
    def stages(self) -> list[str]:
        """The stages in the order of ``dvc.yaml``."""
        return list(read_stages(self.root / "dvc.yaml"))

    def set(self, section: str, **values: Any) -> None:
        """Change values of ``params.yaml``."""
        path = self.root / "params.yaml"
        yaml = YAML()
        params = yaml.load(path)
        yaml.dump(with_overrides(params, {f"{section}.{key}": value for key, value in values.items()}), path)

    def digests(self) -> dict[str, str]:
        """Return the sha256 of every output file."""
        return output_digests(self.root)


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that one process of the test run has made for all, to read and copy only."""
    place = Path(os.environ[SHARED]) / name
    with place.with_name(f"{name}.lock").open("w") as file:
        lock(file)
        if not (done := place.with_name(f"{name}.done")).exists():
            shutil.rmtree(place, ignore_errors=True)  # of a process that failed
            place.mkdir()
            make(place)
            done.touch()
    return place


def section(name: str, **changes: Any) -> Any:
    """Return a section of ``params.yaml`` with other values, checked."""
    written = {name: read_yaml(ROOT / "params.yaml").get(name, {})}
    with_overrides(written, {f"{name}.{key}": value for key, value in changes.items()})
    return parse(name, SECTIONS[name], written[name])


def run_task(name: str, folder: Path, **changes: dict[str, Any]) -> None:
    """Run a stage's ``main`` in this process, with the paths of ``dvc.yaml`` taken as below ``folder``.

    Its parameters are those of ``params.yaml``, changed by ``TINY``, changed by ``changes``.
    """
    module = import_module(f"tasks.{name}")
    spec = read_stages(ROOT / "dvc.yaml")[name]
    written = read_yaml(ROOT / "params.yaml")
    for values in (TINY, changes):
        overrides = {f"{name}.{key}": value for name, own in values.items() for key, value in own.items()}
        with_overrides(written, overrides)
    sections = {key: parse(key, SECTIONS[key], written[key]) for key in spec.params}
    given = [sections["data"].path] if name == "download" else spec.inputs
    inputs, outputs = (
        {stem: folder / path for stem, path in by_stem(paths).items()} for paths in (given, spec.outputs)
    )
    (folder / INBOX).mkdir(parents=True, exist_ok=True)
    for path in outputs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    answers = folder / ANNOTATIONS
    if ANNOTATIONS.as_posix() in spec.inputs and not answers.exists():
        answers.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / ANNOTATIONS, answers)
    module.main(Stage(spec, inputs, outputs, sections))


def copy_sources(source: Path, target: Path) -> None:
    """Copy what a run needs: code, graph and parameters, and nothing that a run made."""
    target.mkdir(parents=True, exist_ok=True)
    for name in CODE:
        shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)


def output_digests(root: Path) -> dict[str, str]:
    """Return the sha256 of every output file of the project in ``root``, by its path there."""
    outputs = [root / out for stage in read_stages(root / "dvc.yaml").values() for out in stage.outputs]
    return {
        file.relative_to(root).as_posix(): sha256_file(file) for out in outputs for file in files_under(out)
    }


def compute_anew(project: Project) -> dict[str, str]:
    """Compute a project's outputs from its code and parameters alone; return their digests.

    Independent of what is tested: an empty folder, one process for all stages, no DVC, no observers.
    The same code and parameters are computed once in a test session.
    """
    key = sha256_json(
        {
            file.relative_to(project.root).as_posix(): sha256_file(file)
            for name in (*CODE, *FILES)
            for file in files_under(project.root / name)
        }
    )
    if key not in _computed:
        with tempfile.TemporaryDirectory() as folder:
            copy_sources(project.root, Path(folder))
            _in_fresh_process(Path(folder))
            _computed[key] = output_digests(Path(folder))
    return _computed[key]


_computed: dict[str, dict[str, str]] = {}


def _in_fresh_process(root: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_run_all_stages, args=(root,))
    process.start()
    process.join()
    assert process.exitcode == 0, f"computing {root} anew failed: see its traceback above"


def _run_all_stages(root: Path) -> None:
    """Run the stages of ``root`` in order, with the code that stands there."""
    os.chdir(root)
    sys.path.insert(0, str(root))
    os.environ["SELFSAME_OBSERVE"] = "0"
    for name in [name for name in sys.modules if name.split(".")[0] in CODE]:
        del sys.modules[name]  # the tests' own copy, which this module has imported
    from selfsame.runner import run_stage

    for stage in read_stages():
        module = import_module(f"tasks.{stage}")
        assert Path(module.__file__ or "").is_relative_to(root)
        run_stage(stage, module.main)
