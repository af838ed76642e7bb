"""The report: one self-contained HTML page that follows from the findings alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from selfsame.core.graph_file import read_stages
from selfsame.pages.picture import picture
from selfsame.pages.template import fill, html
from selfsame.report.advice import advice
from selfsame.report.figures import (
    accuracy_figure,
    best_epoch,
    gate_figure,
    loss_figure,
    ranking_figure,
    reliability_figure,
)
from selfsame.report.findings import Findings, warnings
from selfsame.report.gate import ROUND_THRESHOLDS, THRESHOLDS, Gate
from selfsame.report.graph import BAR, BOX, BOX_WIDTH, digest_of, draw_graph, parameters_id
from selfsame.stats.share import Share

TEMPLATES = Path(__file__).parent
NOTHING = "–"  # stands for a figure that is not defined


def render_report(findings: Findings) -> str:
    """Return the page; the same findings give the same bytes."""
    figures = {
        "gate": gate_figure(findings.gate),
        "reliability": reliability_figure(findings.gate.record),
        "loss": loss_figure(findings.models, "loss (nats)"),
        "accuracy": accuracy_figure(findings),
    }
    if findings.baseline.holdout.positive is not None and len(set(findings.baseline.holdout.actual)) == 2:
        figures["ranking"] = ranking_figure(findings)
    shown = [example for gallery in findings.galleries for example in gallery.examples]
    champion, other = sorted(findings.models, key=lambda model: model.name != findings.champion)
    return render_page(
        "page.html.j2",
        {},
        findings=findings,
        champion=champion,
        other=other,
        advice=advice(findings),
        warnings=warnings(findings),
        compared=(*findings.models, findings.reference),
        axis=Axis.holding([each.holdout.accuracy for each in (*findings.models, findings.reference)]),
        pool_parts=pool_parts(findings.gate),
        gate_rows=gate_rows(findings.gate),
        class_rows=class_rows(findings),
        heat=heat,
        best_epoch=best_epoch,
        **lineage(findings.digests, findings.settings),
        explored=explored(findings.gate),
        picture=picture,
        brightest=max((example.raw.max() for example in shown if findings.info.image_shape), default=0),
        figures=figures,
    )


def render_page(
    template: str, filters: Mapping[str, Callable[..., str]], figures: Mapping[str, str], **values: Any
) -> str:
    """Fill a template of this folder.

    Args:
        filters: besides those that all pages have.
        figures: SVG elements, set in as they are; everything else is escaped.
    """
    common = {
        "count": count,
        "decimal": decimal,
        "interval": interval,
        "number": number,
        "p_value": p_value,
        "percent": percent,
    }
    marked = {name: html(svg) for name, svg in figures.items()}
    return fill(TEMPLATES / template, {**common, **filters}, figures=marked, **values)


def explored(gate: Gate) -> dict[str, Any]:
    """Return what the slider over thresholds needs: the kept, known and right rows at each."""
    chosen = gate.threshold if gate.threshold is not None else 1.0
    return {
        "thresholds": [float(value) for value in THRESHOLDS],
        "kept": gate.at_thresholds.tolist(),
        "intervals": [gate.precision_at(place).interval for place in range(len(THRESHOLDS))],
        "rows": gate.coverage.total,
        "start": int(np.abs(THRESHOLDS - chosen).argmin()),
    }


@dataclass(frozen=True)
class Place:
    """One box of the lineage: what lies there, and the parameters it was made with."""

    path: str
    digests: dict[str, str]
    settings: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """That of its only file, or one of all its files and their names."""
        return digest_of(self.digests)


def lineage(digests: Mapping[str, str], settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the section on lineage shows.

    ``graph`` is the drawing; ``lineage`` gathers the files that the page follows from by the folder that a
    stage wrote, first made first, and ends with what has parameters but isn't read: what is made here.
    """
    places: dict[str, dict[str, str]] = {}
    for path, digest in digests.items():
        places.setdefault("/".join(Path(path).parts[:2]), {})[path] = digest
    places |= {path: {} for path in settings if path not in places}
    return {
        "graph": draw_graph(list(read_stages(resolved=False).values()), digests, settings),
        "lineage": [Place(path, files, settings.get(path, {})) for path, files in places.items()],
        "parameters_id": parameters_id,
        "bar_height": BAR,
        "box_height": BOX,
        "box_width": BOX_WIDTH,
    }


