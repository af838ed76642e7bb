"""All that this project knows of DVC's inside: no other module imports it.

DVC's command line is public, its Python is not. What is used of it, logger names and message texts too, may
change with any release: one that wasn't tested is refused, and ``tests/dag/test_adapter.py`` says, name by
name, what it broke.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import dvc
from dvc.config import Config
from dvc.dependency.param import ParamsDependency
from dvc.dvcfile import PROJECT_FILE
from dvc.exceptions import DvcException
from dvc.lock import LockError, make_lock
from dvc.output import Output
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import PipelineStage, Stage

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LOCK_FILE
from selfsame.dag.nested import MISSING, differences

TESTED = ("3.67", "3.68")  # from the first, below the second; pyproject.toml says the same
LOCAL_CONFIG = Path(".dvc", Config.CONFIG_LOCAL)  # DVC's settings that git ignores
BUSY_SECONDS = 1.0  # between two tries to get paths that another DVC process holds
BUSY_PATHS, BUSY_PATHS_LOCK = "rwlock", "rwlock.lock"  # in .dvc/tmp: which process reads and writes what
RUN_LOGGER, STAGE_LOGGERS = "dvc.stage.run", "dvc.stage"  # the first speaks only when a command is run
REMOVING = "Removing %s"  # one unused object
MERGED = f"git checkout --ours {LOCK_FILE}, then dvc repro, then git add it: see docs/operator.md, Merging"
PULLING = "Pulling data for"  # what dvc.lock names is fetched: DVC calls such a stage unchanged
_OPENING = Lock()  # DVC clears the umask for a moment: two threads could leave all files open to anybody


def dvc_message(error: BaseException) -> str:
    """Return a DVC error's message with those of its causes, each once; its kind if none says a word."""
    messages: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        if str(cause) and str(cause) not in messages:
            messages.append(str(cause))
        cause = cause.__cause__
    return ": ".join(messages) or type(error).__name__


@contextmanager
def open_project(
    kind: type[SelfsameError] = SelfsameError,
    fix: str = "see 'dvc status' for DVC's own view",
    caught: type[Exception] | tuple[type[Exception], ...] = DvcException,
    locked: bool = False,
) -> Iterator[Repo]:
    """Open the project in the current folder, one ``Repo`` a question (it can't be shared by threads).

    Args:
        kind: what DVC's errors become, with ``fix``.
        caught: which errors those are.
        locked: hold DVC's own lock for the block, waiting for it.

    Raises:
        SelfsameError: of ``kind``; or DVC is of a release that wasn't tested.
    """
    require_tested(dvc.__version__)
    try:
        with _OPENING:
            opened = Repo(_wait_for_lock=True)
        with opened as repo, repo.lock if locked else nullcontext():
            yield repo
    except SelfsameError:
        raise
    except caught as error:
        if b"\n<<<<<<< " in (LOCK_FILE.read_bytes() if LOCK_FILE.exists() else b""):
            raise SelfsameError(f"{LOCK_FILE}: has a merge's conflict markers in it", MERGED) from None
        raise kind(f"DVC: {dvc_message(error)}", fix) from error


def require_tested(version: str) -> None:
    """Refuse a release of DVC that wasn't tested.

    Raises:
        SelfsameError: naming those that were.
    """
    first, bound = (tuple(map(int, text.split("."))) for text in TESTED)
    if not first <= tuple(map(int, version.split(".")[:2])) < bound:
        raise SelfsameError(
            f"DVC {version} was not tested with this project; {TESTED[0]} up to {TESTED[1]}, without it, was",
            f"pip install 'dvc>={TESTED[0]},<{TESTED[1]}'",
        )


def busy_paths_lock(folder: Path) -> Any:
    """Return the lock, a context manager, under which DVC rewrites its table of busy paths."""
    return make_lock(str(folder / BUSY_PATHS_LOCK), wait=True)


@dataclass(frozen=True)
class Found:
    """What DVC says of one stage: its address, those whose outputs it reads, why it would run by itself."""

    stage: str
    upstreams: frozenset[str]
    reasons: tuple[str, ...]


def find_stages(targets: Sequence[str], rehash: bool) -> tuple[list[Found], list[Path]]:
    """Ask about ``targets`` and what they need, or about the whole graph, in the order in which DVC runs it.

    Args:
        rehash: forget DVC's notes on files it has hashed before.

    Returns:
        The stages, and the files that they declare as metrics, relative to the project's root.
    """
    with open_project(locked=True) as repo:
        if rehash:
            repo.state.hashes.clear()
        graph = get_active_graph(repo.index.graph)
        # Without targets, what 'dvc repro' runs: the stages of the root folder's dvc.yaml.
        own = [stage for stage in repo.index.stages if stage.relpath == PROJECT_FILE]
        stages = plan_repro(graph, collect_stages(repo, targets) if targets else own)
        found = [
            Found(
                stage.addressing, frozenset(up.addressing for up in graph.successors(stage)), _reasons(stage)
            )
            for stage in stages
        ]
        metrics = [
            Path(repo.fs.relpath(out.fs_path, repo.root_dir))
            for stage in stages
            for out in stage.outs
            if out.metric
        ]
    return found, metrics


def find_reasons(stage: str) -> tuple[str, ...]:
    """Ask about one stage alone, as things stand now."""
    with open_project(locked=True) as repo:
        return _reasons(repo.stage.collect(stage)[0])


