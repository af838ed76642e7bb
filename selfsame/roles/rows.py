"""The roles, what they are drawn by, and how many labeled rows of a class get which."""

from dataclasses import dataclass

import numpy as np

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
    """What the draw goes by, of rows that are all different, but for those that are left out.

    Attributes:
        ids: (N, 2) uint64, of the content: what makes the draw independent of the rows' order.
        labels: (N,) int32 class indices, negative where unknown and of rows that are left out; a regression's
            rows are all of class 0.
        own: (N,) int8, what the source sets a row aside for.
        group: (N,) uint64, the same for rows that belong together, a digest of what they share; None where
            ``split.group_column`` names none.
        time: (N,) float64, NaN where unknown; None where ``split.time_column`` names none.
    """

    ids: np.ndarray
    labels: np.ndarray
    own: np.ndarray
    group: np.ndarray | None = None
    time: np.ndarray | None = None


@dataclass(frozen=True)
class Amounts:
    """How many labeled rows of one class get which role, and what is wrong with that.

    What was erased is taken off. ``calibration`` is a part of ``validation``.
    """

    holdout: int
    labeled: int
    validation: int
    calibration: int
    fault: str | None


def amounts_of(params: SplitParams, name: str, own: np.ndarray) -> Amounts:
    """Count what a class gives to every role, as if nothing had been erased; then take off what was.

    Args:
        own: (3,) how many of the class's labeled rows the source sets aside: for nothing, for validation, for
            the holdout.
    """
    erased = params.erased.get(name, {})
    judging = erased.get("validation", 0) + erased.get("calibration", 0)
    total = int(own.sum()) + sum(erased.values())
    given, judges = int(own[OWN_HOLDOUT]), int(own[OWN_VALIDATION])
    if params.validation_per_class is None:
        judges += judging
    if params.holdout_fraction is None:
        given += erased.get("holdout", 0)
    else:
        given = _rows(params.holdout_fraction, total - judges) if total > 2 else 0
    rest = total - given
    validation = judges if params.validation_per_class is None else _rows(params.validation_per_class, rest)
    wanted = params.labels_per_class
    labeled = max(1, rest - validation) if wanted == "all" else _rows(wanted, rest)
    if isinstance(wanted, float):  # rounding may ask for a row more than there is
        labeled -= labeled + validation == rest + 1
    if not labeled or labeled + validation > rest:
        fault = (
            f"params.yaml: split.labels_per_class = {wanted} and split.validation_per_class = "
            f"{params.validation_per_class} need {labeled} and {validation} rows of {name!r}, at least one "
            f"each; it has {rest} beside the holdout"
        )
        return Amounts(0, 0, 0, 0, fault)
    calibration = round(params.calibration_fraction * validation)
    left = labeled - erased.get("labeled", 0)
    return Amounts(
        max(0, given - erased.get("holdout", 0)),
        left,
        max(0, validation - judging),
        max(0, calibration - erased.get("calibration", 0)),
        _all_erased(name, labeled) if left < 1 else _no_checkpoint(params, name, validation),
    )


def _all_erased(name: str, labeled: int) -> str:
    return f"params.yaml: split.erased leaves none of {labeled} labeled rows of {name!r} to learn from"


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
