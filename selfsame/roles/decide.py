"""Every row's role, or the reason why it has none: what the stage split does, and inspect foretells."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.params.split import SplitParams
from selfsame.roles.draw import draw_roles
from selfsame.roles.given import Given, halves
from selfsame.roles.repeats import Repeats, find_repeats, refuse_contradictions, refuse_repeats
from selfsame.roles.rows import DROPPED, HOLDOUT, LABELED, POOL, ROLE_NAMES, VALIDATION

HAS_ROLE, REPEAT, CONTRADICTING, EXCLUDED, GROUP = range(5)
REASONS = ("", "repeat", "contradicting", "excluded", "group")  # why a row has no role, by code
OWN_DATA = ("table", "images", "arrays")  # sources whose labels and pool are the user's to mend


@dataclass(frozen=True)
class Decision:
    """What becomes of every row.

    Attributes:
        roles: (N,) int8 of ``roles.draw``.
        reasons: (N,) int8, an index into ``REASONS``.
        repeats: which rows repeat others.
    """

    roles: np.ndarray
    reasons: np.ndarray
    repeats: Repeats


def decide(given: Given, info: TableInfo, params: SplitParams, examples: str) -> Decision:
    """Drop what is repeated, contradicting or withdrawn, and draw the roles of the others.

    Args:
        examples: where the rows come from, for messages.

    Raises:
        SelfsameError: rows repeat each other, contradict each other, or are too few; a withdrawn example is
            not there; or own data leave no pool.
    """
    repeats = find_repeats(given)
    if params.duplicates != "drop_contradicting":
        refuse_contradictions(repeats, given.labels, info.classes, examples)
    if params.duplicates == "stop":
        refuse_repeats(repeats, examples)
    reasons = np.full(len(given.labels), HAS_ROLE, dtype=np.int8)
    reasons[repeats.dropped] = REPEAT
    reasons[repeats.contradicting] = CONTRADICTING
    # Where none is dropped, as in most tables, nothing is copied.
    left = np.flatnonzero(reasons == HAS_ROLE) if reasons.any() else slice(None)
    labels = given.labels[left]
    strata, names = info.labels.strata(labels)
    roles = np.full(len(reasons), DROPPED, dtype=np.int8)
    roles[left] = draw_roles(given.rows(left, strata), names, params)
    reasons[(roles == DROPPED) & (reasons == HAS_ROLE)] = GROUP
    excluded = _excluded(given.ids, params.exclude)  # after the draw: their places stay empty
    roles[excluded], reasons[excluded] = DROPPED, EXCLUDED
    _refuse_nothing_left(roles[left], strata, names)
    if params.empty_pool == "stop" and info.source in OWN_DATA and not (roles == POOL).any():
        raise SelfsameError(
            f"{examples}: no row is left for the pool: every row has a label, and each is used as one "
            f"(split.labels_per_class = {params.labels_per_class})",
            "bring rows without a label; or name the word that stands for none in data.unlabeled_values; or "
            "set split.labels_per_class to a number, which hides the other labels; or split.empty_pool to "
            "allow, to learn from labeled rows alone",
        )
    return Decision(roles, reasons, repeats)


def account(decision: Decision, given: Given) -> dict[str, Any]:
    """Say what became of every row and of every label that the source gives; each is counted once."""
    labeled = ~np.isnan(given.labels)

    def count(rows: np.ndarray) -> dict[str, int]:
        return {"rows": int(rows.sum()), "labels": int((rows & labeled).sum())}

    roles = {name: count(decision.roles == role) for role, name in ROLE_NAMES.items()}
    dropped = {name: count(decision.reasons == code) for code, name in enumerate(REASONS) if code != HAS_ROLE}
    aside = decision.repeats.dropped & (given.own > 0)
    return {
        "rows": len(labeled),
        "labels": int(labeled.sum()),
        "roles": roles,
        "dropped": dropped,
        "repeats_of_own_validation_or_holdout": count(aside),
    }


def said(accounted: dict[str, Any]) -> list[str]:
    """Return the sentences on what was dropped, with what that does to the holdout."""
    lines = []
    for name, text in (
        ("repeat", "repeat the inputs of another row, which stays"),
        ("contradicting", "have the inputs of another row and another label: all copies are left out"),
        ("excluded", "are withdrawn by split.exclude"),
        ("group", "have no label and are of a group that others of which judge or are learned: left out"),
    ):
        part = accounted["dropped"][name]
        if part["rows"]:
            lines.append(f"{part['rows']} rows, {part['labels']} of them labeled, {text}")
    if lines:
        held = accounted["roles"]["holdout"]["rows"]
        own = accounted["repeats_of_own_validation_or_holdout"]["rows"]
        lost = f", after {own} of the source's own validation and holdout rows were dropped" if own else ""
        lines.append(f"the holdout has {held} rows, no two alike{lost}")
    return lines


def _excluded(ids: np.ndarray, exclude: list[str]) -> np.ndarray:
    """Return which rows are withdrawn: (N,) bool.

    Raises:
        SelfsameError: an id is not in the data, so that a mistyped one doesn't stay in unnoticed.
    """
    found = np.zeros(len(ids), bool)
    for name in exclude:
        rows = (ids == halves(pa.array([name]))).all(axis=1) if _is_id(name) else np.zeros(len(ids), bool)
        if not rows.any():
            raise SelfsameError(
                f"params.yaml: split.exclude names {name!r}, which no example has as its id",
                "copy the id from the table, or remove it from split.exclude",
            )
        found |= rows
    return found


def _refuse_nothing_left(roles: np.ndarray, strata: np.ndarray, names: tuple[str, ...]) -> None:
    """Stop if too few labels or withdrawals leave a class without a labeled row, or nothing to judge by."""
    if not (roles == HOLDOUT).any():
        raise SelfsameError(
            "params.yaml: split leaves no row for the holdout, so that nothing could be measured",
            "label more rows: three of some class are needed, to learn, to choose and to measure by",
        )
    lacking = [name for at, name in enumerate(names) if not (roles[strata == at] == LABELED).any()]
    if lacking or not (roles == VALIDATION).any():
        said = f"labeled rows of {', '.join(map(repr, lacking))}" if lacking else "validation rows"
        raise SelfsameError(
            f"params.yaml: split.exclude leaves no {said}; what is withdrawn is not replaced, so that no "
            "other row moves",
            "raise split.labels_per_class or split.validation_per_class, or choose another split.seed",
        )


def _is_id(name: str) -> bool:
    return len(name) == 32 and set(name) <= set("0123456789abcdef")