def reproduce(stage: str, force: bool, pull: bool) -> dict[str, str]:
    """Bring one stage up to date as ``dvc repro`` would, waiting for paths that another DVC holds.

    It takes over this process's logging: what DVC says of the stage is printed.

    Returns:
        ``kind``, as ``selfsame.dag.execute.Outcome`` has it, and ``error``.
    """
    narrator = _Narrator()
    _tell("dvc", narrator)
    waiting = False
    while True:
        try:
            with open_project(caught=()) as repo:
                repo.stage_cache.pull = lambda _: []  # the flow has fetched the run-cache once for all stages
                done = repo.reproduce([stage], single_item=True, force=force, pull=pull)
        except (DvcException, OSError) as error:
            if isinstance(error.__cause__, LockError) and not narrator.ran:
                if not waiting:
                    print(f"waiting: {error.__cause__}", flush=True)
                waiting = True
                time.sleep(BUSY_SECONDS)
                continue
            return {"kind": "failed", "error": dvc_message(error)}
        kind = "ran" if narrator.ran else "restored" if done or narrator.pulled else "unchanged"
        return {"kind": kind, "error": ""}


class _Narrator(logging.Handler):
    """Print what DVC says about the stage and its warnings, and note whether it ran the command."""

    ran = False
    pulled = False

    def emit(self, record: logging.LogRecord) -> None:
        """Take one of DVC's log records."""
        self.ran = self.ran or record.name == RUN_LOGGER  # a restored stage never gets there
        self.pulled = self.pulled or str(record.msg).startswith(PULLING)
        if record.name.startswith(STAGE_LOGGERS) or record.levelno >= logging.WARNING:
            print(record.getMessage(), flush=True)


class _Unused(logging.Handler):
    """Take down which objects DVC finds unused."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[Path] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == REMOVING and isinstance(record.args, tuple):
            self.paths.append(Path(str(record.args[0])))


def unused_objects() -> list[Path]:
    """Return the objects of the local cache that neither the workspace, a commit nor an experiment names."""
    unused = _Unused()
    _tell("dvc", unused)
    _tell("dvc_data", unused)
    with open_project() as repo:
        repo.gc(workspace=True, all_commits=True, all_experiments=True, force=True, dry=True)
    return unused.paths


def _tell(name: str, handler: logging.Handler) -> None:
    """Have a logger of DVC's tell nobody else, whatever importing DVC set up for its command line."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    logger.handlers = [handler]


def share_cache(root: Path, links: str) -> None:
    """Have the copy of this project at ``root`` use this project's cache, through ``links``."""
    with open_project() as repo:
        cache = str(Path(repo.cache.local_cache_dir).resolve())
    with Config(str(root / ".dvc"), validate=False).edit("local") as config:
        config["cache"] = {**config.get("cache", {}), "dir": cache, "type": links}


def default_remote(repo: Repo) -> str | None:
    """Return the name of the project's default remote, if it has one."""
    name: str | None = repo.config["core"].get("remote")
    return name


def is_verified(repo: Repo, remote: str) -> bool:
    """Tell whether DVC hashes what comes from a remote, instead of trusting its name."""
    return bool(repo.config["remote"][remote].get("verify"))


def remote_objects(repo: Repo, remote: str | None) -> Any:
    """Return a remote's objects; nothing is connected to yet."""
    return repo.cloud.get_remote_odb(remote, "fetch")


def push_all(repo: Repo) -> None:
    """Send every output of the workspace that the default remote lacks, and the notes of all runs."""
    repo.push(run_cache=True)
    # DVC leaves out outputs that git keeps (metrics), yet looks for them on the remote before it takes
    # over a noted run: without them it would run the stage.
    kept_by_git = [out for out in repo.index.outs if out.hash_info and not out.use_cache]
    repo.cloud.push({out.hash_info for out in kept_by_git if repo.cache.local.exists(out.hash_info.value)})


def _reasons(stage: Stage) -> tuple[str, ...]:
    """Say why DVC would run one stage, looking at nothing but its own record, inputs and outputs."""
    items = [*stage.deps, *stage.outs]
    if isinstance(stage, PipelineStage) and items and not any(item.hash_info for item in items):
        return ("it has no record in dvc.lock",)
    reasons: list[str] = []
    if stage.changed_stage():
        reasons.append("its command changed" if isinstance(stage, PipelineStage) else "its .dvc file changed")
    if stage.is_callback or stage.always_changed:
        reasons.append("it always runs")
    for dep in [] if stage.frozen else stage.deps:
        if isinstance(dep, ParamsDependency):
            reasons += _param_reasons(dep)
        elif status := dep.status():
            reasons.append(_dep_reason(dep, status[str(dep)]))
    for out in stage.outs:
        if status := out.status():
            reasons.append(_out_reason(out, status[str(out)]))
    return tuple(reasons)


def _dep_reason(dep: Output, status: str) -> str:
    return f"{dep} is missing" if status == "deleted" else f"{dep} changed"


def _out_reason(out: Output, status: str) -> str:
    words = {
        "deleted": "is missing",
        "modified": "is not as it was written",
        "new": "is not recorded",
        "not in cache": "is not in the DVC cache",
    }
    return f"output {out} {words[status]}"


def _param_reasons(dep: ParamsDependency) -> list[str]:
    status = dep.status()
    if not status:
        return []
    if status[str(dep)] in ("deleted", "new"):  # the file as a whole
        return [_dep_reason(dep, status[str(dep)])]
    recorded, written = dep.hash_info.value, dep.read_params()
    return [
        f"{dep}: {key} {before} → {after}"
        for name in status[str(dep)]
        for key, before, after in differences(name, recorded.get(name, MISSING), written.get(name, MISSING))
    ]
