"""DVC's graph as a plan: the stages in the order DVC runs them, each with the reasons it would run.

DVC is the one owner of freshness; nothing here decides on its own, it only puts DVC's answers in words.
The project is always the one in the current folder, as it is for the stages.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dvc.dependency.param import ParamsDependency
from dvc.dvcfile import PROJECT_FILE
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import PipelineStage, Stage

from selfsame.core.errors import SelfsameError

MISSING = "absent"  # how a parameter that isn't there is shown


@dataclass(frozen=True)
class Step:
    """One stage of a plan.

    Attributes:
        stage: its DVC address, unique in the project.
        upstreams: the stages of the same plan whose outputs it reads.
        reasons: why it would run, in words; none if it is up to date.
    """

    stage: str
    upstreams: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def state(self) -> Literal["unchanged", "stale"]:
        """Tell whether the stage would run."""
        return "stale" if self.reasons else "unchanged"


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
        steps: the stages in the order in which ``dvc repro`` runs them.
        metrics: the files that the project declares as metrics, relative to its root.
    """

    steps: tuple[Step, ...]
    metrics: tuple[Path, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """Return one object per stage, in order: ``stage``, ``state``, ``reasons``."""
        return [
            {"stage": step.stage, "state": step.state, "reasons": list(step.reasons)} for step in self.steps
        ]

    def format(self) -> str:
        """Return the plan as a short text, one stage with its reasons after the other."""
        width = max((len(step.stage) for step in self.steps), default=0)
        lines = []
        for step in self.steps:
            first, *others = step.reasons or ("",)
            lines.append(f"{step.stage:<{width}}  {step.state:<9}  {first}".rstrip())
            lines += [" " * (width + 13) + reason for reason in others]
        return "\n".join(lines)


def read_plan(targets: Sequence[str] = (), rehash: bool = False) -> Plan:
    """Ask DVC once about the whole graph, or about ``targets`` and what they need.

    A stage downstream of a stale one is stale too, though it may turn out unchanged when its turn comes:
    what is upstream may give the same bytes again.

    Args:
        rehash: forget DVC's notes on files it has hashed before. It otherwise takes a file of the same
            size, modification time and inode for the same content.

    Raises:
        SelfsameError: DVC can't read the project, or there is no such target.
    """
    steps: dict[str, Step] = {}
    with _open() as repo:
        if rehash:
            repo.state.hashes.clear()
        graph = get_active_graph(repo.index.graph)
        wanted = collect_stages(repo, targets) if targets else _own_stages(repo)
        stages = plan_repro(graph, wanted)
        for stage in stages:
            needed = {upstream.addressing for upstream in graph.successors(stage)}
            upstreams = tuple(name for name in steps if name in needed)
            stale = tuple(f"{name} is stale" for name in upstreams if steps[name].reasons)
            steps[stage.addressing] = Step(stage.addressing, upstreams, _reasons(stage) + stale)
        metrics = tuple(
            Path(repo.fs.relpath(out.fs_path, repo.root_dir))
            for stage in stages
            for out in stage.outs
            if out.metric
        )
    return Plan(tuple(steps.values()), metrics)


def read_reasons(stage: str) -> tuple[str, ...]:
    """Ask DVC about one stage alone, as things stand now."""
    with _open() as repo:
        return _reasons(repo.stage.collect(stage)[0])


def dvc_message(error: BaseException) -> str:
    """Return a DVC error's message with those of its causes, each once."""
    messages: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        if str(cause) and str(cause) not in messages:
            messages.append(str(cause))
        cause = cause.__cause__
    return ": ".join(messages)


@contextmanager
def _open() -> Iterator[Repo]:
    """Open the project, one ``Repo`` a question (it can't be shared), waiting for DVC's own lock."""
    try:
        with Repo(_wait_for_lock=True) as repo, repo.lock:
            yield repo
    except DvcException as error:
        raise SelfsameError(f"DVC: {dvc_message(error)}", "see 'dvc status' for DVC's own view") from error


def _own_stages(repo: Repo) -> list[Stage]:
    """Return what ``dvc repro`` runs without targets: the stages of the root folder's ``dvc.yaml``."""
    return [stage for stage in repo.index.stages if stage.relpath == PROJECT_FILE]


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


def differences(key: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the leaves in which two values of one parameter differ, named by their dotted key."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        if before != after:
            yield key, before, after
        return
    for name in dict.fromkeys([*before, *after]):
        yield from differences(
            f"{key}.{name}" if key else str(name), before.get(name, MISSING), after.get(name, MISSING)
        )
