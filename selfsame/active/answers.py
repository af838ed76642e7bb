"""What people answered: read, held against the data, and added to ``data/annotations/labels.csv``."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from selfsame.active.request import POOL, REQUEST
from selfsame.active.scored import asked_rows, bring_in
from selfsame.core.annotations import (
    DOUBTED,
    Annotation,
    class_indices,
    format_annotations,
    read_annotations,
)
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ANNOTATIONS, DOUBTFUL, ID
from selfsame.core.tables import TableInfo, iter_batches
from selfsame.core.text import read_text
from selfsame.git import git

BY_HAND = "by hand"  # the strategy of a row that nobody was asked for


@dataclass(frozen=True)
class Merged:
    """What became of a file of answers."""

    added: int
    known: int  # were there already, with the same label
    total: int


def merge_answers(file: Path, annotator: str | None) -> Merged:
    """Add a file's answers to ``labels.csv``, all of them or none.

    Args:
        file: a CSV with the columns example_id and label, or a JSON export of Label Studio.
        annotator: who answered, where the file doesn't say; a time that it doesn't say is now.

    Raises:
        SelfsameError: the file can't be read, an id or class is unknown, a row isn't the pool's, or two
            people disagree.
    """
    answers = read_answers(file, annotator)
    known = read_annotations(ANNOTATIONS)
    agreed = _agreed(file, [*known.values(), *answers])
    added = [one for name, one in agreed.items() if name not in known]
    class_indices(agreed, TableInfo.of(POOL).classes, file)
    new = _check_ids(file, [one.example_id for one in added])
    bring_in(new)
    strategies = _asked_by()
    added = [replace(one, strategy=strategies.get(one.example_id, BY_HAND)) for one in added]
    partial = ANNOTATIONS.with_name(f".partial-{ANNOTATIONS.name}")
    partial.write_text(format_annotations([*known.values(), *added]), encoding="utf-8")
    partial.rename(ANNOTATIONS)
    return Merged(len(added), len({one.example_id for one in answers}) - len(added), len(known) + len(added))


def commit_answers(merged: Merged) -> None:
    """Record ``labels.csv``, and nothing else, in git: an audit finds there where the labels came from.

    Raises:
        SelfsameError: git can't, and says why.
    """
    message = f"{merged.added} labels given on request"
    fix = f"the labels are in {ANNOTATIONS}; commit it by hand"
    git("commit", "--quiet", "--only", "--message", message, "--", ANNOTATIONS.as_posix(), fix=fix)


def read_answers(file: Path, annotator: str | None) -> list[Annotation]:
    """Read a CSV file or an export of Label Studio; a row that was skipped is none."""
    if not file.is_file():
        raise SelfsameError(f"{file}: no such file", "name the file that the page or Label Studio has saved")
    text = read_text(file)
    try:
        found = list(_of_label_studio(text) if file.suffix == ".json" else _of_csv(text))
    except (KeyError, TypeError, ValueError, AttributeError, csv.Error, RecursionError) as error:
        raise SelfsameError(
            f"{file}: neither answers in CSV nor an export of Label Studio in JSON ({error!r})",
            "a CSV needs the columns example_id and label; of Label Studio export the format JSON",
        ) from None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    answers = []
    for example_id, label, who, when in found:
        if not (who or annotator):
            raise SelfsameError(f"{file}: doesn't say who labeled {example_id}", "add --annotator NAME")
        answers.append(Annotation(example_id, label, who or annotator or "", when or now, BY_HAND))
    return answers


def _of_csv(text: str) -> Iterator[tuple[str, ...]]:
    for row in csv.DictReader(io.StringIO(text)):
        if row["label"]:
            yield row["example_id"], row["label"], row.get("annotator") or "", row.get("labeled_at") or ""


def _of_label_studio(text: str) -> Iterator[tuple[str, ...]]:
    for task in json.loads(text):
        for annotation in task["annotations"]:
            if annotation["was_cancelled"]:  # skipped
                continue
            for result in annotation["result"]:
                (label,) = result["value"]["choices"]
                by = annotation["completed_by"]
                who = by["email"] if isinstance(by, dict) else f"Label Studio user {by}"
                yield task["data"]["example_id"], label, who, annotation["created_at"]


def _agreed(file: Path, answers: Iterable[Annotation]) -> dict[str, Annotation]:
    """Return one answer for every example, the first; two people who disagree are an error."""
    first: dict[str, Annotation] = {}
    conflicts = []
    for one in answers:
        other = first.setdefault(one.example_id, one)
        if other.label != one.label:
            conflicts.append(
                f"{file}: {one.example_id} is {other.label!r} for {other.annotator} ({other.labeled_at}), "
                f"{one.label!r} for {one.annotator} ({one.labeled_at})"
            )
    if conflicts:
        raise SelfsameError(
            "\n".join(conflicts),
            f"decide with both; correct the line in {ANNOTATIONS}, or take the other out of the file",
        )
    return first


def _check_ids(file: Path, ids: Sequence[str]) -> set[str]:
    """Let only pool rows pass, those whose given label the report doubts, and new ones that were asked for.

    Return the new ones.
    """
    left = set(ids) - set(_doubted())
    for batch in iter_batches(POOL, [ID]):
        left.difference_update(batch.column(ID).to_pylist())
    new = left & asked_rows()
    if left := left - new:
        raise SelfsameError(
            f"{file}: {min(left)} (and {len(left) - 1} more) is no row of the pool; rows that judge "
            "(validation, holdout) stay a random draw, and a labeled row has its label; those that "
            f"{DOUBTFUL} names can be corrected",
            f"take it out of the file; 'selfsame rows {min(left)}' tells what it is",
        )
    return new


def _asked_by() -> dict[str, str]:
    """Return the strategy that the last request chose each of its rows by, or that its label was doubted."""
    asked = {row["example_id"]: row["strategy"] for row in _rows(REQUEST)}
    return dict.fromkeys(_doubted(), DOUBTED) | asked


def _doubted() -> list[str]:
    return [row["example_id"] for row in _rows(DOUBTFUL)]


def _rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))) if file.is_file() else []
