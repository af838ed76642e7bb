"""Which row gets which role: drawn class by class, the same for any order of the rows."""

from dataclasses import dataclass

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.params.split import SplitParams

LABELED, VALIDATION, CALIBRATION, POOL, HOLDOUT, DROPPED = range(6)
ROLE_NAMES = {
    LABELED: "labeled",
    VALIDATION: "validation",
    CALIBRATION: "calibration",
    POOL: "pool",
    HOLDOUT: "holdout",
}
OWN_VALIDATION, OWN_HOLDOUT = 1, 2  # what the source itself sets a row aside for; 0: for nothing


@dataclass(frozen=True)
class Rows:
    """What the draw goes by, of rows that are all different.

    Attributes:
        ids: (N, 2) uint64, of the content: what makes the draw independent of the rows' order.
        labels: (N,) int64 class indices, negative where unknown; a regression's rows are all of class 0.
        own: (N,) int8, what the source sets a row aside for.
    """

    ids: np.ndarray
    labels: np.ndarray
    own: np.ndarray


@dataclass(frozen=True)
class Amounts:
    """How many labeled rows of one class get which role, and what is wrong with that."""

    holdout: int
    labeled: int
    validation: int
    fault: str | None


def draw_roles(rows: Rows, classes: tuple[str, ...], params: SplitParams) -> np.ndarray:
    """Draw a role for every row; one without a label goes to the pool.

    Returns:
        (N,) int8 roles.

    Raises:
        SelfsameError: classes have too few rows, all of them named; or the source's own holdout or
            validation is asked for and there is none, or it isn't and there is.
    """
    _as_the_source_has_it("holdout_fraction", params.holdout_fraction, "holdout", rows, OWN_HOLDOUT)
    _as_the_source_has_it(
        "validation_per_class", params.validation_per_class, "validation", rows, OWN_VALIDATION
    )
    random = np.random.default_rng(params.seed)
    roles = np.full(len(rows.labels), POOL, dtype=np.int8)
    by_id = np.lexsort((rows.ids[:, 1], rows.ids[:, 0]))
    faults = []
    for index, name in enumerate(classes):
        own_rows = random.permutation(by_id[rows.labels[by_id] == index])
        amounts = amounts_of(params, name, rows.own[own_rows])
        faults += [amounts.fault] if amounts.fault else []
        roles[own_rows] = _roles_of_class(rows.own[own_rows], amounts, params)
    if faults:
        raise SelfsameError(
            "\n".join(faults),
            "bring more labeled rows of these classes, or change split.labels_per_class or "
            "split.validation_per_class",
        )
    return roles


def amounts_of(params: SplitParams, name: str, own: np.ndarray) -> Amounts:
    """Count what a class gives to every role.

    Args:
        own: (N,) what the source sets the class's labeled rows aside for.
    """
    given, judges = int((own == OWN_HOLDOUT).sum()), int((own == OWN_VALIDATION).sum())
    if params.holdout_fraction is not None:
        given = _rows(params.holdout_fraction, len(own) - judges) if len(own) > 2 else 0
    rest = len(own) - given
    validation = judges if params.validation_per_class is None else _rows(params.validation_per_class, rest)
    wanted = params.labels_per_class
    labeled = max(1, rest - validation) if wanted == "all" else _rows(wanted, rest)
    if isinstance(wanted, float):  # rounding may ask for a row more than there is
        labeled -= labeled + validation == rest + 1
    if labeled and labeled + validation <= rest:
        return Amounts(given, labeled, validation, _no_checkpoint(params, name, validation))
    fault = (
        f"params.yaml: split.labels_per_class = {wanted} and split.validation_per_class = "
        f"{params.validation_per_class} need {labeled} and {validation} rows of {name!r}, at least one "
        f"each; it has {rest} beside the holdout"
    )
    return Amounts(0, 0, 0, fault)


def _no_checkpoint(params: SplitParams, name: str, validation: int) -> str | None:
    if not validation or round(params.calibration_fraction * validation) < validation:
        return None
    return (
        f"params.yaml: split.calibration_fraction = {params.calibration_fraction} leaves none of "
        f"{validation} validation rows of {name!r} to choose checkpoints by"
    )


def _rows(wanted: float, rows: int) -> int:
    """Return a number of rows, or a share of ``rows``, which is one at least."""
    return wanted if isinstance(wanted, int) else max(1, round(wanted * rows))


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
