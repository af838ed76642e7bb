"""DVC's graph as a plan: the stages in the order DVC runs them, each with the reasons it would run.

DVC is the one owner of freshness; nothing here decides on its own, it only puts DVC's answers in words.
The project is always the one in the current folder, as it is for the stages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from selfsame.dag.adapter import find_stages


@dataclass(frozen=True)
class PlannedStage:
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
class RunPlan:
    """What a run would do.

    Attributes:
        stages: in the order in which ``dvc repro`` runs them.
        metrics: the files that the project declares as metrics, relative to its root.
    """

    stages: tuple[PlannedStage, ...]
    metrics: tuple[Path, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """Return one object per stage, in order: ``stage``, ``state``, ``reasons``."""
        return [{"stage": one.stage, "state": one.state, "reasons": list(one.reasons)} for one in self.stages]

    def format(self) -> str:
        """Return the plan as a short text, one stage with its reasons after the other."""
        width = max((len(one.stage) for one in self.stages), default=0)
        lines = []
        for one in self.stages:
            first, *others = one.reasons or ("",)
            lines.append(f"{one.stage:<{width}}  {one.state:<9}  {first}".rstrip())
            lines += [" " * (width + 13) + reason for reason in others]
        return "\n".join(lines)


def read_plan(targets: Sequence[str] = (), rehash: bool = False) -> RunPlan:
    """Ask DVC once about the whole graph, or about ``targets`` and what they need.

    A stage downstream of a stale one is stale too, though it may turn out unchanged when its turn comes:
    what is upstream may give the same bytes again.

    Args:
        rehash: hash every file again. DVC otherwise takes a file of the same size, modification time and
            inode for the same content.

    Raises:
        SelfsameError: DVC can't read the project, or there is no such target.
    """
    found, metrics = find_stages(targets, rehash)
    planned: dict[str, PlannedStage] = {}
    for one in found:
        upstreams = tuple(name for name in planned if name in one.upstreams)
        stale = tuple(f"{name} is stale" for name in upstreams if planned[name].reasons)
        planned[one.stage] = PlannedStage(one.stage, upstreams, one.reasons + stale)
    return RunPlan(tuple(planned.values()), tuple(metrics))
