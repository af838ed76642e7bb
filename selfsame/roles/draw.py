"""Which row gets which role: drawn class by class, the same for any order of the rows."""

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.params.split import SplitParams
from selfsame.roles.apart import draw_grouped, draw_timed
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
    random = np.random.default_rng(params.seed)
    amounts = [amounts_of(params, name, rows.own[rows.labels == index]) for index, name in enumerate(classes)]
    if faults := [each.fault for each in amounts if each.fault]:
        raise SelfsameError(
            "\n".join(faults),
            "bring more labeled rows of these classes, or change split.labels_per_class or "
            "split.validation_per_class",
        )
    if rows.group is not None:
        return draw_grouped(rows, rows.group, amounts, params, random)
    if rows.time is not None:
        return draw_timed(rows, rows.time, amounts, params, random)
    roles = np.full(len(rows.labels), POOL, dtype=np.int8)
    by_id = np.lexsort((rows.ids[:, 1], rows.ids[:, 0]))
    for index, each in enumerate(amounts):
        own_rows = random.permutation(by_id[rows.labels[by_id] == index])
        roles[own_rows] = _roles_of_class(rows.own[own_rows], each, params)
    return roles


def _roles_of_class(own: np.ndarray, amounts: Amounts, params: SplitParams) -> np.ndarray:
    """Give the rows of a class, in the order drawn, their roles."""
    roles = np.full(len(own), POOL, dtype=np.int8)
    if params.holdout_fraction is None:
        roles[own == OWN_HOLDOUT] = HOLDOUT
    else:
        free = np.flatnonzero((own != OWN_VALIDATION) | (params.validation_per_class is not None))
        roles[free[: amounts.holdout]] = HOLDOUT
    if params.validation_per_class is None:
        roles[own == OWN_VALIDATION] = VALIDATION
    rest = np.flatnonzero(roles == POOL)
    roles[rest[: amounts.labeled]] = LABELED
    if params.validation_per_class is not None:
        roles[rest[amounts.labeled : amounts.labeled + amounts.validation]] = VALIDATION
    judges = np.flatnonzero(roles == VALIDATION)
    roles[judges[len(judges) - round(params.calibration_fraction * len(judges)) :]] = CALIBRATION
    return roles


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
