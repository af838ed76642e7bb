"""Which row gets which role: drawn class by class, by a keyed hash of its id.

Within a class the holdout are the first rows in the order of one key, validation the first of the others in
the order of a second, labeled the first of what is left in that of a third; the rest is the pool. So the
order of rows means nothing, a label budget moves no row that judges, and a row that goes moves none, since
its place is kept: ``split.exclude`` leaves it in the draw, ``split.erased`` counts it in.
"""

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.params.split import SplitParams
from selfsame.roles.apart import draw_grouped, draw_timed
from selfsame.roles.keyed import first, keys_of
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


def draw_roles(rows: Rows, classes: tuple[str, ...], params: SplitParams) -> np.ndarray:
    """Draw a role for every row; one without a label goes to the pool.

    Returns:
        (N,) int8 roles.

    Raises:
        SelfsameError: classes have too few rows, all of them named; or the source's own holdout or
            validation is asked for and there is none, or it isn't and there is; or there are too few groups.
    """
    _as_the_source_has_it("holdout_fraction", params.holdout_fraction, "holdout", rows, OWN_HOLDOUT)
    _as_the_source_has_it(
        "validation_per_class", params.validation_per_class, "validation", rows, OWN_VALIDATION
    )
    _of_known_classes(params, classes)
    amounts = [amounts_of(params, name, rows.own[rows.labels == index]) for index, name in enumerate(classes)]
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
    roles = np.full(len(rows.labels), POOL, dtype=np.int8)
    for index, each in enumerate(amounts):
        of_class = np.flatnonzero(rows.labels == index)
        keys = keys_of(rows.ids[of_class], params.seed)
        roles[of_class] = _roles_of_class(keys, rows.own[of_class], each, params)
    return roles


def _roles_of_class(keys: np.ndarray, own: np.ndarray, amounts: Amounts, params: SplitParams) -> np.ndarray:
    """Give the rows of a class their roles."""
    roles = np.full(len(own), POOL, dtype=np.int8)
    by_holdout, by_validation, by_labeled, by_calibration = keys.T
    if params.holdout_fraction is None:
        roles[own == OWN_HOLDOUT] = HOLDOUT
    else:
        free = np.flatnonzero((own != OWN_VALIDATION) | (params.validation_per_class is not None))
        roles[first(by_holdout, free, amounts.holdout)] = HOLDOUT
    if params.validation_per_class is None:
        roles[own == OWN_VALIDATION] = VALIDATION
    else:
        roles[first(by_validation, np.flatnonzero(roles == POOL), amounts.validation)] = VALIDATION
    roles[first(by_labeled, np.flatnonzero(roles == POOL), amounts.labeled)] = LABELED
    roles[first(by_calibration, np.flatnonzero(roles == VALIDATION), amounts.calibration)] = CALIBRATION
    return roles


def _of_known_classes(params: SplitParams, classes: tuple[str, ...]) -> None:
    if unknown := sorted(set(params.erased) - set(classes)):
        raise SelfsameError(
            f"params.yaml: split.erased names {', '.join(map(repr, unknown))}, which is no class of the data",
            f"the classes are {', '.join(map(repr, classes[:20]))}; remove what isn't among them",
        )


def _as_the_source_has_it(key: str, value: float | None, role: str, rows: Rows, code: int) -> None:
    """Let neither the source's own rows of a role be overlooked, nor ones be asked for that it hasn't."""
    own = int(((rows.own == code) & (rows.labels >= 0)).sum())
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
