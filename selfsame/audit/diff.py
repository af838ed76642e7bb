"""What differs between two models or revisions: data, code, parameters, environment, metrics, decisions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.audit.case import Case
from selfsame.audit.execution import ROLES
from selfsame.audit.held import Table
from selfsame.audit.snapshot import Snapshot
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import CHAMPION
from selfsame.dag.nested import changes, leaves


class Side:
    """One side of a comparison: a path, a revision, or ``REVISION:PATH`` (the champion's if left out).

    Args:
        seen: a snapshot from which the records are known already.

    Raises:
        SelfsameError: neither a path nor a revision is of that name.
    """

    def __init__(self, name: str, seen: Snapshot | None = None) -> None:
        revision, colon, path = name.partition(":")
        here = seen if seen and seen.revision is None else Snapshot()
        if name == "workspace":
            self.case = Case(here, CHAMPION)
        elif not colon and (Path(name).exists() or name in here.outs):
            self.case = Case(here, Path(name))
        else:
            self.case = Case(Snapshot(revision, here=here), Path(path or CHAMPION))
        self.name = name
        if not self.case.executions:
            raise SelfsameError(f"{name}: no record tells how it was made", "see 'selfsame audit'")
        self.executions = {each.record.stage: each.record for each in self.case.executions}

    def table(self, stem: str) -> Table | None:
        """Open the table of that stem that an execution behind the model has read."""
        has_read = any(each.read.has_table(stem) for each in self.case.executions)
        return self.case.held(stem).table(stem) if has_read else None


def compare(left: Side, right: Side) -> dict[str, Any]:
    """Return all differences, as values that JSON can hold; what is the same is left out."""
    found = {
        "data": _data(left, right),
        "code": changes(_code(left), _code(right)),
        "params": changes(dict(leaves(_params(left))), dict(leaves(_params(right)))),
        "environment": changes(_environment(left), _environment(right)),
        "metrics": changes(dict(leaves(left.case.metrics)), dict(leaves(right.case.metrics))),
        "pseudo_labels": _decisions(left, right),
    }
    return {"left": left.name, "right": right.name, **{key: value for key, value in found.items() if value}}


def _data(left: Side, right: Side) -> dict[str, Any]:
    """Count added, removed and relabeled rows of every role."""
    found: dict[str, Any] = {}
    for role in ROLES:
        before, after = _labels(left, role), _labels(right, role)
        if before is None or after is None or before.equals(after):
            if (before is None) != (after is None):
                found[role] = f"only behind {right.name if before is None else left.name}"
            continue
        places = pc.index_in(after["example_id"], value_set=before["example_id"])
        stayed = pc.is_valid(places)
        old = before["label"].take(places.drop_null())
        new = after["label"].filter(stayed)
        added = after.filter(pc.invert(stayed))["example_id"]
        gone = pc.invert(pc.is_in(before["example_id"], value_set=after["example_id"]))
        relabeled = after["example_id"].filter(stayed).filter(pc.fill_null(pc.not_equal(old, new), False))
        found[role] = {
            "added": len(added),
            "removed": pc.sum(gone).as_py(),
            "relabeled": len(relabeled),
            "first_added": added.slice(0, 5).to_pylist(),
            "first_removed": before["example_id"].filter(gone).slice(0, 5).to_pylist(),
            "first_relabeled": relabeled.slice(0, 5).to_pylist(),
        }
    return found


def _labels(side: Side, role: str) -> pa.Table | None:
    table = side.table(role)
    return table.read("example_id", "label").combine_chunks() if table else None


def _decisions(left: Side, right: Side) -> dict[str, Any]:
    """Count the pool rows whose machine label or decision differs, among those that both sides have."""
    columns = ["example_id", "pseudo_label", "accepted"]
    found = (side.table("pseudo_labels") for side in (left, right))
    tables = [table.read(*columns) for table in found if table]
    if len(tables) < 2:
        return {}
    before, after = tables
    places = pc.index_in(after["example_id"], value_set=before["example_id"])
    both = pc.is_valid(places)
    old, new = before.take(places.drop_null()), after.filter(both)
    flipped = np.asarray(pc.not_equal(old["pseudo_label"], new["pseudo_label"]))
    decided = np.asarray(pc.not_equal(old["accepted"], new["accepted"]))
    if not (flipped.any() or decided.any()):
        return {}
    return {
        "in_both": len(new),
        "label_flipped": int(flipped.sum()),
        "newly_accepted": int((decided & np.asarray(new["accepted"])).sum()),
        "newly_rejected": int((decided & np.asarray(old["accepted"])).sum()),
        "first_flipped": new["example_id"].filter(pa.array(flipped)).slice(0, 5).to_pylist(),
    }


def _code(side: Side) -> dict[str, str]:
    return {name: digest for record in side.executions.values() for name, digest in record.code.items()}


def _params(side: Side) -> dict[str, Any]:
    return {key: values for record in side.executions.values() for key, values in record.params.items()}


def _environment(side: Side) -> dict[str, Any]:
    """Return every fact of the environments; where the stages ran in different ones, all its values."""
    values: dict[str, set[str]] = {}
    for record in side.executions.values():
        for key, value in leaves(record.environment):
            values.setdefault(key, set()).add(value if isinstance(value, str) else json.dumps(value))
    return {key: " | ".join(sorted(found)) for key, found in values.items()}


def format_diff(found: dict[str, Any]) -> str:
    """Return a comparison as text for a person."""
    lines = [f"{found['left']} → {found['right']}"]
    for part in ("data", "code", "params", "environment", "metrics", "pseudo_labels"):
        lines.append(f"{part}: {'' if part in found else 'the same'}".rstrip())
        for key, value in found.get(part, {}).items():
            if isinstance(value, list) and len(value) == 2 and part not in ("data", "pseudo_labels"):
                before, after = (_short(item) for item in value)
                lines.append(f"  {key}: {before} → {after}")
            else:
                lines.append(f"  {key}: {value if isinstance(value, str) else json.dumps(value)}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] if len(text) == 64 else text
