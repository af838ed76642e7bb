"""Drift on disk: a table for programs, a page with pictures for people."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from selfsame.core.layout import DRIFT, DRIFT_PAGE
from selfsame.pages.template import fill, html
from selfsame.scoring.drift import Drift
from selfsame.stats.profile import MISSING, NEW, PREDICTION

TEMPLATE = Path(__file__).with_name("drift.html.j2")
SHOWN = 100  # variables on the page; the table has all
WIDTH, HEIGHT = 320, 72  # of a picture, in pixels


@dataclass(frozen=True)
class View:
    """A variable as it is shown: its bins with the shares before and now, and the picture of them."""

    drift: Drift
    rows: list[tuple[str, float, float]]
    picture: str

    @property
    def name(self) -> str:
        """The variable's, and whether it is the model's own."""
        own = " (predicted)" if self.drift.before.kind == PREDICTION else ""
        return f"{self.drift.before.name}{own}"

    @property
    def measured(self) -> str:
        """What the alarm doesn't say already."""
        psi = "" if self.drift.alarm.startswith("PSI") else f"PSI {self.drift.psi:.3f}, "
        return f"{psi}p = {self.drift.p_value:.2g}"

    @property
    def label(self) -> str:
        """The picture in words."""
        alarm = f"{self.drift.alarm}, " if self.drift.alarm else ""
        bins = " … ".join(dict.fromkeys((self.rows[0][0], self.rows[-1][0])))
        return f"{self.name}: {alarm}{self.measured}; {bins}"


def write_drift(found: list[Drift], folder: Path, lines: list[str], rows: int) -> None:
    """Write both into a scoring's folder.

    Args:
        lines: what else is said of the scoring.
        rows: that were scored.
    """
    table = pa.table(
        {
            "kind": [each.before.kind for each in found],
            "name": [each.before.name for each in found],
            "psi": [each.psi for each in found],
            "p_value": [each.p_value for each in found],
            "new": [each.new for each in found],
            "new_p_value": [each.new_p_value for each in found],
            "alarm": [each.alarm for each in found],
            "bins": [each.before.bins for each in found],
            "before": [_shares(each.before.counts) for each in found],
            "now": [_shares(each.now.counts) for each in found],
        }
    )
    pq.write_table(table, folder / DRIFT)
    alarms = sum(bool(each.alarm) for each in found)
    text = fill(
        TEMPLATE,
        lines=lines,
        rows=rows,
        views=[_view(each) for each in found[:SHOWN]],
        alarms=alarms,
        hidden=max(len(found) - SHOWN, 0),
        table=DRIFT,
    )
    (folder / DRIFT_PAGE).write_text(text, encoding="utf-8")


def _shares(counts: tuple[int, ...]) -> list[float]:
    total = max(sum(counts), 1)
    return [each / total for each in counts]


def _view(drift: Drift) -> View:
    shares = zip(drift.before.bins, _shares(drift.before.counts), _shares(drift.now.counts), strict=True)
    rows = [(name, old, new) for name, old, new in shares if name not in (NEW, MISSING) or old > 0 or new > 0]
    return View(drift, rows, html(_picture(rows)))


def _picture(rows: list[tuple[str, float, float]]) -> str:
    """Draw two bars for each bin: the training's share, and the new rows' before it."""
    step, top = WIDTH / len(rows), max(max(old, new) for _, old, new in rows) or 1.0
    bars = []
    for place, (_, old, new) in enumerate(rows):
        for kind, share, start in (("old", old, 0.1), ("new", new, 0.5)):
            height = HEIGHT * share / top
            left, top_of = (place + start) * step, HEIGHT - height
            bars.append(
                f'<rect style="fill: var(--{kind})" x="{left:.1f}" y="{top_of:.1f}" '
                f'width="{0.4 * step:.1f}" height="{height:.1f}"></rect>'
            )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" preserveAspectRatio="none">'
        f"{''.join(bars)}</svg>"
    )
