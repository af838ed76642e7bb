"""What a survey found, as one page that needs nothing from outside: histograms and thumbnails."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from selfsame.pages.picture import picture
from selfsame.pages.template import fill
from selfsame.start.report import report_lines
from selfsame.start.survey import Survey

TEMPLATE = Path(__file__).with_name("inspect.html.j2")
BARS = 24
WORDS = 12
THUMBNAILS = 8  # of each class
Bars = list[tuple[str, int]]  # what a bar stands for, and how many rows it has


@dataclass(frozen=True)
class ColumnView:
    """A column as it is shown."""

    name: str
    kind: str
    why: str
    missing: int
    problem: str
    bars: Bars


def render_page(found: Survey) -> str:
    """Return the page."""
    return fill(
        TEMPLATE,
        place=str(found.place),
        columns=list(_columns(found)),
        galleries=_galleries(found),
        accounted=found.accounted,
        faults=found.faults,
        notes=found.notes,
        lines=list(report_lines(found)),
    )


def _columns(found: Survey) -> list[ColumnView]:
    if found.analysis is None:
        return []
    rows = sum(found.analysis.rows)
    views = []
    for name, verdict in found.analysis.verdicts.items():
        seen = found.analysis.seen[name]
        problem = verdict.fault.what if verdict.fault else verdict.note or ""
        most = sorted(seen.words.items(), key=lambda item: (-item[1], item[0]))[:WORDS]
        bars = most or _histogram(found, name)
        views.append(ColumnView(name, verdict.kind, verdict.why, rows - seen.known, problem, bars))
    return views


def _histogram(found: Survey, name: str) -> Bars:
    """Return a histogram of the first rows; nothing if they weren't encoded."""
    if found.source is None or found.sample is None or name not in found.source.info.features:
        return []
    values = found.sample[0][:, found.source.info.features.index(name)]
    values = values[~np.isnan(values)]
    if not len(values):
        return []
    counts, edges = np.histogram(values, BARS)
    spans = (f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges.tolist()))
    return list(zip(spans, counts.tolist(), strict=True))


def _galleries(found: Survey) -> list[tuple[str, list[str]]]:
    """Return the first images of each class, and of those without a label."""
    if found.source is None or found.sample is None or not found.source.info.image_shape:
        return []
    inputs, labels = found.sample
    brightest = int(inputs.max(initial=1))
    groups = [(name, labels == place) for place, name in enumerate(found.source.info.classes)]
    return [
        (name, [picture(each, brightest) for each in inputs[rows][:THUMBNAILS]])
        for name, rows in (*groups, ("no label", np.isnan(labels)))
        if rows.any()
    ]
