"""One model under audit: what the questions and the exports ask of it."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from selfsame.audit.execution import Execution
from selfsame.audit.held import Held
from selfsame.audit.records import Problem
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.stale import stale
from selfsame.audit.walk import Trace, Walker
from selfsame.audit.witness import witnesses
from selfsame.core.layout import LOCK_FILE, METRICS, WEIGHTS

NOT_RECORDED = "not recorded"
Asked = tuple[str, dict[str, Any]]  # an answer in words, and the evidence it rests on


class Case:
    """One model under audit, with what several questions need.

    All that is said of it comes from the executions behind its own bytes, and from the tables that those
    read, by their digests: whatever else the project has made by now is no evidence.

    Args:
        release: the tag of the release that the answers are to stand in, if they are for one.
    """

    def __init__(self, snapshot: Snapshot, artifact: Path, release: str | None = None) -> None:
        self.release = release
        self.snapshot = snapshot
        self.artifact = artifact

    @cached_property
    def digests(self) -> dict[str, str]:
        """The sha256 of every file of the model, by its name in the project."""
        return self.snapshot.digests(self.artifact)

    @cached_property
    def known(self) -> dict[str, str]:
        """The name by which the records know each of its files.

        A copy that was handed out has the past of the bytes that it is a copy of. In the project a file
        must be known by its own name, or a lost record would hide behind whatever has the same bytes.
        """
        return {
            name: self._walker.known_name(name, digest) if Path(name).is_absolute() else name
            for name, digest in self.digests.items()
        }

    @cached_property
    def trace(self) -> Trace:
        """The way back from the model."""
        return self._walker.trace({self.known[name]: digest for name, digest in self.digests.items()})

    @cached_property
    def stale(self) -> list[Problem]:
        """In what the project has moved on since the model was made."""
        names = {Path(name) for name in self.known.values()}
        stages = [
            out.stage
            for out in self.snapshot.outs.values()
            if any(each.is_relative_to(out.path) for each in names)
        ]
        return stale(self.snapshot, *stages) if stages else []

    @cached_property
    def _walker(self) -> Walker:
        return walker_of(self.snapshot)

    @cached_property
    def executions(self) -> list[Execution]:
        """Every execution behind the model, the first one first."""
        return [Execution(record, self.snapshot) for record in self.trace.executions]

    @property
    def weights(self) -> str | None:
        """The sha256 of the model's weights, not of one that it keeps beside them; None if it has none."""
        found = sorted(
            (len(name), digest) for name, digest in self.digests.items() if Path(name).name == WEIGHTS
        )
        return found[0][1] if found else None

    @cached_property
    def training(self) -> Execution | None:
        """The execution that learned the weights under audit; None if there are none."""
        learned = [each for each in self.executions if each.is_training]
        return next((each for each in learned if self.weights in each.models.values()), None)

    @cached_property
    def trainings(self) -> list[Execution]:
        """The trainings by which the weights came about: their own, and those of their teachers before it.

        Behind a champion is also the one that it was chosen against.
        """
        if self.training is None:
            return [each for each in self.executions if each.is_training]
        if self.training.is_measuring:  # a simple model, of human labels alone; the nets it only measured
            return [self.training]
        behind = self._walker.trace(self.training.record.outputs).executions
        paths = {record.path for record in behind}
        return [each for each in self.executions if each.is_training and each.record.path in paths]

    def held(self, stem: str) -> Held:
        """Return where the table or document of that stem is that the model rests on.

        It is the one that its own training read; else the one that the latest execution behind it read, or
        else wrote; empty if none did.
        """
        ordered = [*([self.training] if self.training else []), *reversed(self.executions)]
        places = [*(each.read for each in ordered), *(each.wrote for each in ordered)]
        return next((place for place in places if place.has(stem)), Held(self.snapshot, {}))

    @cached_property
    def judged(self) -> Execution | None:
        """The execution that measured the model: behind it, if it is the champion; else its latest reader."""
        metrics = METRICS.as_posix()
        behind = [each for each in self.executions if metrics in each.record.outputs]
        others = [
            Execution(record, self.snapshot)
            for record in self.snapshot.lineage[0]
            if metrics in record.outputs and self.weights in record.inputs.values()
        ]
        found = behind or others
        return found[-1] if found else None

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What it measured; empty if nothing did."""
        return (self.judged and self.judged.wrote.document(METRICS.stem)) or {}

    @cached_property
    def side(self) -> str | None:
        """Which of the metrics' models it is: ``baseline``, ``student`` or ``reference``; None if none."""
        if self.judged and self.judged is self.training:
            return self.metrics["champion"]  # fitted where it was measured
        read = self.judged.record.inputs if self.judged else {}
        sides = [Path(name).parent.name for name, digest in read.items() if digest == self.weights]
        return next((side for side in sides if side in self.metrics), None)

    def params(self, section: str) -> dict[str, Any]:
        """Return a section of the parameters as the model's training, or else a later one, recorded it."""
        ordered = [*([self.training] if self.training else []), *reversed(self.executions)]
        used = [each.record.params[section] for each in ordered if section in each.record.params]
        return used[0] if used else {}


@lru_cache(maxsize=4)
def walker_of(snapshot: Snapshot) -> Walker:
    """Return who follows digests through a snapshot's records, ``dvc.lock`` telling apart equal results."""
    locked = witnesses(snapshot) if snapshot.read(LOCK_FILE.as_posix()) else {}
    return Walker(snapshot.lineage[0], {record.path for records in locked.values() for record in records})
