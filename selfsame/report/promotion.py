"""The promotion: which model is the champion, by what all say of rows that none has learned."""

from dataclasses import dataclass
from typing import NamedTuple

from selfsame.report.scores import Scores
from selfsame.report.target import Target
from selfsame.stats.resampling import permutation_test


class Rival(NamedTuple):
    """A model against the one that it would replace.

    Attributes:
        present_error, error: mean distances from the truth, of the one to be replaced and of the rival.
        p_value: how often a rival that is no better would be so much nearer.
        worse: whether it gets fewer rows right, or is farther off, which keeps the other in any case.
    """

    present_error: float
    error: float
    p_value: float
    worse: bool

    @classmethod
    def of(cls, target: Target, present: Scores, rival: Scores) -> "Rival":
        """Compare two models on the same rows."""
        one, other = (target.distances(each) for each in (present, rival))
        worse = bool(rival.errors.sum() > present.errors.sum())
        return cls(float(one.mean()), float(other.mean()), permutation_test(one - other).better, worse)

    def wins(self, level: float) -> bool:
        """Tell whether it is the better one at this level."""
        return self.p_value <= level and not self.worse


@dataclass(frozen=True)
class Promotion:
    """The choice of the champion.

    Attributes:
        student: against the baseline.
        reference: the scikit-learn baseline, against the better of the two.
        level: the largest p-value that promotes.
        open: whether the scikit-learn baseline may be the champion.
        out_of_fold_rows: labeled and validation rows by which it is compared with the baseline, out of fold;
            0: both are compared on validation rows.
    """

    student: Rival
    reference: Rival
    level: float
    open: bool = True
    out_of_fold_rows: int = 0

    @property
    def trained(self) -> str:
        """Name the better of ``baseline`` and ``student``."""
        return "student" if self.student.wins(self.level) else "baseline"

    @property
    def champion(self) -> str:
        """Name the promoted model: ``baseline``, ``student`` or ``reference``."""
        return "reference" if self.open and self.reference.wins(self.level) else self.trained


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
    first = Rival.of(target, baseline, student)
    promoted = first.wins(level)
    second = Rival.of(target, student if promoted else baseline, reference)
    if out_of_fold is None:
        return Promotion(first, second, level, open_to_reference)
    folded = Rival.of(target, *out_of_fold)
    if promoted:  # both are to be beaten
        folded = folded._replace(
            p_value=max(folded.p_value, second.p_value), worse=folded.worse or second.worse
        )
    return Promotion(first, folded, level, open_to_reference, len(out_of_fold[0]))
