"""The promotion: which model is the champion, by what all say of rows that none has learned."""

from dataclasses import dataclass
from typing import NamedTuple

from selfsame.report.scores import Scores
from selfsame.report.target import Target
from selfsame.stats.resampling import permutation_test


@dataclass(frozen=True)
class Promotion:
    """The choice of the champion.

    Attributes:
        baseline_error, student_error: mean distances from the truth on the validation rows.
        p_value: how often a student that is no better would be so much nearer.
        level: the largest p-value that promotes.
        worse: whether the student gets fewer rows right, or is farther off, which keeps the baseline in any
            case.
        reference_error, reference_p_value, reference_worse: the same of the scikit-learn baseline, against
            the better of the two.
        open: whether the scikit-learn baseline may be the champion.
        out_of_fold_rows: labeled and validation rows by which it is compared with the baseline, out of fold;
            0: both are compared on validation rows.
    """

    baseline_error: float
    student_error: float
    p_value: float
    level: float
    worse: bool
    reference_error: float
    reference_p_value: float
    reference_worse: bool
    open: bool = True
    out_of_fold_rows: int = 0

    @property
    def trained(self) -> str:
        """Name the better of ``baseline`` and ``student``."""
        return "student" if self.p_value <= self.level and not self.worse else "baseline"

    @property
    def champion(self) -> str:
        """Name the promoted model: ``baseline``, ``student`` or ``reference``."""
        simple = self.reference_p_value <= self.level and not self.reference_worse
        return "reference" if simple and self.open else self.trained


def promote(
    target: Target,
    baseline: Scores,
    student: Scores,
    reference: Scores,
    level: float,
    open_to_reference: bool = True,
    out_of_fold: tuple[Scores, Scores] | None = None,
) -> Promotion:
    """Let another model replace the baseline only if luck seldom puts one of the same skill so far ahead.

    Of fifty rows two models seldom differ on more than three, too few to tell anything by. So all rows
    count, by how far the answers are from the truth.

    Args:
        baseline, student, reference: on the same rows.
        level: the largest p-value that promotes.
        open_to_reference: whether the scikit-learn baseline may be the champion.
        out_of_fold: baseline and scikit-learn baseline on labeled and validation rows together, each row
            by models that have not learned it. There, where it is known, the two are compared: on more rows.
            A student, whose labels come of a teacher that has learned the labeled rows, is compared on
            validation rows in any case.
    """
    first = _compare(target, baseline, student)
    promoted = first.p_value <= level and not first.worse
    second = _compare(target, student if promoted else baseline, reference)
    if out_of_fold is not None:
        folded = _compare(target, *out_of_fold)
        if promoted:  # both are to be beaten
            folded = folded._replace(
                p_value=max(folded.p_value, second.p_value), worse=folded.worse or second.worse
            )
        second = folded
    return Promotion(
        first.errors[0],
        first.errors[1],
        first.p_value,
        level,
        first.worse,
        second.errors[1],
        second.p_value,
        second.worse,
        open_to_reference,
        0 if out_of_fold is None else len(out_of_fold[0]),
    )


class _Compared(NamedTuple):
    errors: tuple[float, float]
    p_value: float
    worse: bool


def _compare(target: Target, present: Scores, rival: Scores) -> _Compared:
    one, other = (target.distances(each) for each in (present, rival))
    worse = bool(rival.errors.sum() > present.errors.sum())
    return _Compared((float(one.mean()), float(other.mean())), permutation_test(one - other).better, worse)
