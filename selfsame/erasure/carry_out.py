"""An erasure carried out: the source, the labels, the parameters, a new run, the stored bytes, a receipt."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ruamel.yaml import YAML

from selfsame.audit.receipts import write_receipt
from selfsame.audit.snapshot import Snapshot
from selfsame.core.annotations import format_annotations, read_annotations
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ANNOTATIONS, ATTESTATIONS, LINEAGE, LOCK_FILE, PARAMS_FILE
from selfsame.dag.commit import check_git, commit_files, sign_records
from selfsame.dag.execute import run_stage
from selfsame.dag.plan import read_plan
from selfsame.dag.workspace import hold_workspace
from selfsame.dsse import wrap
from selfsame.erasure.plan import Plan
from selfsame.erasure.purge import kept_objects, purge, remove_requests, still_there
from selfsame.git import ask, head
from selfsame.observe.hashing import both_digests
from selfsame.observe.record import heads
from selfsame.params.overrides import with_overrides


def carry_out(plan: Plan, key: Path | None, say: Callable[[str], None]) -> Path:
    """Erase what a plan names, and return the receipt; a run that fails leaves all as it was.

    Args:
        key: PEM file of the private key that signs the receipt; None leaves it unsigned.

    Raises:
        SelfsameError: git has no author or branch, a stage failed, or the rows came back.
    """
    check_git()
    commit = head()
    wrap(b"", key)  # a wrong key stops here, before anything is changed
    with hold_workspace(say=say) as workspace:
        former = _former_objects(plan)
        with _edited(plan):
            run = read_plan()
            for one in run.stages:
                outcome = run_stage(workspace, one.stage, say)
                say(f"{one.stage}: {outcome.kind}")
                if outcome.kind == "failed":
                    raise SelfsameError(
                        f"stage {one.stage} failed without the rows: {outcome.error}",
                        "source, labels and parameters are as before: 'dvc checkout', mend it, and try again",
                    )
            snapshot = Snapshot()
            _require_gone(snapshot, plan)
    cached, remote, left = purge(plan.holding.objects | former, kept_objects(snapshot))
    requests = remove_requests(plan.example_ids)
    words = {
        *(each.encode() for each in plan.example_ids),
        *(each for each in plan.taken.words if len(each) > 15),
    }
    left += [
        f"{path}: still has bytes of the rows; delete it, or take them out" for path in still_there(words)
    ]
    for line in left:
        say(f"left: {line}")
    done = {
        "commitBefore": commit,
        "sourceFilesChanged": len(plan.taken.changed),
        "answersRemoved": len(plan.answers),
        "requestsRemoved": requests,
        "objectsRemoved": {"cache": cached, "remote": remote},
        "modelsBefore": list(plan.holding.models),
        "otherRows": {"anotherRole": plan.moved, "anotherId": len(plan.renamed)},
        "recordsAfter": heads(LINEAGE),
        "outOfReach": [*plan.unreachable, *left],
    }
    if key is not None:
        sign_records(key)
    receipt = write_receipt(plan.example_ids, done, key)
    tracked = [
        path for path in (ANNOTATIONS, plan.source) if ask("ls-files", "--error-unmatch", "--", str(path))
    ]
    paths = [PARAMS_FILE, LOCK_FILE, LINEAGE, ATTESTATIONS, *run.metrics, *tracked]
    message = f"Erase {len(plan.example_ids)} rows\n\nreceipt {receipt}"
    commit_files(message, [str(path) for path in paths if path.exists()])
    return receipt


def _former_objects(plan: Plan) -> set[str]:
    """Return how DVC would know the source's files that change, if it stores them."""
    files = [plan.source / path for path in plan.taken.changed]
    own = next(
        (dep.md5 for stage in Snapshot().lock.values() for dep in stage.deps if dep.path == plan.source), None
    )
    return {str(both_digests(path).md5) for path in files} | ({own} if own else set())


@contextmanager
def _edited(plan: Plan) -> Iterator[None]:
    """Write source, labels and parameters without the rows; put all back if the block fails."""
    with TemporaryDirectory(prefix="former-", dir=plan.copy.parent) as folder:
        kept: list[tuple[Path, Path]] = []

        def set_aside(path: Path) -> None:
            backup = Path(folder) / str(len(kept))
            shutil.copy2(path, backup)
            kept.append((path, backup))

        try:
            for place in plan.taken.changed:
                path, new = plan.source / place, plan.copy / place
                set_aside(path)
                if new.exists():
                    _replace(path, new.read_bytes())
                else:
                    path.unlink()
            if plan.answers or (plan.renamed and ANNOTATIONS.exists()):
                set_aside(ANNOTATIONS)
                stay = [
                    replace(each, example_id=plan.renamed.get(name, name))
                    for name, each in read_annotations(ANNOTATIONS).items()
                    if name not in plan.answers
                ]
                ANNOTATIONS.write_text(format_annotations(stay), encoding="utf-8")
            set_aside(PARAMS_FILE)
            _write_split(plan)
            yield
        except BaseException:
            for path, backup in kept:
                _replace(path, backup.read_bytes())
            raise


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f".partial-{path.name}")
    partial.write_bytes(content)
    if path.exists():
        shutil.copymode(path, partial)
    partial.replace(path)


def _write_split(plan: Plan) -> None:
    yaml = YAML()
    yaml.width = 1 << 16  # lines stay as they are written
    params = yaml.load(PARAMS_FILE)
    written = params.get("split", {})
    changed = {key: value for key, value in plan.split.items() if value or key in written}
    yaml.dump(with_overrides(params, {f"split.{key}": value for key, value in changed.items()}), PARAMS_FILE)


def _require_gone(snapshot: Snapshot, plan: Plan) -> None:
    table = snapshot.current.table("examples")
    back = [each for each in plan.example_ids if table is not None and table.find(each) is not None]
    if back:
        raise SelfsameError(f"{len(back)} of the rows are still in the examples", "see where data.path leads")
