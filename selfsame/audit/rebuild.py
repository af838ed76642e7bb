"""A revision made anew from its commit and its source alone, and attested: who did, and what came out."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfsame.audit.attestations import REBUILD_TYPE, attest
from selfsame.audit.lineage import read_lineage
from selfsame.audit.records import Record
from selfsame.audit.snapshot import Snapshot, is_below
from selfsame.audit.stored import parse_lock
from selfsame.audit.witness import witnesses
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LINEAGE, LOCK_FILE, SCRATCH, WEIGHTS
from selfsame.dag.execute import run_child
from selfsame.dag.workspace import hold_workspace
from selfsame.git import git

CLONE = SCRATCH / "rebuild"
OWN_CACHE = "[cache]\n    dir = cache\n"  # of the clone: nothing is taken from what was computed before


@dataclass(frozen=True)
class Rebuilt:
    """What came out.

    Attributes:
        different: of every stage, the outputs that have other bytes than the revision's.
        otherwise: packages of another version than those that the revision ran with: was, is.
    """

    attestation: Path
    different: dict[str, list[str]]
    otherwise: dict[str, list[str | None]]

    @property
    def equal(self) -> bool:
        """Tell whether every output has the revision's bytes."""
        return not any(self.different.values())

    def format(self) -> str:
        """Say so in words."""
        lines = [
            f"{stage:<16}{'other bytes: ' + ', '.join(names) if names else 'the same bytes'}"
            for stage, names in self.different.items()
        ]
        if self.otherwise:
            pairs = self.otherwise.items()
            shown = [f"{name} {was or 'none'} → {now or 'none'}" for name, (was, now) in pairs]
            lines.append(f"packages of another version: {', '.join(shown)}")
        return "\n".join([*lines, f"attested in {self.attestation}: commit it"])


def rebuild(revision: str, key: Path | None, say: Callable[[str], None]) -> Rebuilt:
    """Clone a revision, run all stages there on an empty cache, and compare what they wrote.

    Source files that git doesn't have are taken from the workspace; that they are the revision's is part of
    the comparison, for the first stage's output shows it. The clone is removed.

    Args:
        key: PEM file of the private key that signs the attestation.

    Raises:
        SelfsameError: there is no such revision, it has no ``dvc.lock``, or a stage failed.
    """
    snapshot = Snapshot(revision)
    was, commit = snapshot.lock, snapshot.commit
    assert commit is not None
    with hold_workspace(say=say) as workspace:
        root = _clone(snapshot)
        child = run_child(workspace, "selfsame.dag.trial", [], say, {}, folder=root)
        if child.report is None or child.report["error"]:
            why = child.report["error"] if child.report else f"its process ended with status {child.status}"
            raise SelfsameError(f"rebuilding {revision}: {child.last_words(why)}", f"see {root}")
        now = parse_lock((root / LOCK_FILE).read_bytes())
        known = {record.path.stem for record in snapshot.lineage[0]}
        records = [each for each in read_lineage(root / LINEAGE)[0] if each.path.stem not in known]
    different = {}
    for name, stage in was.items():
        outs = {out.path: out.md5 for out in now[name].outs} if name in now else {}
        different[name] = [out.path.as_posix() for out in stage.outs if outs.get(out.path) != out.md5]
    before = map(snapshot.recorded, snapshot.outs.values())
    weights = {digest for files in before for name, digest in files.items() if Path(name).name == WEIGHTS}
    otherwise = _otherwise(snapshot, records)
    said: dict[str, Any] = {
        "commit": commit,
        "of": sorted(weights),
        "equal": not any(different.values()),
        "different": different,
        "environment": records[-1].environment | {"packages": None, "imported": None},
        "packagesOtherwise": otherwise,
    }
    subject = {digest: name for record in records for name, digest in record.outputs.items()}
    path = attest(REBUILD_TYPE, subject, said, key)
    shutil.rmtree(CLONE)
    return Rebuilt(path, different, otherwise)


def _clone(snapshot: Snapshot) -> Path:
    """Make a clone without outputs, lock file and cache; return the project's root in it."""
    top = Path(git("rev-parse", "--show-toplevel").strip())
    shutil.rmtree(CLONE, ignore_errors=True)
    SCRATCH.mkdir(exist_ok=True)
    git("clone", "--quiet", "--shared", "--no-checkout", str(top), str(CLONE))
    git("checkout", "--quiet", "--detach", str(snapshot.commit), at=CLONE)
    root = CLONE / Path.cwd().relative_to(top)
    (root / LOCK_FILE).unlink(missing_ok=True)
    (root / ".dvc/config.local").write_text(OWN_CACHE, encoding="utf-8")
    made = list(snapshot.outs)
    for dep in (each for stage in snapshot.lock.values() for each in stage.deps):
        name = dep.path.as_posix()
        if dep.path.is_absolute() or any(is_below(name, out) or is_below(out, name) for out in made):
            continue
        if dep.path.is_dir():
            held = {path.relative_to(root / dep.path) for path in (root / dep.path).rglob("*")}
            for path in dep.path.rglob("*"):
                if path.is_file() and path.relative_to(dep.path) not in held and path.suffix != ".pyc":
                    target = root / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, target)
        elif dep.path.is_file() and not (root / dep.path).exists():
            (root / dep.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(dep.path, root / dep.path)
    return root


def _otherwise(snapshot: Snapshot, records: list[Record]) -> dict[str, list[str | None]]:
    """Compare the packages of the executions behind a revision with those that rebuilt it."""
    before = [record for each in witnesses(snapshot).values() for record in each]
    if not before or not records:
        return {}
    was, now = before[-1].environment["packages"], records[-1].environment["packages"]
    changed = sorted(name for name in {*was, *now} if was.get(name) != now.get(name))
    return {name: [was.get(name), now.get(name)] for name in changed}
