"""What an audit says of classes, right or wrong, and of values, which are off: here alone it asks which.

Everything is counted anew from the tables, a batch in memory at a time.
"""

from collections import Counter
from functools import cache
from math import sqrt
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from selfsame.audit.case import NOT_RECORDED, Asked, Case
from selfsame.audit.execution import HUMAN_ROLES
from selfsame.audit.facts import count_by, count_values, share
from selfsame.audit.held import Held, Table
from selfsame.core.layout import ID, INFO_KEY


@cache
def target_of(case: Case) -> "Classes | Values":
    """Return what the model under audit learned, as the labeled rows' table tells it."""
    info = case.held("labeled").metadata("labeled", INFO_KEY)
    return Values(case) if info.get("target") == "regression" else Classes(case, info.get("classes", []))


@cache
def label_counts(case: Case) -> dict[str, dict[str, int]]:
    """Return role → class → rows with a human label, and for the pool with a machine one, by decision."""
    target = target_of(case)
    tables = {role: case.held(role).table(role) for role in HUMAN_ROLES}
    decided = target.decisions(case.held("pseudo_labels").table("pseudo_labels"))
    return {role: target.rows(table) for role, table in tables.items() if table} | decided


def score_name(metrics: dict[str, Any]) -> str:
    """Name the score that models are known by: ``accuracy``, or ``r2`` of values."""
    return "r2" if "r2" in metrics["baseline"]["holdout"] else "accuracy"


class Classes:
    """Labels are classes.

    Attributes:
        kind: as a table's description names it.
        names: of classes.
        missing_names: what a card says where there are none.
        decided_by: columns that each machine label should have.
        within: what roles are drawn within, in words.
    """

    kind = "classification"
    missing_names = "not recorded"
    decided_by = frozenset({"calibrated_confidence"})
    within = " within each class"

    def __init__(self, case: Case, names: list[str]) -> None:
        self.case, self.names = case, names

    def rows(self, table: Table) -> dict[str, int]:
        """Count the rows of a table of labeled rows by class; values are one class, ``values``."""
        return self._named(count_by(table, "label"))

    def decisions(self, labels: Table | None) -> dict[str, dict[str, int]]:
        """Count the accepted and the rejected labels of a gate, by class."""
        decided = count_by(labels, "pseudo_label", "accepted")
        return {
            word: self._named(
                Counter({(label,): rows for (label, kept), rows in decided.items() if kept is accepted})
            )
            for word, accepted in (("accepted", True), ("rejected", False))
        }

    def precision(self, made: Held | None = None) -> dict[str, Any] | None:
        """Compare accepted labels with hidden ones; None of values, and where none is known.

        Args:
            made: where the labels are, if not those that the model learned from.
        """
        pairs = _compared(self.case, made)
        if pairs is None:
            return None
        right: Counter[int] = Counter()
        known: Counter[int] = Counter()
        for (label, true), rows in count_values(pairs).items():
            if true is not None:
                known[label] += rows
                right[label] += rows if label == true else 0
        return {
            "overall": share(right.total(), known.total()),
            "per_class": {name: share(right[index], known[index]) for index, name in enumerate(self.names)},
        }

    def quality(self) -> Asked:
        """Say how good the accepted labels are, by the hidden ones."""
        found = self.precision()
        if found is None:
            return f"{NOT_RECORDED}: no hidden labels are known for the pool", {}
        if not found["overall"]["total"]:
            return "No accepted label has a hidden one beside it, to be compared with.", found
        known = {name: entry for name, entry in found["per_class"].items() if entry["total"]}
        worst = min(known, key=lambda name: known[name]["value"])
        return (
            f"{_share_words(found['overall'])} of the accepted labels are right; the worst class is {worst} "
            f"with {_share_words(known[worst])}. Counted anew against labels hidden from the models.",
            found,
        )

    def shares(self) -> Asked:
        """Say how each class's share of rows differs from the source's."""
        prior = (self.case.held("manifest").document("manifest") or {}).get("rows_per_class", {})
        counts = label_counts(self.case) | {"prior": prior}
        shares = {word: _shares(rows) for word, rows in counts.items()}
        if not self.names or not prior:
            return NOT_RECORDED, {}
        if not shares["accepted"]:
            said = "No machine label was accepted, so none shifts the shares."
            return said, {"rows": counts, "shares": shares}
        furthest = max(
            self.names, key=lambda name: abs(shares["accepted"].get(name, 0) - shares["prior"][name])
        )
        accepted, expected = (shares[word].get(furthest, 0) for word in ("accepted", "prior"))
        return (
            f"Class {furthest} is furthest from its share: {accepted:.1%} of the accepted labels, "
            f"{expected:.1%} of the source.",
            {"rows": counts, "shares": shares},
        )

    def _named(self, counts: Counter[tuple[Any, ...]]) -> dict[str, int]:
        return {name: counts[(index,)] for index, name in enumerate(self.names)}


