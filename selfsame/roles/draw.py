"""Which row gets which role: drawn class by class, by a keyed hash of its id.

Within a class the holdout are the first rows in the order of one key, validation the first of the others in
the order of a second, labeled the first of what is left in that of a third; the rest is the pool. So the
order of rows means nothing, a label budget moves no row that judges, and a row that goes moves none, since
its place is kept: ``split.exclude`` leaves it in the draw, ``split.erased`` counts it in.
"""

from collections.abc import Sequence

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.space import let_go, pieces, space
from selfsame.params.split import SplitParams
from selfsame.roles.apart import draw_grouped, draw_timed
from selfsame.roles.keyed import keys_of
from selfsame.roles.rows import (
    CALIBRATION,
    HOLDOUT,
    LABELED,
    OWN_HOLDOUT,
    OWN_VALIDATION,
    POOL,
    VALIDATION,
    Amounts,
    Rows,
    amounts_of,
)

SHOWN = 5  # classes of a message
BITS = 20  # of the keys and classes that are counted at once: a million counts


def draw_roles(rows: Rows, classes: tuple[str, ...], params: SplitParams) -> np.ndarray:
    """Draw a role for every row; one without a label goes to the pool.

    Returns:
        (N,) int8 roles; they may lie in a file (``core.space``).

    Raises:
        SelfsameError: classes have too few rows, all of them named; or the source's own holdout or
            validation is asked for and there is none, or it isn't and there is; or there are too few groups.
    """
    own = np.zeros((len(classes), 3), np.int64)
    for _, labels, aside in pieces(rows.labels, rows.own):
        np.add.at(own, (labels[labels >= 0], aside[labels >= 0]), 1)
    _as_the_source_has_it("holdout_fraction", params.holdout_fraction, "holdout", own, OWN_HOLDOUT)
    _as_the_source_has_it(
        "validation_per_class", params.validation_per_class, "validation", own, OWN_VALIDATION
    )
    _of_known_classes(params, classes)
    amounts = [amounts_of(params, *each) for each in zip(classes, own, strict=True)]
    if faults := [each.fault for each in amounts if each.fault]:
        more = [f"and {len(faults) - SHOWN} more classes have too few"] if len(faults) > SHOWN else []
        raise SelfsameError(
            "\n".join([*faults[:SHOWN], *more]),
            "bring more labeled rows of these classes, or change split.labels_per_class or "
            "split.validation_per_class",
        )
    if rows.group is not None:
        return draw_grouped(rows, rows.group, amounts, params)
    if rows.time is not None:
        return draw_timed(rows, rows.time, amounts, params)
    return _draw_by_class(rows, amounts, int(own.sum()), params)


def _draw_by_class(rows: Rows, amounts: Sequence[Amounts], count: int, params: SplitParams) -> np.ndarray:
    """Draw class by class, by the keys of the ``count`` rows with a label, which may lie in files."""
    keys = [space((count,), np.uint64) for _ in range(4)]
    classes, drawn = space((count,), np.int32), space((count,), np.int8)
    end = 0
    for _, ids, labels, own in pieces(rows.ids, rows.labels, rows.own):
        known = labels >= 0
        start, end = end, end + int(known.sum())
        classes[start:end] = labels[known]
        drawn[start:end] = np.select(
            [
                (own[known] == OWN_HOLDOUT) & (params.holdout_fraction is None),
                (own[known] == OWN_VALIDATION) & (params.validation_per_class is None),
            ],
            [HOLDOUT, VALIDATION],
            POOL,
        )
        for each, part in zip(keys, keys_of(ids[known], params.seed).T, strict=True):
            each[start:end] = part
        let_go(*keys, classes, drawn)
    by_holdout, by_validation, by_labeled, by_calibration = keys
    if params.holdout_fraction is not None:
        _draw(by_holdout, classes, drawn, POOL, HOLDOUT, [each.holdout for each in amounts])
    if params.validation_per_class is not None:
        _draw(by_validation, classes, drawn, POOL, VALIDATION, [each.validation for each in amounts])
    _draw(by_labeled, classes, drawn, POOL, LABELED, [each.labeled for each in amounts])
    _draw(by_calibration, classes, drawn, VALIDATION, CALIBRATION, [each.calibration for each in amounts])
    roles, end = space((len(rows.labels),), np.int8), 0
    for _, labels, own in pieces(rows.labels, roles):
        start, end = end, end + int((labels >= 0).sum())
        own[:] = POOL
        own[labels >= 0] = drawn[start:end]
        let_go(drawn)
    return roles


def _draw(
    keys: np.ndarray, classes: np.ndarray, roles: np.ndarray, among: int, role: int, counts: list[int]
) -> None:
    """Give a role to so many rows of each class, those of the smallest keys among the rows of another one."""
    if not any(counts):
        return
    bits = max(1, min(BITS, len(keys).bit_length()) - len(counts).bit_length())  # that are counted by
    shift = np.uint64(64 - bits)
    found = np.zeros((len(counts), 1 << bits), np.int64)
    for _, key, of, has in pieces(keys, classes, roles):
        free = has == among
        np.add.at(found, (of[free], (key[free] >> shift).astype(np.int64)), 1)
    up_to = found.cumsum(axis=1)
    wanted = np.minimum(counts, up_to[:, -1])
    bins = (up_to < wanted[:, None]).sum(axis=1)  # in which the last one is that is taken
    near = [np.empty((0, 2), np.uint64)]
    for _, key, of, has in pieces(keys, classes, roles):
        close = (has == among) & ((key >> shift).astype(np.int64) == bins[of])
        near.append(np.stack([of[close].astype(np.uint64), key[close]], axis=1))
    ordered = np.concatenate(near)
    ordered = ordered[np.lexsort(ordered.T[::-1])]
    taking = np.flatnonzero(wanted)
    place = wanted[taking] - (up_to - found)[taking, bins[taking]] - 1  # of the last one, in its bin
    last = np.zeros(len(wanted), np.uint64)
    last[taking] = ordered[np.searchsorted(ordered[:, 0], taking.astype(np.uint64)) + place, 1]
    for _, key, of, has in pieces(keys, classes, roles):
        has[(has == among) & (wanted > 0)[of] & (key <= last[of])] = role


def _of_known_classes(params: SplitParams, classes: tuple[str, ...]) -> None:
    if unknown := sorted(set(params.erased) - set(classes)):
        raise SelfsameError(
            f"params.yaml: split.erased names {', '.join(map(repr, unknown))}, which is no class of the data",
            f"the classes are {', '.join(map(repr, classes[:20]))}; remove what isn't among them",
        )


def _as_the_source_has_it(key: str, value: float | None, role: str, rows: np.ndarray, code: int) -> None:
    """Let neither the source's own rows of a role be overlooked, nor ones be asked for that it hasn't."""
    own = int(rows[:, code].sum())
    if value is None and not own:
        raise SelfsameError(
            f"params.yaml: split.{key} = null, but the source sets no {role} aside",
            f"set split.{key} to a share of the rows, for example 0.25",
        )
    if value is not None and own:
        raise SelfsameError(
            f"params.yaml: split.{key} = {value}, but the source sets {own} labeled rows aside for {role}",
            f"set split.{key} to null to use them so; to have them drawn with the others, put all files into "
            "one folder, none called train, val or test",
        )
