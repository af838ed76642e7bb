"""Groups that must not be parted, in one role each; and rows by time, the latest held out."""

from collections.abc import Sequence

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.params.split import SplitParams
from selfsame.roles.keyed import first, keys_of
from selfsame.roles.rows import (
    CALIBRATION,
    DROPPED,
    HOLDOUT,
    LABELED,
    OWN_HOLDOUT,
    OWN_VALIDATION,
    POOL,
    VALIDATION,
    Amounts,
    Rows,
)

JUDGES = (HOLDOUT, VALIDATION, LABELED)  # in the order in which they take their groups, and of the keys


def draw_grouped(
    rows: Rows, marks: np.ndarray, amounts: Sequence[Amounts], params: SplitParams
) -> np.ndarray:
    """Give every group one role, so that the classes' amounts are met as nearly as whole groups allow.

    Rows without a label are the pool's, if their group is; those of a group that judges are left out, and
    those of a labeled one as ``split.group_pool`` says.

    Args:
        marks: (N,) uint64, the same for rows of one group.
        amounts: of every class.

    Returns:
        (N,) int8 roles.

    Raises:
        SelfsameError: there are too few groups of some class.
    """
    known = rows.labels >= 0
    names, group = np.unique(marks, return_inverse=True)
    total = len(names)
    keys = keys_of(np.stack([np.zeros_like(names), names], axis=1), params.seed)
    counts = np.zeros((total, len(amounts)), np.int64)
    np.add.at(counts, (group[known], rows.labels[known]), 1)
    role_of = np.full(total, POOL, np.int8)
    for role, code, asked in (
        (HOLDOUT, OWN_HOLDOUT, params.holdout_fraction),
        (VALIDATION, OWN_VALIDATION, params.validation_per_class),
    ):
        if asked is None:
            role_of[np.unique(group[known & (rows.own == code)])] = role
    wanted = {
        HOLDOUT: [each.holdout for each in amounts],
        VALIDATION: [each.validation for each in amounts],
        LABELED: [each.labeled for each in amounts],
    }
    for role, key in zip(JUDGES, keys.T, strict=False):
        if not (role_of == role).any():
            order = np.argsort(key)
            free = order[(role_of[order] == POOL) & (counts[order].sum(axis=1) > 0)]
            every = role == LABELED and params.labels_per_class == "all"
            role_of[free if every else _fitting(counts, free, np.array(wanted[role]))] = role
    lacking = [role for role in JUDGES if not (role_of == role).any()]
    if lacking or not (counts[role_of == LABELED].sum(axis=0) > 0).all():
        per_class = (counts > 0).sum(axis=0)
        raise SelfsameError(
            f"params.yaml: split.group_column = {params.group_column}: {total} groups, and the rarest class "
            f"in {per_class.min()} of them, are too few for labeled, validation and holdout rows",
            "label rows of more groups, or choose a column with smaller groups",
        )
    roles = role_of[group]
    apart = (HOLDOUT, VALIDATION) if params.group_pool == "shared" else (HOLDOUT, VALIDATION, LABELED)
    roles[~known & np.isin(roles, apart)] = DROPPED
    roles[~known & (roles == LABELED)] = POOL
    return _set_calibration_aside(roles, role_of, group, keys[:, 3], params)


def _fitting(counts: np.ndarray, free: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return groups whose rows come near to what is wanted of every class, each class having some."""
    chosen: list[int] = []
    missing = wanted.astype(np.int64)
    for one in free:
        if np.abs(missing - counts[one]).sum() < np.abs(missing).sum():
            chosen.append(int(one))
            missing = missing - counts[one]
    for place in np.flatnonzero(wanted):
        if not counts[chosen, place].sum():
            others = [one for one in free if one not in chosen and counts[one, place]]
            chosen += sorted(others, key=lambda one: (counts[one].sum(), one))[:1]
    return np.array(chosen, np.int64)


def _set_calibration_aside(
    roles: np.ndarray, role_of: np.ndarray, group: np.ndarray, key: np.ndarray, params: SplitParams
) -> np.ndarray:
    """Give whole validation groups to calibration, up to its share of their rows."""
    judging = np.flatnonzero(role_of == VALIDATION)
    judging = judging[np.argsort(key[judging])]
    sizes = np.bincount(group[roles == VALIDATION], minlength=len(role_of))
    erased, calibrating = params.erased_of("validation"), params.erased_of("calibration")
    room = params.calibration_fraction * (sizes.sum() + erased + calibrating) - calibrating
    for one in judging[1:]:
        if sizes[one] <= room:
            roles[(group == one) & (roles == VALIDATION)] = CALIBRATION
            room -= sizes[one]
    return roles


def draw_timed(rows: Rows, time: np.ndarray, amounts: Sequence[Amounts], params: SplitParams) -> np.ndarray:
    """Hold out the latest labeled rows, validate by those before them, and learn from the earlier ones.

    Rows of the same time stay together, in the later role. Rows without a label are the pool's, of any time.

    Args:
        time: (N,) float64.

    Raises:
        SelfsameError: labeled rows have no time, or the earlier ones lack a class.
    """
    known = np.flatnonzero(rows.labels >= 0)
    time, ids, labels = time[known], rows.ids[known], rows.labels[known]  # few of a large pool
    if missing := int(np.isnan(time).sum()):
        raise SelfsameError(
            f"params.yaml: split.time_column = {params.time_column}: {missing} labeled rows have no time",
            "give them one, remove their label, or withdraw them by split.exclude",
        )
    drawn, keys = np.full(len(known), POOL, np.int8), keys_of(ids, params.seed)
    later = np.lexsort((ids[:, 1], ids[:, 0], time))
    for role, count in (
        (HOLDOUT, sum(each.holdout for each in amounts)),
        (VALIDATION, sum(each.validation for each in amounts)),
    ):
        cut = time[later[len(later) - count]] if 0 < count <= len(later) else np.inf
        drawn[later[time[later] >= cut]] = role
        later = later[time[later] < cut]
    for place, each in enumerate(amounts):
        own = later[labels[later] == place]
        count = len(own) if params.labels_per_class == "all" else each.labeled
        if not len(own) or len(own) < count:
            raise SelfsameError(
                f"params.yaml: split.time_column = {params.time_column}: {len(own)} labeled rows of class "
                f"{place} are earlier than the validation rows, and {max(1, count)} are needed",
                "label earlier rows of it, or lower split.validation_per_class or split.holdout_fraction",
            )
        drawn[first(keys[:, 2], own, count)] = LABELED
    judges = np.flatnonzero(drawn == VALIDATION)
    erased = params.erased_of("calibration")
    whole = len(judges) + params.erased_of("validation") + erased
    aside = max(0, round(params.calibration_fraction * whole) - erased)
    drawn[first(keys[:, 3], judges, aside)] = CALIBRATION
    roles = np.full(len(rows.labels), POOL, np.int8)
    roles[known] = drawn
    return roles
