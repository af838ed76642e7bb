"""The last result in a few lines, for a terminal and for a flow run's page."""

from pathlib import Path
from typing import Any

REPORT = Path("reports/report.html")


def is_result(metrics: dict[str, Any]) -> bool:
    """Tell a metrics file of the stage ``evaluate`` from another one."""
    return {"baseline", "student", "reference", "champion", "holdout", "pool"} <= metrics.keys()


def format_summary(metrics: dict[str, Any]) -> str:
    """Say in a few lines what ``reports/metrics.json`` says in full."""
    if "r2" in metrics["baseline"]["holdout"]:
        return format_value_summary(metrics)
    pool, rows = metrics["pool"], metrics["holdout"]["rows"]
    lines = [f"accuracy on {rows:,} holdout rows (95 % interval)"]
    for side in ("baseline", "student", "reference"):
        scores = metrics[side]["holdout"]
        lines.append(
            f"  {side:<9} {scores['accuracy']:.3f} "
            f"({scores['accuracy_low']:.3f}–{scores['accuracy_high']:.3f}){_mark(metrics, side)}"
        )
    coverage, precision = (
        "unknown" if pool[name] is None else f"{pool[name]:.3f}" for name in ("coverage", "precision")
    )
    lines.append(
        f"pseudo-labels: {pool['accepted']:,} of {pool['rows']:,} accepted "
        f"(coverage {coverage}), precision {precision}"
    )
    return "\n".join([*lines, f"report: {REPORT}"])


def format_value_summary(metrics: dict[str, Any]) -> str:
    """Say the same of a regression."""
    pool, rows = metrics["pool"], metrics["holdout"]["rows"]
    lines = [f"R² on {rows:,} holdout rows (95 % interval), root mean square error"]
    for side in ("baseline", "student", "reference"):
        scores = metrics[side]["holdout"]
        lines.append(
            f"  {side:<9} {scores['r2']:.3f} ({scores['r2_low']:.3f}–{scores['r2_high']:.3f})  "
            f"{scores['rmse']:.4g}{_mark(metrics, side)}"
        )
    error = "unknown" if pool["rmse_accepted"] is None else f"{pool['rmse_accepted']:.4g}"
    coverage = "unknown" if pool["coverage"] is None else f"{pool['coverage']:.3f}"
    lines.append(
        f"pseudo-targets: {pool['accepted']:,} of {pool['rows']:,} accepted (coverage {coverage}), "
        f"error {error}"
    )
    return "\n".join([*lines, f"report: {REPORT}"])


def _mark(metrics: dict[str, Any], side: str) -> str:
    """Say of the champion that it is, and of the reference what it is."""
    if side == "reference":
        as_well = ", does as well on validation" if metrics[side]["recommended"] else ""
        return f"  {metrics[side]['name']} on the same labels{as_well}"
    return "  ← champion" if side == metrics["champion"] else ""
