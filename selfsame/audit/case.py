"""One model under audit: what the questions and the exports ask of it."""

from functools import cached_property
from pathlib import Path
from typing import Any

from selfsame.audit.chain import follow
from selfsame.audit.facts import label_counts
from selfsame.audit.records import Record
from selfsame.audit.rows import executions_of
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.walk import Trace

Asked = tuple[str, dict[str, Any]]  # an answer in words, and the evidence it rests on


class Case:
    """One model under audit, with what several questions need."""

    def __init__(self, snapshot: Snapshot, artifact: Path) -> None:
        self.snapshot = snapshot
        self.artifact = artifact

    @cached_property
    def trace(self) -> Trace:
        """The way back from the model."""
        return follow(self.snapshot, self.artifact)[2]

    @cached_property
    def executions(self) -> list[Record]:
        """Every execution behind the models and reports."""
        return executions_of(self.snapshot)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """``metrics.json``; empty if no stage writes it."""
        return self.snapshot.document("metrics") or {}

    @cached_property
    def counts(self) -> dict[str, dict[str, int]]:
        """Role or decision → class → rows."""
        return label_counts(self.snapshot)

    def params(self, section: str) -> dict[str, Any]:
        """Return a section of the parameters as the latest execution that read it recorded it."""
        used = [record.params[section] for record in self.executions if section in record.params]
        return used[-1] if used else {}
