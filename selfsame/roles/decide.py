"""Every row's role, or the reason why it has none: what the stage split does, and inspect foretells."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.labels import UNLABELED
from selfsame.core.space import pieces, space
from selfsame.core.tables import TableInfo
from selfsame.params.split import SplitParams
from selfsame.roles.draw import draw_roles
from selfsame.roles.given import Given
from selfsame.roles.repeats import Repeats, find_repeats, refuse_contradictions, refuse_repeats
from selfsame.roles.rows import DROPPED, HOLDOUT, LABELED, POOL, ROLE_NAMES, VALIDATION, Rows

HAS_ROLE, REPEAT, CONTRADICTING, EXCLUDED, GROUP = range(5)
REASONS = ("", "repeat", "contradicting", "excluded", "group")  # why a row has no role, by code
OWN_DATA = ("table", "images", "arrays")  # sources whose labels and pool are the user's to mend


@dataclass(frozen=True)
class Decision:
    """What becomes of every row.

    Attributes:
        roles: (N,) int8 of ``roles.draw``; it may lie in a file (``core.space``).
        reasons: (N,) int8, an index into ``REASONS``; likewise.
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
    total, names = len(given.labels), info.labels.strata(given.labels[:0])[1]
    reasons, strata = space((total,), np.int8), space((total,), np.int32)
    for rows, labels, why, own in pieces(given.labels, reasons, strata):
        kept, contradicting = repeats.of(rows)
        why[kept != np.arange(rows.start, rows.stop)] = REPEAT
        why[contradicting] = CONTRADICTING
        own[:] = np.where(why == HAS_ROLE, info.labels.strata(labels)[0], UNLABELED)
    roles = draw_roles(Rows(given.ids, strata, given.own, given.group, given.time), names, params)
    for _, role, why in pieces(roles, reasons):
        why[(role == DROPPED) & (why == HAS_ROLE)] = GROUP
        role[why != HAS_ROLE] = DROPPED
    excluded = _excluded(given, params.exclude)  # after the draw: their places stay empty
    roles[excluded], reasons[excluded] = DROPPED, EXCLUDED
    counts = np.zeros((len(names) + 1, DROPPED + 1), np.int64)  # the last of those without a label
    for _, own, role in pieces(strata, roles):
        np.add.at(counts, (own, role), 1)
    _refuse_nothing_left(counts, names)
    if params.empty_pool == "stop" and info.source in OWN_DATA and not counts[:, POOL].any():
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
    found = np.zeros((len(ROLE_NAMES) + 1, len(REASONS), 2), np.int64)
    aside = np.zeros(2, np.int64)
    for rows, role, why, labels, own in pieces(decision.roles, decision.reasons, given.labels, given.own):
        known = (~np.isnan(labels)).astype(np.int64)
        np.add.at(found, (role, why, known), 1)
        kept, _ = decision.repeats.of(rows)
        again = kept != np.arange(rows.start, rows.stop)
        aside += np.bincount(known[again & (own > 0)], minlength=2)

    def count(own: np.ndarray) -> dict[str, int]:
        return {"rows": int(own.sum()), "labels": int(own[..., 1].sum())}

    roles = {name: count(found[role]) for role, name in ROLE_NAMES.items()}
    dropped = {name: count(found[:, code]) for code, name in enumerate(REASONS) if code != HAS_ROLE}
    return {
        **count(found),
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


def _excluded(given: Given, exclude: list[str]) -> list[int]:
    """Return the rows that are withdrawn.

    Raises:
        SelfsameError: an id is not in the data, so that a mistyped one doesn't stay in unnoticed.
    """
    found = given.rows_of(exclude)
    for name, rows in found.items():
        if not rows:
            raise SelfsameError(
                f"params.yaml: split.exclude names {name!r}, which no example has as its id",
                "copy the id from the table, or remove it from split.exclude",
            )
    return [row for rows in found.values() for row in rows]


def _refuse_nothing_left(counts: np.ndarray, names: tuple[str, ...]) -> None:
    """Stop if too few labels or withdrawals leave a class without a labeled row, or nothing to judge by.

    Args:
        counts: rows of each class, and of none, that have each role.
    """
    if not counts[:, HOLDOUT].any():
        raise SelfsameError(
            "params.yaml: split leaves no row for the holdout, so that nothing could be measured",
            "label more rows: three of some class are needed, to learn, to choose and to measure by",
        )
    lacking = [name for name, own in zip(names, counts, strict=False) if not own[LABELED]]
    if lacking or not counts[:, VALIDATION].any():
        said = f"labeled rows of {', '.join(map(repr, lacking))}" if lacking else "validation rows"
        raise SelfsameError(
            f"params.yaml: split.exclude leaves no {said}; what is withdrawn is not replaced, so that no "
            "other row moves",
            "raise split.labels_per_class or split.validation_per_class, or choose another split.seed",
        )
