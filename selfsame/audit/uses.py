"""Which predictions a model made: the records of scorings, by the digest of its weights."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from selfsame.audit.records import Record
from selfsame.core.layout import SCORE, SCORING, TO_SCORE, WEIGHTS


@dataclass(frozen=True)
class Use:
    """One scoring by a model.

    Attributes:
        scored: the folder of its predictions, as it was called then.
        inputs: path and sha256 of every file that was scored.
        outputs: the same of what was written.
    """

    scored: str
    when: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    record: str

    def __str__(self) -> str:
        files = f"{len(self.inputs)} file{'s' * (len(self.inputs) != 1)}"
        return f"{self.scored}: {files} scored at {self.when[:19]} UTC, record {self.record}"


def uses_of(records: Iterable[Record], weights: Iterable[str]) -> list[Use]:
    """Return the scorings by models whose weights have these sha256, the first one first."""
    wanted = set(weights)
    found = []
    for each in records:
        if each.stage != SCORE:
            continue
        if not wanted & {digest for name, digest in each.inputs.items() if Path(name).name == WEIGHTS}:
            continue
        inputs = {name: digest for name, digest in each.inputs.items() if Path(name).is_relative_to(TO_SCORE)}
        folder = next(Path(name).parent for name in each.outputs if Path(name).name == SCORING)
        found.append(
            Use(folder.as_posix(), each.started.isoformat(), inputs, each.outputs, each.path.as_posix())
        )
    return found


def uses_words(uses: list[Use]) -> str:
    """Say it line by line."""
    if not uses:
        return "predictions   no scoring by this model is recorded"
    return "\n".join(f"predictions   {use}" for use in uses)