@dataclass(frozen=True)
class Axis:
    """An axis of fractions, from ``low`` to 1, for the bars that the page draws with CSS."""

    low: float

    @classmethod
    def holding(cls, shares: list[Share]) -> "Axis":
        """Return the shortest axis on which all intervals are seen whole; it starts at a multiple of 5 %."""
        return cls(min(floor(share.interval[0] * 20) / 20 for share in shares if share.interval))

    def at(self, value: float) -> str:
        """Return where on the axis a fraction stands, in CSS percent."""
        return f"{(value - self.low) / (1 - self.low):.2%}"

    @property
    def ticks(self) -> list[float]:
        """Both ends and the middle."""
        return [self.low, (self.low + 1) / 2, 1.0]


@dataclass(frozen=True)
class GateRow:
    """One line of the table of thresholds."""

    threshold: float
    coverage: Share
    precision: Share
    chosen: bool


@dataclass(frozen=True)
class ClassRow:
    """One line of the table of classes: rows with a given label, and rows the teacher labeled so."""

    name: str
    labeled: int
    pool: int
    of_accepted: Share
    coverage: Share
    precision: Share


def pool_parts(gate: Gate) -> list[tuple[str, str, Share]]:
    """Split the pool into what became of it: caption, CSS class, share; empty parts are left out."""
    total, accepted = gate.coverage.total, gate.coverage.part
    right, known = gate.precision.part, gate.precision.total
    parts = [
        ("accepted, right", "right", right),
        ("accepted, wrong", "wrong", known - right),
        ("accepted, truth not known", "unknown", accepted - known),
        ("rejected", "rejected", total - accepted),
    ]
    return [(caption, css, Share(rows, total)) for caption, css, rows in parts if rows]


def gate_rows(gate: Gate) -> list[GateRow]:
    """Tabulate round thresholds, and among them the chosen one."""
    rows = [
        GateRow(float(THRESHOLDS[index]), gate.coverage_at(index), gate.precision_at(index), chosen=False)
        for index in THRESHOLDS.searchsorted(ROUND_THRESHOLDS)
        if THRESHOLDS[index] != gate.threshold
    ]
    if gate.threshold is not None:
        rows.append(GateRow(gate.threshold, gate.coverage, gate.precision, chosen=True))
    return sorted(rows, key=lambda row: row.threshold)


def class_rows(findings: Findings) -> list[ClassRow]:
    """Tabulate what the gate did to each class."""
    gate = findings.gate
    columns = zip(
        findings.info.classes,
        findings.labeled_per_class.tolist(),
        gate.labeled_per_class.tolist(),
        gate.accepted_per_class.tolist(),
        gate.right_per_class.tolist(),
        gate.known_per_class.tolist(),
        strict=True,
    )
    return [
        ClassRow(
            name,
            labeled,
            pool,
            Share(accepted, gate.coverage.part),
            Share(accepted, pool),
            Share(right, known),
        )
        for name, labeled, pool, accepted, right, known in columns
    ]


def heat(part: int, total: int) -> str:
    """Return how strongly to colour a cell; the root lets a few mistakes among many rows still be seen."""
    return f"{sqrt(part / total):.0%}"


def percent(value: float | None, digits: int = 1) -> str:
    """Write a fraction in percent."""
    return NOTHING if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


def interval(share: Share) -> str:
    """Write a share's 95 % interval."""
    if share.interval is None:
        return NOTHING
    low, high = share.interval
    return f"{100 * low:.1f} to {100 * high:.1f}\N{NO-BREAK SPACE}%"


def count(value: int) -> str:
    """Write a number of rows, thousands apart."""
    return f"{value:,}"


def decimal(value: float | None) -> str:
    """Write a score with three digits after the point."""
    return NOTHING if value is None else f"{value:.3f}"


def number(value: float | None) -> str:
    """Write a parameter as a person would: 0.95, not its nearest binary fraction."""
    return NOTHING if value is None else f"{value:.6g}"


def p_value(value: float) -> str:
    """Write a p-value."""
    text = "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"
    return text.replace(" ", "\N{NO-BREAK SPACE}")
