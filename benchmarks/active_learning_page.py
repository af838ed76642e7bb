"""The curves of ``benchmarks/active_learning.py`` as a table and a figure."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Curves = dict[str, dict[int, tuple[np.ndarray, np.ndarray]]]  # by strategy and draw: labels and accuracy
RANDOM = "random"
COLUMNS = ("strategy", "draw", "labels", "accuracy")


def read_curves(path: Path) -> Curves:
    """Return the curves that were made so far."""
    points: dict[str, dict[int, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                point = int(row["labels"]), float(row["accuracy"])
                points[row["strategy"]][int(row["draw"])].append(point)
    return {
        strategy: {draw: _columns(curve) for draw, curve in draws.items()}
        for strategy, draws in points.items()
    }


def _columns(points: Sequence[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    labels, accuracy = zip(*points, strict=True)
    return np.array(labels), np.array(accuracy)


def mean_curve(draws: Mapping[int, tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and the mean accuracy over the draws, whose rounds are the same."""
    (labels, *_), accuracies = zip(*draws.values(), strict=True)
    return labels, np.mean(accuracies, axis=0)


def labels_needed(labels: np.ndarray, accuracy: np.ndarray, goal: float) -> float | None:
    """Return with how many labels a curve reaches the goal, between two rounds by a straight line.

    More labels don't make a net worse but by chance: the curve is the rising one that is nearest to the
    measured one (isotonic regression), so that a single lucky round doesn't count. None if it stays below.
    """
    from sklearn.isotonic import isotonic_regression

    rising = isotonic_regression(accuracy)
    (reached,) = np.nonzero(rising >= goal)
    if not len(reached):
        return None
    place = reached[0]
    if place == 0:
        return float(labels[0])
    pair = slice(place - 1, place + 1)
    return float(np.interp(goal, rising[pair], labels[pair]))


def write_table(curves: Curves, goals: Sequence[int]) -> str:
    """Return the labels that every strategy needs for what random reaches with ``goals``, mean ± std.

    The share saved is that of the means.
    """
    labels, accuracy = mean_curve(curves[RANDOM])
    targets = [float(accuracy[labels == goal][0]) for goal in goals]
    heads = [f"labels to {target:.3f}" for target in targets]
    lines = [f"| strategy | draws | {' | '.join(heads)} |", "|---|---|" + "---|" * len(goals)]
    needed = {
        strategy: [[labels_needed(*curve, target) for curve in draws.values()] for target in targets]
        for strategy, draws in curves.items()
    }
    for strategy, columns in needed.items():
        cells = [_cell(own, base) for own, base in zip(columns, needed[RANDOM], strict=True)]
        lines.append(f"| {strategy} | {len(curves[strategy])} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(own: Sequence[float | None], base: Sequence[float | None]) -> str:
    found = [value for value in own if value is not None]
    if len(found) < len(own):
        return f"reached in {len(found)} of {len(own)} draws"
    text = f"{np.mean(found):.0f} ± {np.std(found, ddof=1) if len(found) > 1 else 0:.0f}"
    if own is base or None in base:
        return text
    saved = 1 - np.mean(found) / np.mean([value for value in base if value is not None])
    return f"{text} ({'saves' if saved > 0 else 'costs'} {abs(saved):.0%})"


def draw_figure(named: Mapping[str, Curves], figure: Path) -> None:
    """Draw the mean curves of every data set side by side."""
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "selfsame", "font.size": 9})
    size = (4.6 * len(named), 3.6)
    panels, every = plt.subplots(1, len(named), figsize=size, layout="constrained", squeeze=False)
    names = list(dict.fromkeys(name for curves in named.values() for name in curves))
    for axes, (title, curves) in zip(every[0], named.items(), strict=True):
        for strategy, draws in curves.items():
            special = {"color": "black", "lw": 2.2} if strategy == RANDOM else {"lw": 1.3}
            style = {"color": f"C{names.index(strategy) - 1}"} | special
            axes.plot(*mean_curve(draws), marker=".", ms=4, label=strategy, **style)
        axes.set(title=title, xlabel="labels", ylabel="holdout accuracy, mean of the draws")
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    panels.savefig(figure, facecolor="white", metadata={"Date": None})
    plt.close(panels)
