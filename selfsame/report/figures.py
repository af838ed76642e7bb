"""Line charts as SVG text that is set into the page: themed by its CSS, the same bytes every time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from selfsame.report.gate import Gate, Kept
from selfsame.report.scores import MEASURES
from selfsame.report.words import capital

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from selfsame.report.findings import Findings, ModelFindings

# Stand-ins that matplotlib draws with; in the SVG they become the page's own colors, light or dark.
INK, SOFT, LINE, STUDENT, BASELINE = (f"#00000{digit}" for digit in range(1, 6))
CSS_NAMES = {INK: "ink", SOFT: "soft", LINE: "line", STUDENT: "student", BASELINE: "baseline"}
COLORS = {"baseline": BASELINE, "student": STUDENT}

CHOSEN: dict[str, Any] = {"linewidth": 1.2, "linestyle": (0, (4, 3))}
TRAINING: dict[str, Any] = {"linewidth": 1.1, "linestyle": (0, (3, 2)), "alpha": 0.75}
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


@dataclass(frozen=True)
class Drawn:
    """A figure of the page: an SVG element, what it shows, and what to see in it."""

    svg: str
    label: str
    caption: str


def gate_figure(
    gate: Gate,
    level: str,
    quality: tuple[str, Callable[[Kept], float | None]],
    *,
    place: Callable[[Any], Any] = np.asarray,
    ticks: Sequence[float] = (),
) -> str:
    """Draw the quality of what is kept above its coverage, both against the level.

    Args:
        level: what it is called.
        quality: how it is called, and its value; an interval is drawn around that of a share.
        place: of a level on the axis.
        ticks: levels to mark; left to matplotlib if there are none.
    """
    name, of = quality
    explored, chosen = gate.explored, gate.level

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        x = {kept.level: float(place(kept.level)) for kept in explored}
        known = [kept for kept in explored if of(kept) is not None]
        if known:
            where = [x[kept.level] for kept in known]
            if gate.errors is None:
                low, high = np.array([kept.right.interval for kept in known]).T
                above.fill_between(
                    where, low, high, color=STUDENT, alpha=0.2, linewidth=0, label="95 % interval"
                )
            above.plot(where, [of(kept) for kept in known], color=STUDENT, label=name)
        coverage = np.array([kept.coverage.value for kept in explored], dtype=float)
        below.plot(list(x.values()), coverage, color=BASELINE, label="coverage")
        if chosen is not None and x and np.isfinite(place(chosen)) and place(chosen) <= 2 * max(x.values()):
            for axes, label in ((above, f"chosen {level}"), (below, "")):
                axes.axvline(float(place(chosen)), color=INK, **CHOSEN, label=label)
        if ticks:
            below.set_xticks([float(place(tick)) for tick in ticks], [f"{tick:g}" for tick in ticks])
        else:
            above.set_ylim(bottom=0)
        below.set_xlim(left=0)
        below.set_ylim(0, 1.02)
        below.set_xlabel(level)
        above.set_ylabel(name)
        below.set_ylabel("coverage")

    return svg("gate", draw)


def training_figures(findings: Findings) -> dict[str, Drawn]:
    """Draw losses on a log axis, and the first measure that trainings keep on validation rows, by epoch."""
    kept = findings.baseline.history
    measure = next(name for name in findings.baseline.holdout.measures if f"validation_{name}" in kept)
    words = findings.target.words
    best = []
    for model in findings.models:
        loss, epochs = model.history["validation_loss"], model.history["epoch"]
        at = best_epoch(loss)
        best.append(f"{model.name} {int(epochs[at])} of {int(epochs[-1])}, loss {loss[at]:.3f}")
    return {
        "loss": Drawn(
            loss_figure(findings.models, words.loss),
            "Loss of both trainings, by epoch",
            f"{capital(words.loss)}, by epoch, on a log axis. The dot is the epoch of lowest validation "
            f"loss: {'; '.join(best)}.",
        ),
        "progress": Drawn(
            progress_figure(findings.models, measure),
            f"Validation {MEASURES[measure][0]} of both trainings, by epoch",
            f"{MEASURES[measure][0].capitalize()} on the validation rows, by epoch; the dot is the epoch of "
            "lowest validation loss.",
        ),
    }


def loss_figure(models: Sequence[ModelFindings], unit: str) -> str:
    """Draw training and validation loss, on a log axis, with the epoch of lowest loss."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for model in models:
            color, history = COLORS[model.name], model.history
            epoch, validation = history["epoch"], history["validation_loss"]
            axes.plot(
                epoch, history["training_loss"], color=color, **TRAINING, label=f"{model.name}, training"
            )
            axes.plot(epoch, validation, color=color, label=f"{model.name}, validation")
            best = best_epoch(validation)
            axes.plot(epoch[best], validation[best], "o", color=color, markersize=6)
        axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit)

    return svg("loss", draw)


def progress_figure(models: Sequence[ModelFindings], measure: str) -> str:
    """Draw a measure on validation rows, with the epoch of lowest validation loss."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for model in models:
            color, history = COLORS[model.name], model.history
            epoch, progress = history["epoch"], history[f"validation_{measure}"]
            axes.plot(epoch, progress, color=color, label=model.name)
            best = best_epoch(history["validation_loss"])
            axes.plot(epoch[best], progress[best], "o", color=color, markersize=6)
        axes.set_ylim(top=1.01)
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"validation {MEASURES[measure][0]}")

    return svg("progress", draw)


def best_epoch(validation_loss: np.ndarray) -> int:
    """Return the position of the best epoch among those that were validated: the first of the lowest loss."""
    return int(np.nanargmin(validation_loss))


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
