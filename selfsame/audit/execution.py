"""One execution, with the tables that it read and wrote itself: fetched by the digests in its record."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from selfsame.audit.held import Held, Table
from selfsame.audit.records import Record
from selfsame.audit.snapshot import Snapshot
from selfsame.core.layout import GATE_KEY, LEARNED, LEARNED_KEY, METRICS, VALIDATED, WEIGHTS

HUMAN_ROLES = ("labeled", "validation", "calibration", "holdout")
# Where an answer goes before the source's label; what measures is as it was given.
ANSWERED_ROLES = HUMAN_ROLES[:-1]
ROLES = (*HUMAN_ROLES, "pool")  # the large one last
OWN_LABEL = "labeled it by machine"
_LEARNED = Path(LEARNED).stem


class Execution:
    """What a record says of one execution, and the tables behind it.

    Whatever the project holds by now, a table is the one that this execution read.
    """

    def __init__(self, record: Record, snapshot: Snapshot) -> None:
        self.record, self._snapshot = record, snapshot
        self.read, self.wrote = Held(snapshot, record.inputs), Held(snapshot, record.outputs)
        # Of a refitted model those that the shipped weights learned, not those from before the refit too.
        shipped = {name: each for name, each in record.outputs.items() if Path(name).parent.name != VALIDATED}
        self._taught = Held(snapshot, shipped)

    @cached_property
    def models(self) -> dict[str, str]:
        """The models that it wrote: folder → sha256 of its weights."""
        return {
            Path(name).parent.as_posix(): digest
            for name, digest in self.record.outputs.items()
            if Path(name).name == WEIGHTS
        }

    @property
    def is_training(self) -> bool:
        """Whether it learned a model's weights, rather than copied them."""
        learned = set(self.models.values()) - set(self.record.inputs.values())
        return bool(learned) and self.read.has("labeled")

    @property
    def is_labeling(self) -> bool:
        """Whether it made labels for the pool."""
        return self.wrote.has("pseudo_labels")

    @property
    def is_refit(self) -> bool:
        """Whether what it trained learned validation rows too, in the end."""
        return self.is_training and any(Path(folder).name == VALIDATED for folder in self.models)

    @property
    def teachers(self) -> list[str]:
        """The sha256 of the weights that label: of a refitted model those from before the refit."""
        weights = {
            Path(name): digest for name, digest in self.record.inputs.items() if Path(name).name == WEIGHTS
        }
        before = [digest for path, digest in weights.items() if path.parent.name == VALIDATED]
        return before or list(weights.values())

    @cached_property
    def gate(self) -> dict[str, Any]:
        """What the gate wrote beside the pseudo-labels that it made or read; empty if nothing."""
        held = self.wrote if self.is_labeling else self.read
        return held.metadata("pseudo_labels", GATE_KEY)

    def role_of(self, example_id: str) -> str | None:
        """Return the role in which it read an example, if it did."""
        places = self._snapshot.places  # of now, which are often the same
        found = (find(self.read.table(role), example_id, places.get((role, example_id))) for role in ROLES)
        return next((role for role, place in zip(ROLES, found, strict=True) if place is not None), None)

    def decision_on(self, example_id: str) -> dict[str, Any] | None:
        """Return the machine label that it made, or read, for an example."""
        pool = self.read.table("pool")
        table = (self.wrote if self.is_labeling else self.read).table("pseudo_labels")
        in_pool = find(pool, example_id)
        if pool is not None and in_pool is None:
            return None
        place = find(table, example_id, in_pool)
        return table.row(place) if table and place is not None else None

    def use_of(self, example_id: str) -> str | None:
        """Say what it did with an example by itself, if it did anything."""
        role = self.role_of(example_id)
        if role is None:
            return None
        if self.is_training:
            return self._learned(example_id, role)
        if self.is_labeling:
            judged = "judged the teacher and the gate with its human label"
            return (
                OWN_LABEL
                if role == "pool"
                else judged
                if role == self.gate.get("calibrated_on", role)
                else None
            )
        if role == "validation":
            return "chose the champion with its human label"
        return "measured both models with it" if role == "holdout" else None

    @property
    def is_measuring(self) -> bool:
        """Whether it measured models: what it trains, if the simple model is the champion, learns no pool."""
        return METRICS.as_posix() in self.record.outputs

    def _learned(self, example_id: str, role: str) -> str | None:
        if role == "labeled":
            return "trained on its human label"
        if role == "validation":
            also = ", then trained on it" if self.is_refit else ""
            what = "the champion" if self.is_measuring else "its checkpoint"
            return f"chose {what} with its human label{also}"
        if self.is_measuring:
            return "measured both models with it" if role == "holdout" else None
        if self.keeps_labels:
            taught = self.taught(example_id)
            words = ", ".join(f"{each.label} ({each.uses} × in round {each.number})" for each in taught)
            if taught:
                return f"trained on its machine label {words}"
            model = self.record.params.get("model", {})
            spreads = "neighbors" in (model.get("members") or [model.get("architecture")])
            return "may have spread labels along its input, which got none" if spreads else None
        if self.method != "offline":
            return f"trained on its input with labels that it didn't record (method {self.method})"
        decision = self.decision_on(example_id)
        if decision is None or not decision["accepted"]:
            return None
        return f"trained on its machine label {decision['pseudo_label']}"

    @property
    def method(self) -> str:
        """How it learned from the pool."""
        if self.is_measuring or not self.read.has("pool"):
            return "supervised"
        return self.record.params.get("retrain", {}).get("method", "offline")

    @property
    def keeps_labels(self) -> bool:
        """Whether it recorded each machine label that it was taught."""
        return self._taught.has(_LEARNED)

    def taught(self, example_id: str) -> list["Taught"]:
        """Return the machine labels that it was taught for an example, round by round."""
        table = self._taught.table(_LEARNED)
        place = find(table, example_id, find(self.read.table("pool"), example_id))
        if table is None or place is None:
            return []
        row, rounds = table.row(place), self._taught.metadata(_LEARNED, LEARNED_KEY)["rounds"]
        labels = zip(row["labels"], row["uses"], rounds, strict=True)
        return [
            Taught(number, label, uses, told["teacher"])
            for number, (label, uses, told) in enumerate(labels, start=1)
            if label is not None and uses
        ]

    def rows_taught(self) -> int | None:
        """Count the pool rows whose machine label it was taught; None if it recorded none of them."""
        if self.is_measuring:
            return 0
        if not self.keeps_labels:
            if self.read.has("pseudo_labels") and self.method != "offline":
                return None
            table = self.read.table("pseudo_labels")
            return table.count("accepted", [True]) if table else 0
        rounds = len(self._taught.metadata(_LEARNED, LEARNED_KEY)["rounds"])
        total = 0
        import pyarrow.compute as pc

        learned = self._taught.table(_LEARNED)
        assert learned is not None  # it keeps labels
        for chunk in learned.chunks("labels", "uses"):
            labels, uses = (pc.list_flatten(chunk[name]) for name in ("labels", "uses"))
            used = pc.and_(pc.is_valid(labels), pc.greater(uses, 0)).to_numpy()
            total += int(used.reshape(len(chunk), rounds).any(axis=1).sum()) if rounds else 0
        return total


@dataclass(frozen=True)
class Taught:
    """A machine label that a training was taught.

    Attributes:
        number: of the round, from 1.
        label: the class's index, or the value.
        uses: in how many steps.
        teacher: sha256 of the weights that made it; None where each step's own net did.
    """

    number: int
    label: float
    uses: int
    teacher: str | None


def find(table: Table | None, example_id: str, hint: int | None = None) -> int | None:
    """Return where an example stands in a table; None if it doesn't, or there is no such table."""
    return table.find(example_id, hint) if table else None
