"""The pipeline with other parameters, as a DVC experiment: the workspace stays as it is.

A trial runs in a scratch copy of the workspace inside ``.dvc/tmp``, uncommitted changes included. The copy
shares DVC's cache, so that a stage computed once, here or there, isn't computed again and a trial killed
on its way goes on where it was. What it leaves is what ``dvc exp run`` leaves: a commit under
``refs/exps``, which ``dvc exp show``, ``diff``, ``apply`` and ``branch`` know, and its provenance records
in ``lineage/``. ``dvc exp run --temp`` itself is not used because it stashes the user's changes and resets
the workspace on its way, so that a kill at the wrong moment loses them.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from selfsame.core.digests import sha256_json
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_stages, read_yaml
from selfsame.core.layout import GRAPH_FILE, LOCK_FILE, PARAMS_FILE
from selfsame.dag.adapter import open_project
from selfsame.dag.execute import run_child
from selfsame.dag.scratch import make_scratch, require_commit
from selfsame.dag.workspace import hold_workspace
from selfsame.git import AUTHOR, ask, git
from selfsame.params.check import check_overrides
from selfsame.params.overrides import Overrides, with_overrides

SCRATCH = Path(".dvc/tmp/trial")


@dataclass(frozen=True)
class Trial:
    """One run of the pipeline with overrides.

    Attributes:
        name: of the DVC experiment.
        metrics: the content of each metrics file that ``dvc.yaml`` names and the trial wrote, by path.
        stages: what became of each stage: ``unchanged``, ``restored`` or ``ran``.
        seconds: of wall clock, from the copy of the workspace to the experiment.
    """

    name: str
    overrides: Overrides
    metrics: Mapping[str, Any]
    stages: Mapping[str, str]
    seconds: float


def run_experiment(
    overrides: Overrides,
    name: str,
    log: Callable[[str], None],
    targets: Sequence[str] = (),
    wait: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Trial:
    """Run the pipeline with overrides of ``params.yaml`` and keep the result as the experiment ``name``.

    An experiment of the same name, beside the same commit, is replaced.

    Args:
        log: called with each line that the stages print.
        targets: stages to bring up to date, with what they need; all by default.
        wait: wait for another run that holds the workspace; otherwise fail at once.
        environment: variables to add for the stages.

    Raises:
        SelfsameError: an override or the name is not valid, a stage failed, there is no commit yet.
    """
    check_overrides(overrides, log)
    return run_trial(overrides, name, log, targets, wait, environment)


def name_of(prefix: str, overrides: Overrides) -> str:
    """Name an experiment after its overrides and the parameters they change: same inputs, same name."""
    digest = sha256_json(with_overrides(read_yaml(PARAMS_FILE), overrides))
    return f"{prefix}-{digest[:7]}"


def run_trial(
    overrides: Overrides,
    name: str,
    log: Callable[[str], None],
    targets: Sequence[str],
    wait: bool,
    environment: Mapping[str, str] | None,
) -> Trial:
    """Do what ``run_experiment`` does, on a project whose parameters have any schema or none."""
    start = time.monotonic()
    with hold_workspace(wait, log) as workspace:
        ref = _reference(name)
        root = make_scratch(SCRATCH)
        yaml = YAML()
        yaml.width = 1 << 16  # lines stay as they are written
        params = yaml.load(root / PARAMS_FILE)
        yaml.dump(with_overrides(params, overrides), root / PARAMS_FILE)
        # The records are kept in this workspace: see selfsame.observe.record.lineage_folder.
        variables = {**(environment or {}), "DVC_EXP_NAME": name, "DVC_ROOT": str(Path.cwd())}
        child = run_child(workspace, "selfsame.dag.trial", targets, log, variables, folder=root)
        if child.report is None or child.report["error"]:
            error = child.report["error"] if child.report else f"its process ended with status {child.status}"
            raise SelfsameError(f"experiment {name}: {child.last_words(error)}", "see the lines above")
        _keep(root, name, ref, child.report["metrics"])
        shutil.rmtree(SCRATCH)
    seconds = time.monotonic() - start
    return Trial(name, dict(overrides), child.report["metrics"], child.report["stages"], seconds)


def apply_experiment(name: str) -> None:
    """Make the workspace what an experiment left: parameters, ``dvc.lock`` and outputs.

    Raises:
        SelfsameError: there is no such experiment beside the current commit, or DVC can't apply it.
    """
    with hold_workspace():
        try:
            with open_project(fix="see 'dvc exp list'") as repo:
                repo.experiments.apply(name)
        except SelfsameError as error:
            raise SelfsameError(f"experiment {name}: {error.what}", error.fix) from error


def _reference(name: str) -> str:
    """Return the git reference under which DVC looks for an experiment beside the current commit."""
    commit = require_commit()
    reference = f"refs/exps/{commit[:2]}/{commit[2:]}/{name}"
    if "/" in name or ask("check-ref-format", reference) is None:
        raise SelfsameError(
            f"experiment name {name!r}: not a name that git takes", "use letters, digits and -"
        )
    return reference


def _keep(root: Path, name: str, reference: str, metrics: Mapping[str, Any]) -> None:
    """Commit what the trial left, beside the commit that it started from, and give it DVC's name for it."""
    outputs = {output for stage in read_stages(root / GRAPH_FILE).values() for output in stage.outputs}
    for file in outputs - set(metrics):
        if git("ls-files", "--", file, at=root):  # figures of another run: this one didn't get there
            git("rm", "--quiet", "-r", "--cached", "--", file, at=root)
            (root / file).unlink(missing_ok=True)
    own = [str(path) for path in (PARAMS_FILE, LOCK_FILE) if (root / path).exists()]
    git("add", "--update", at=root)
    git("add", "--force", "--", *own, *(file for file in metrics if file in outputs), at=root)
    git(*AUTHOR, "commit", "--quiet", "--no-verify", "--allow-empty", "-m", f"experiment {name}", at=root)
    source = git("rev-parse", "--absolute-git-dir", at=root).strip()
    git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", source, f"+HEAD:{reference}")
