"""What a flow leaves in Prefect for people: a summary, the metrics, the report's charts."""

import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect import State
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact

from flows.figures import read_figures
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import LOCK_FILE, SUMMARY
from selfsame.dag.nested import leaves
from selfsame.dag.plan import RunPlan


def publish(plan: RunPlan, states: Mapping[str, State], news: bool) -> None:
    """Write a flow run's artifacts; their keys take only lower-case letters, digits and dashes.

    Args:
        news: something ran or was restored; without, metrics and figures stay as last published.
    """
    text = tell(states)
    create_markdown_artifact(text, key="summary", description="What became of each stage, and of them all.")
    if not news:
        return
    for path in plan.metrics:
        if path.exists():
            create_table_artifact(metric_rows(path), key=artifact_key(path), description=str(path))
    for path in find_reports(read_outputs()):
        for label, image in read_figures(path):
            key = artifact_key(re.split("[:,;]", label)[0])
            create_image_artifact(image_url=image, key=key, description=label)


def tell(states: Mapping[str, State]) -> str:
    """Return a run's story as Markdown: where the report is, how good the result, what each stage did."""
    outputs = read_outputs()
    # A browser opens no file for a page that came from a server: the address is there to be copied.
    text = [f"Report, on {platform.node()}: `{path.absolute().as_uri()}`" for path in find_reports(outputs)]
    if SUMMARY.exists():
        text.append(f"```\n{SUMMARY.read_text(encoding='utf-8')}```")
    return "\n\n".join([*text, state_table(states, outputs)])


def find_reports(outputs: Mapping[str, Mapping[Path, str]]) -> list[Path]:
    """Return the pages among the stages' outputs that are there."""
    return [path for paths in outputs.values() for path in paths if path.suffix == ".html" and path.exists()]


def read_outputs() -> dict[str, dict[Path, str]]:
    """Read from ``dvc.lock`` what each stage wrote last: its outputs, with their sizes in words."""
    stages = read_yaml(LOCK_FILE)["stages"] if LOCK_FILE.exists() else {}
    return {
        name: {Path(out["path"]): size_in_words(out) for out in entry.get("outs", [])}
        for name, entry in stages.items()
    }


def size_in_words(out: Mapping[str, Any]) -> str:
    """Say how large an output is: ``12.3 kB``, ``12.3 kB in 4 files``."""
    size, unit = float(out["size"]), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size >= 1000:
            size, unit = size / 1000, larger
    return f"{size:.3g} {unit}" + (f" in {out['nfiles']} files" if "nfiles" in out else "")


def state_table(states: Mapping[str, State], outputs: Mapping[str, Mapping[Path, str]]) -> str:
    """Return a Markdown table of the stages: state, why and how long, what there is of it."""
    lines = ["| stage | state | how long, and why | outputs |", "|---|---|---|---|"]
    for stage, state in states.items():
        message = (state.message or "").replace("|", "\\|").replace("\n", "<br>")
        made = "<br>".join(f"{path}: {size}" for path, size in outputs.get(stage, {}).items())
        lines.append(f"| {stage} | {state.name} | {message} | {made} |")
    return "\n".join(lines)


def metric_rows(path: Path) -> list[dict[str, Any]]:
    """Return a metrics file's values, one row each, named by their dotted keys."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return [{"metric": key, "value": value} for key, value in leaves(values)]


def artifact_key(name: Path | str) -> str:
    """Name an artifact: that of ``reports/metrics.json`` is ``reports-metrics-json``."""
    return re.sub("[^a-z0-9]+", "-", str(name).lower())
