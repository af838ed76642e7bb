"""What a survey found, as one page that needs nothing from outside: histograms and thumbnails."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsame.pages.picture import picture
from selfsame.pages.template import fill, html
from selfsame.start.report import report_lines
from selfsame.start.survey import Survey

TEMPLATE = Path(__file__).with_name("inspect.html.j2")
BARS = 24
WORDS = 12
THUMBNAILS = 8  # of each class
WIDTH, HEIGHT = 240, 48  # of a histogram, in pixels


@dataclass(frozen=True)
class ColumnView:
    """A column as it is shown."""

    name: str
    kind: str
    why: str
    missing: int
    problem: str
    bars: str


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
        bars = _word_bars(seen.words) if seen.words else _number_bars(found, name)
        views.append(ColumnView(name, verdict.kind, verdict.why, rows - seen.known, problem, html(bars)))
    return views


def _number_bars(found: Survey, name: str) -> str:
    """Return a histogram of the first rows; nothing if they weren't encoded."""
    if found.source is None or found.sample is None or name not in found.source.info.features:
        return ""
    values = found.sample[0][:, found.source.info.features.index(name)]
    values = values[~np.isnan(values)]
    if not len(values):
        return ""
    counts, edges = np.histogram(values, BARS)
    labels = [
        f"{low:.4g} to {high:.4g}: {count}"
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    ]
    return _bars(counts.tolist(), labels)


def _word_bars(words: dict[str, int]) -> str:
    most = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:WORDS]
    return _bars([count for _, count in most], [f"{word}: {count}" for word, count in most])


def _bars(counts: list[int], labels: list[str]) -> str:
    step, top = WIDTH / len(counts), max(counts)
    bars = "".join(
        f'<rect x="{place * step:.1f}" y="{HEIGHT * (1 - count / top):.1f}" width="{max(step - 1, 1):.1f}" '
        f'height="{HEIGHT * count / top:.1f}"><title>{fill_text(label)}</title></rect>'
        for place, (count, label) in enumerate(zip(counts, labels, strict=True))
    )
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg {size} role="img" aria-label="How often each value is">{bars}</svg>'


def fill_text(text: str) -> str:
    """Escape a text for HTML."""
    from markupsafe import escape

    return str(escape(text))


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
