"""Line charts as SVG text that is set into the page: themed by its CSS, the same bytes every time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from selfsame.report.findings import Findings
from selfsame.report.gate import THRESHOLDS, Gate
from selfsame.selection.record import GateRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Stand-ins that matplotlib draws with; in the SVG they become the page's own colours, light or dark.
INK, SOFT, LINE, STUDENT, BASELINE = (f"#00000{digit}" for digit in range(1, 6))
CSS_NAMES = {INK: "ink", SOFT: "soft", LINE: "line", STUDENT: "student", BASELINE: "baseline"}
COLOURS = {"baseline": BASELINE, "student": STUDENT}

CHOSEN = {"linewidth": 1.2, "linestyle": (0, (4, 3))}
TRAINING = {"linewidth": 1.1, "linestyle": (0, (3, 2)), "alpha": 0.75}
SIZE = (5.2, 3.6)  # inches; the page scales it, so only the proportion and the relative text size count
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": SOFT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 11,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",  # text stays text: searchable, read aloud, in the page's font
    "xtick.color": SOFT,
    "ytick.color": SOFT,
}


class Trained(Protocol):
    """A model with the curves of its training."""

    @property
    def name(self) -> str:
        """``baseline`` or ``student``."""
        ...

    @property
    def history(self) -> Mapping[str, np.ndarray]:
        """The columns of ``history.csv``."""
        ...


def gate_figure(gate: Gate) -> str:
    """Draw precision above coverage, both against the threshold on an axis that counts nines."""

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        nines = _nines(THRESHOLDS)
        known = [index for index in range(len(THRESHOLDS)) if gate.precision_at(index).total]
        if known:
            shares = [gate.precision_at(index) for index in known]
            low, high = np.array([share.interval for share in shares]).T
            above.fill_between(
                nines[known], low, high, color=STUDENT, alpha=0.2, linewidth=0, label="95 % interval"
            )
            above.plot(nines[known], [share.value for share in shares], color=STUDENT, label="precision")
        coverage = [gate.coverage_at(index).value for index in range(len(THRESHOLDS))]
        below.plot(nines, np.array(coverage, dtype=float), color=BASELINE, label="coverage")
        if gate.threshold is not None and gate.threshold < 1:
            for axes, label in ((above, "chosen threshold"), (below, "")):
                axes.axvline(_nines(gate.threshold), color=INK, **CHOSEN, label=label)
        ticks = (0, 0.5, 0.9, 0.99, 0.999, 0.9999)
        below.set_xticks([_nines(tick) for tick in ticks], [f"{tick:g}" for tick in ticks])
        below.set_xlim(0, 4)
        below.set_ylim(0, 1.02)
        below.set_xlabel("threshold")
        above.set_ylabel("precision")
        below.set_ylabel("coverage")

    return svg("gate", draw)


def reliability_figure(record: GateRecord) -> str:
    """Draw how often labels of each confidence are right, by raw and by calibrated confidence."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=INK, **CHOSEN, label="as confident as right")
        kinds = ((record.before, BASELINE, "raw"), (record.after, STUDENT, "calibrated"))
        for reliability, colour, name in kinds:
            filled = [place for place, rows in enumerate(reliability.rows) if rows]
            shares = [reliability.shares[place] for place in filled]
            confidence = [reliability.confidence[place] for place in filled]
            axes.plot(confidence, shares, "o-", color=colour, markersize=5, label=name)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(-0.02, 1.04)
        axes.set_xlabel("mean confidence")
        axes.set_ylabel("share right")

    return svg("reliability", draw)


def ranking_figure(findings: Findings) -> str:
    """Draw ROC and precision against recall of both models on the holdout, for two classes."""

    def draw(figure: Figure) -> None:
        from sklearn.metrics import precision_recall_curve, roc_curve

        left, right = figure.subplots(1, 2)
        for model in findings.models:
            scores, colour = model.holdout, COLOURS[model.name]
            false_rate, true_rate, _ = roc_curve(scores.actual, scores.positive)
            left.plot(false_rate, true_rate, color=colour, label=model.name)
            precision, recall, _ = precision_recall_curve(scores.actual, scores.positive)
            right.plot(recall, precision, color=colour)
        left.set_xlabel("false positive rate")
        left.set_ylabel("true positive rate")
        right.set_xlabel("recall")
        right.set_ylabel("precision")
        for axes in (left, right):
            axes.set_ylim(0, 1.03)

    return svg("ranking", draw)


def loss_figure(models: Sequence[Trained], unit: str) -> str:
    """Draw training and validation loss of both models, on a log axis, with the epoch of lowest loss."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for model in models:
            colour, history = COLOURS[model.name], model.history
            epoch, validation = history["epoch"], history["validation_loss"]
            axes.plot(
                epoch, history["training_loss"], color=colour, **TRAINING, label=f"{model.name}, training"
            )
            axes.plot(epoch, validation, color=colour, label=f"{model.name}, validation")
            best = best_epoch(validation)
            axes.plot(epoch[best], validation[best], "o", color=colour, markersize=6)
        axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit)

    return svg("loss", draw)


def accuracy_figure(findings: Findings) -> str:
    """Draw the validation accuracy of both models, with the epoch of lowest validation loss."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for model in findings.models:
            colour, history = COLOURS[model.name], model.history
            epoch, accuracy = history["epoch"], history["validation_accuracy"]
            axes.plot(epoch, accuracy, color=colour, label=model.name)
            best = best_epoch(history["validation_loss"])
            axes.plot(epoch[best], accuracy[best], "o", color=colour, markersize=6)
        axes.set_ylim(top=1.01)
        axes.set_xlabel("epoch")
        axes.set_ylabel("validation accuracy")

    return svg("accuracy", draw)


def best_epoch(validation_loss: np.ndarray) -> int:
    """Return the position of the best epoch: the first of the lowest loss."""
    return int(np.nanargmin(validation_loss))


def _nines(threshold: np.ndarray | float) -> np.ndarray:
    """Place thresholds on the axis: 0 at 0, 1 at 0.9, 2 at 0.99."""
    return -np.log10(1 - np.asarray(threshold))


def svg(name: str, draw: Callable[[Figure], None]) -> str:
    """Draw a figure into an SVG element; its name keeps its ids apart from other figures' on the page."""
    from matplotlib.figure import Figure
    from matplotlib.style import context

    # From the defaults, so that nobody's own matplotlibrc reaches the bytes. Ids inside the SVG are hashes
    # of content and salt: a salt per figure keeps them apart on one page.
    with context(["default", {**STYLE, "svg.hashsalt": name}]):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure)
        if any(axes.get_legend_handles_labels()[1] for axes in figure.axes):  # an empty pool draws nothing
            figure.legend(loc="outside upper left", ncols=2, fontsize=10)
        return _inline(figure)


def _inline(figure: Figure) -> str:
    """Return the figure as an SVG element for HTML, without what only a file of its own needs."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true">', svg, count=1)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # names like axes_1, the same in every figure
    for stand_in, css_name in CSS_NAMES.items():
        svg = svg.replace(stand_in, f"var(--{css_name})")
    return svg
