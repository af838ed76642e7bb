"""What it takes to erase rows: where they are, what else it would change, what stays out of reach."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from selfsame.audit.anchors import RELEASE_WORD
from selfsame.audit.receipts import erased, erased_words
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.stale import stale
from selfsame.core.annotations import read_annotations
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ANNOTATIONS, LINEAGE, PARAMS_FILE, SCRATCH
from selfsame.erasure.files import Taken, copy_without, require_writable
from selfsame.erasure.purge import Holding, find_holding
from selfsame.git import ask, git, tags_with
from selfsame.params.data import DATA, DataParams
from selfsame.params.reading import load_section
from selfsame.params.split import SplitParams
from selfsame.roles.decide import decide
from selfsame.roles.rows import ROLE_NAMES
from selfsame.sources.faults import stop_if_any
from selfsame.start.survey import Survey, look


@dataclass(frozen=True)
class Plan:
    """What would be done.

    Attributes:
        copy: the source without the rows.
        split: ``split.erased`` and ``split.exclude`` as they would be.
        roles: how many of the rows had which role.
        answers: of the rows, those that stand in ``labels.csv``.
        others: how many rows stay.
        moved: of them, those that would get another role.
        renamed: of them, those that would get another id: old id → new one.
        because: why any would, one sentence each.
        unreachable: what erase can't reach, one sentence each.
    """

    example_ids: tuple[str, ...]
    source: Path
    copy: Path
    taken: Taken
    split: dict[str, Any]
    roles: dict[str, int]
    answers: tuple[str, ...]
    others: int
    moved: int
    renamed: dict[str, str]
    because: tuple[str, ...]
    holding: Holding
    unreachable: tuple[str, ...]

    def format(self) -> str:
        """Say so in words."""
        roles = ", ".join(f"{count} {name}" for name, count in self.roles.items())
        lines = [
            f"rows              {len(self.example_ids)}: {roles}",
            f"source            {self.source}: {len(self.taken.changed)} of its files change or go",
            f"answers           {len(self.answers)} lines of {ANNOTATIONS}",
            f"stored            {len(self.holding.objects)} files that were made of tables with these rows, "
            f"{len(self.holding.models)} models among them",
            f"other rows        of {self.others}, {self.moved} get another role, "
            f"{len(self.renamed)} another id",
            *(f"                  {each}" for each in self.because),
        ]
        return "\n".join([*lines, *(f"out of reach      {each}" for each in self.unreachable)])


@contextmanager
def planned(example_ids: Sequence[str]) -> Iterator[Plan]:
    """Look at everything and change nothing; the copy of the source goes at the end of the block.

    Raises:
        SelfsameError: an id is no example's, the project isn't committed or is stale, or its source is of a
            kind that can't be written.
    """
    ids = tuple(dict.fromkeys(example_ids))
    data, split = load_section("data", DATA), load_section("split", SplitParams)
    require_writable(data)
    _require_settled()
    with TemporaryDirectory(prefix="erase-", dir=_scratch()) as folder:
        before = _looked(data, split, Path(data.path))
        assert before.given is not None and before.source is not None
        names = _hex(before.given.ids)
        rows = np.flatnonzero(np.isin(names, ids))
        for one in ids:
            if one not in names[rows]:
                receipt = erased(one)
                said = erased_words(receipt) if receipt else "no example of the data has this id"
                raise SelfsameError(f"{one}: {said}", "copy the ids from a table, or from 'selfsame rows'")
        whole = split.model_copy(update={"exclude": []})
        drawn = decide(before.given, before.source.info, whole, data.path)
        tombs, roles = _tombstones(before, drawn.roles, rows, split)
        copy = Path(folder) / Path(data.path).name
        taken = copy_without(before, data, rows.tolist(), copy)
        after = _looked(data, split, copy)
        assert after.given is not None and after.source is not None
        new = SplitParams.model_validate(whole.model_dump() | {"erased": tombs})
        then = decide(after.given, after.source.info, new, data.path)
        stay = np.delete(np.arange(len(names)), rows)  # in the order of the new source
        renamed = {
            str(old): str(new)
            for old, new in zip(names[stay], _hex(after.given.ids), strict=True)
            if old != new
        }
        exclude = [renamed.get(each, each) for each in split.exclude if each not in ids]
        moved = int((drawn.roles[stay] != then.roles).sum())
        answered = read_annotations(ANNOTATIONS) if ANNOTATIONS.exists() else {}
        yield Plan(
            ids,
            Path(data.path),
            copy,
            taken,
            {"erased": tombs, "exclude": exclude},
            roles,
            tuple(each for each in ids if each in answered),
            len(stay),
            moved,
            renamed,
            tuple(_because(before, after, split, moved, bool(renamed))),
            find_holding(Snapshot(), ids),
            tuple(_unreachable(ids)),
        )


def _because(before: Survey, after: Survey, split: SplitParams, moved: int, renamed: bool) -> Iterator[str]:
    """Say why other rows get another role or id."""
    assert before.source is not None and after.source is not None
    if renamed:
        same = set(after.source.info.columns)
        columns = [each.name for each in before.source.info.columns if each not in same]
        yield (
            f"an id is a digest of the row's features, and those of column {', '.join(columns)} change with "
            "the rows; a role goes by the id: nothing measured before compares with what comes after"
        )
    elif moved and split.group_column:
        yield f"groups ({split.group_column}) stay whole, and fill the roles otherwise without the rows"


def _looked(data: DataParams, split: SplitParams, place: Path) -> Survey:
    found = look(data, split, place)
    stop_if_any(found.faults)
    return found


def _hex(ids: np.ndarray) -> np.ndarray:
    return np.array([f"{high:016x}{low:016x}" for high, low in ids.tolist()])


def _scratch() -> Path:
    SCRATCH.mkdir(exist_ok=True)
    return SCRATCH


def _require_settled() -> None:
    """Stop unless all is committed and current: what is erased must be what the records know."""
    if changed := git("status", "--porcelain", "--", ".").splitlines():
        raise SelfsameError(f"{changed[0][3:]}: not committed", "commit or restore what was changed")
    if behind := list(stale(Snapshot())):
        raise SelfsameError(f"the project is stale: {behind[0]}", "'dvc repro', and commit")


def _tombstones(
    found: Survey, roles: np.ndarray, rows: np.ndarray, split: SplitParams
) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Add the rows to ``split.erased``; count their roles. Copies and unlabeled rows hold no place."""
    assert found.given is not None and found.source is not None
    counts = {name: Counter(cast("dict[str, int]", each)) for name, each in split.erased.items()}
    strata, names = found.source.info.labels.strata(found.given.labels)
    of_role: Counter[str] = Counter()
    for row in rows:
        role = ROLE_NAMES.get(int(roles[row]), "without a role")
        of_role[role] += 1
        if strata[row] >= 0 and int(roles[row]) in ROLE_NAMES:
            counts.setdefault(names[strata[row]], Counter())[role] += 1
    return {name: dict(sorted(each.items())) for name, each in sorted(counts.items())}, dict(of_role)


def _unreachable(ids: Sequence[str]) -> Iterator[str]:
    """Name where the rows may be and nobody here can take them out."""
    source = load_section("data", DATA).path
    for path in (ANNOTATIONS, PARAMS_FILE, LINEAGE):
        if commits := _commits_with(ids, path):
            yield f"git history: {len(commits)} commits with ids of theirs in {path}, last {commits[0][:12]}"
    if tracked := (ask("log", "--format=%H", "--", source) or b"").decode().split():
        yield f"git history: {len(tracked)} commits of {source}"
    for tag in tags_with(RELEASE_WORD):
        yield f"the release of tag {tag.name}, wherever it was handed to"
    yield "clones, backups, earlier versions that a remote keeps by itself, and copies in another form"


def _commits_with(ids: Sequence[str], path: Path) -> list[str]:
    found: list[str] = []
    for one in ids:
        log = ask("log", "--all", "--format=%H", f"-S{one}", "--", path.as_posix()) or b""
        found += log.decode().split()
    return list(dict.fromkeys(found))
