"""The report: one self-contained HTML page that follows from the findings alone, and from ``dvc.yaml``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor
from pathlib import Path
from typing import Any

import numpy as np

from selfsame.core.graph_file import read_stages
from selfsame.pages.picture import picture
from selfsame.pages.template import fill, html
from selfsame.report.data_checks import evenly
from selfsame.report.figures import training_figures
from selfsame.report.findings import Findings
from selfsame.report.gate import Gate, Kept
from selfsame.report.graph import BAR, BOX, BOX_WIDTH, digest_of, draw_graph, parameters_id
from selfsame.report.honest import committee, headline, result, simple, suggestions, warnings
from selfsame.report.scores import MEASURES, Scores
from selfsame.report.words import FILTERS, count, interval, number, percent, value
from selfsame.stats.share import Share

TEMPLATES = Path(__file__).parent
ROUNDS = 12  # of self-training, at most, that are tabulated


def render_report(findings: Findings) -> str:
    """Return the page; the same findings and graph give the same bytes."""
    target = findings.target
    figures, own = target.page(findings)
    shown = [example for gallery in findings.galleries for example in gallery.examples]
    compared = (*findings.models, findings.reference)
    measured = findings.champion.holdout
    return fill(
        TEMPLATES / target.template,
        {**FILTERS, "html": html},
        findings=findings,
        figures=figures | training_figures(findings),
        headline=headline(findings),
        result=result(findings),
        simple=simple(findings),
        committee=committee(findings),
        warnings=warnings(findings),
        suggestions=suggestions(findings),
        measures={name: MEASURES[name][0] for name in measured.measures},
        said=MEASURES[measured.measure][1],
        compared=compared,
        axis=Axis.holding([model.holdout for model in compared]),
        pool_parts=pool_parts(findings.gate, target.words.good),
        explored=explored(findings),
        rounds=[findings.learned[place] for place in evenly(len(findings.learned), ROUNDS)],
        named=target.named,
        picture=picture,
        brightest=max((example.raw.max() for example in shown if target.info.image_shape), default=0),
        **lineage(findings.digests, findings.settings),
        **own,
    )


@dataclass(frozen=True)
class Axis:
    """An axis of scores, from ``low`` to 1, for the bars that the page draws with CSS."""

    low: float

    @classmethod
    def holding(cls, scores: list[Scores]) -> "Axis":
        """Return the shortest axis on which all intervals are seen whole; it starts at a multiple of 0.05."""
        return cls(min(floor(each.main.low * 20) / 20 for each in scores if each.main.low is not None))

    def at(self, score: float) -> str:
        """Return where on the axis a score stands, in CSS percent."""
        return f"{(score - self.low) / (1 - self.low):.2%}"

    @property
    def ticks(self) -> list[float]:
        """Both ends and the middle."""
        return [self.low, (self.low + 1) / 2, 1.0]


def pool_parts(gate: Gate, good: str) -> list[tuple[str, str, Share]]:
    """Split the pool into what became of it: caption, CSS class, share; empty parts are left out."""
    total, accepted, right = gate.coverage.total, gate.coverage.part, gate.of_accepted.right
    parts = [
        (f"accepted, {good}", "right", right.part),
        (f"accepted, not {good}", "wrong", right.total - right.part),
        ("accepted, truth not known", "unknown", accepted - right.total),
        ("rejected", "rejected", total - accepted),
    ]
    return [(caption, css, Share(rows, total)) for caption, css, rows in parts if rows]


def explored(findings: Findings) -> dict[str, Any]:
    """Return what other levels of the gate would have kept, in words.

    ``table`` has round levels and the chosen one under ``columns``; ``rows`` those of the slider, which
    begins at ``start``, under ``names``: these say the number of rows, too.
    """
    gate, words = findings.gate, findings.target.words
    columns: dict[str, Callable[[Kept], str] | None] = {
        words.level: lambda kept: number(kept.level) if gate.rising else f"{kept.level:.3g}",
        "accepted": lambda kept: count(kept.coverage.part),
        "coverage": lambda kept: percent(kept.coverage.value),
        "expected": None if gate.calibrated is None else lambda kept: percent(kept.expected),
        "error (RMS)": None if gate.errors is None else lambda kept: value(kept.error),
        words.right: lambda kept: percent(kept.right.value),
        "95 % interval": lambda kept: interval(kept.right),
    }
    said = {name: say for name, say in columns.items() if say is not None}

    def row(kept: Kept) -> list[str]:
        return [say(kept) for say in said.values()]

    tabulated = [gate.at(level) for level in gate.rounds.tolist() if level != gate.level]
    if gate.level is not None:
        tabulated.append(gate.of_accepted)
    distances = np.abs(gate.levels - (1.0 if gate.level is None else gate.level))
    return {
        "names": list(said),
        "columns": [name for name in said if name != "accepted"],
        "table": [
            ([say(kept) for name, say in said.items() if name != "accepted"], kept is gate.of_accepted)
            for kept in sorted(tabulated, key=lambda kept: kept.level or 0.0)
        ],
        "rows": [row(kept) for kept in gate.explored],
        "start": int(distances.argmin()) if len(distances) else 0,
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
