"""What is learned, classes or values, as the report needs to know it: the one protocol, and who fills it.

Nothing else in the report asks what the target is. A further kind of target is one more module like
``selfsame.report.classes`` and ``selfsame.report.values``, with a template that fills the page's blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from selfsame.report.classes import Classes
from selfsame.report.values import Values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from selfsame.core.tables import TableInfo
    from selfsame.report.figures import Drawn
    from selfsame.report.findings import Findings
    from selfsame.report.gate import Gate, Kept, Offer
    from selfsame.report.scores import Scores
    from selfsame.report.words import Words
    from selfsame.selection.confidence import Calibration


class Target(Protocol):
    """What is learned.

    Attributes:
        info: of the tables.
        words: how things are called.
        template: the page's, which fills the blocks of ``page.html.j2``.
    """

    info: TableInfo
    words: Words
    template: str

    # Models
    def score(self, labels: np.ndarray, said: np.ndarray) -> Scores:
        """Score what a model says against true labels (N,), NaN where unknown.

        Args:
            said: (N, K) probabilities, (N,) class indices, or (N,) values.

        Raises:
            SelfsameError: no row has a label.
        """
        ...

    def labels(self, said: np.ndarray) -> np.ndarray:
        """Return the class indices or values (N,) that a model says."""
        ...

    def distances(self, scores: Scores) -> np.ndarray:
        """Return how far each answer is from the truth (N,), finer than ``errors``: promotion goes by it."""
        ...

    def constant(self, labels: np.ndarray) -> float:
        """Return the best answer for who sees no input: the most frequent class, or the mean."""
        ...

    # The gate
    def gate(self, pseudo_labels: Path, hidden_labels: Path) -> Gate:
        """Compare pseudo-labels with the hidden labels, where they are known."""
        ...

    def calibration(self, said: np.ndarray, labels: np.ndarray, gate: Gate) -> Calibration:
        """Return what the champion's confidence, or its intervals, are worth, by the gate's judging rows.

        Args:
            said: what the champion says of them, as it was before it learned them, if it did.
        """
        ...

    def offers(self, gate: Gate) -> list[Offer]:
        """Return other settings of the gate."""
        ...

    def quality(self, kept: Kept) -> str:
        """Say how good kept labels of known truth are: "95.0 % right"."""
        ...

    def differ(self, one: np.ndarray, other: np.ndarray, gate: Gate) -> np.ndarray:
        """Tell which answers (N,) of two models mean something else: (N,) bool."""
        ...

    def kinds(self, labels: np.ndarray) -> np.ndarray:
        """Return the class of every label (N,) int64, by which the pool is thinned; values are of one."""
        ...

    # Words and pages
    def named(self, label: float) -> str:
        """Write a label."""
        ...

    def badness(self, scores: Scores) -> np.ndarray:
        """Return how bad each answer is (N,), 0 of one that is right: the worst are shown."""
        ...

    def doubts(self, findings: Findings) -> list[str]:
        """Return what a reader should doubt of this kind of target alone."""
        ...

    def metrics(self, findings: Findings) -> dict[str, dict[str, Any]]:
        """Return this target's own figures by section of ``metrics.json``."""
        ...

    def page(self, findings: Findings) -> tuple[dict[str, Drawn], dict[str, Any]]:
        """Return the page's figures by name, and what else its template needs."""
        ...

    def plots(self, findings: Findings) -> dict[str, Mapping[str, list[Any]]]:
        """Return the columns of what DVC plots: ``confusion_matrix``, ``threshold`` and ``reliability``."""
        ...


def target_of(info: TableInfo, metric: str | None = None) -> Target:
    """Return what a table's labels are.

    Args:
        metric: the score that models are known by; None for the usual one.
    """
    kind = {"classification": Classes, "regression": Values}[info.target]
    return kind(info) if metric is None else kind(info, metric)