class Values:
    """Labels are numbers; it answers as ``Classes`` does."""

    kind = "regression"
    missing_names = "none, it names values"
    decided_by: frozenset[str] = frozenset()
    within = ""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.names: list[str] = []

    def rows(self, table: Table) -> dict[str, int]:
        """See ``Classes``."""
        return {"values": table.rows}

    def decisions(self, labels: Table | None) -> dict[str, dict[str, int]]:
        """See ``Classes``."""
        decided = count_by(labels, "accepted")
        return {"accepted": {"values": decided[True,]}, "rejected": {"values": decided[False,]}}

    def precision(self, made: Held | None = None) -> dict[str, Any] | None:
        """See ``Classes``."""
        return None

    def quality(self) -> Asked:
        """See ``Classes``."""
        pairs = _compared(self.case)
        if pairs is None:
            return f"{NOT_RECORDED}: no hidden values are known for the pool", {}
        rows, squared = 0, 0.0
        for pair in pairs:
            off = pc.subtract(*pair.columns)
            rows += len(off) - off.null_count
            squared += pc.sum(pc.multiply(off, off)).as_py() or 0.0
        found = {"rows": rows, "error": sqrt(squared / rows) if rows else None}
        if not rows:
            return "No accepted value has a hidden one beside it, to be compared with.", found
        return (
            f"Values are not right or wrong, but off: by {found['error']:.4g} (root mean square) on "
            f"{rows} accepted rows. Measured anew against the hidden values.",
            found,
        )

    def shares(self) -> Asked:
        """See ``Classes``."""
        return "A regression has no classes.", {}


def _compared(case: Case, made: Held | None = None) -> list[pa.Table] | None:
    """Return accepted machine labels beside the true ones, null where unknown; None if none is known."""
    hidden = case.held("hidden_labels").table("hidden_labels")
    labels = (made or case.held("pseudo_labels")).table("pseudo_labels")
    if hidden is None or labels is None or not hidden.rows:
        return None
    truth = hidden.read(ID, "label")
    # Both have the pool's order, so that some of one are looked for among as many of the other; if they
    # haven't, in a chain that nobody should have, among all.
    for in_order in (True, False):
        pairs, start = [], 0
        for chunk in labels.chunks(ID, "pseudo_label", "accepted"):
            known = truth.slice(start, len(chunk)) if in_order else truth
            places = pc.index_in(chunk[ID], value_set=known[ID])
            start += len(places) - places.null_count
            true = known["label"].take(places)
            columns = {"label": chunk["pseudo_label"], "true": true}
            pairs.append(pa.table(columns).filter(chunk["accepted"]))
        if start == len(truth):
            break
    return pairs


def _shares(counts: dict[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def _share_words(entry: dict[str, Any]) -> str:
    low, high = entry["interval_95"]
    return f"{entry['value']:.1%} of {entry['total']} (with 95 % certainty {low:.1%} to {high:.1%})"
