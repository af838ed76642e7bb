"""What a flow leaves in Prefect for people: a summary with the graph, and the metrics."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prefect import State
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from selfsame.dag.plan import Plan

COLOURS = {"Completed": "#bbf7d0", "Cached": "#dbeafe", "Failed": "#fecaca", "NotReady": "#fde68a"}


def publish(plan: Plan, states: Mapping[str, State], news: bool) -> None:
    """Write a flow run's artifacts; their keys take only lower-case letters, digits and dashes.

    Args:
        news: something ran or was restored; without, the metrics stay as last published.
    """
    text = f"{state_table(states)}\n\n{state_graph(plan, states)}\n"
    create_markdown_artifact(text, key="summary", description="What became of each stage.")
    for path in plan.metrics if news else ():
        if path.exists():
            create_table_artifact(metric_rows(path), key=artifact_key(path), description=str(path))


def state_table(states: Mapping[str, State]) -> str:
    """Return a Markdown table of the stages with their states."""
    lines = ["| stage | state | |", "|---|---|---|"]
    for stage, state in states.items():
        message = (state.message or "").replace("|", "\\|").replace("\n", "<br>")
        lines.append(f"| {stage} | {state.name} | {message} |")
    return "\n".join(lines)


def state_graph(plan: Plan, states: Mapping[str, State]) -> str:
    """Return the graph as a Mermaid flowchart in Markdown, each stage coloured by its state."""
    numbers = {step.stage: number for number, step in enumerate(plan.steps)}
    lines = ["```mermaid", "flowchart TD"]
    for stage, number in numbers.items():
        lines.append(f'  s{number}["{stage}<br>{states[stage].name}"]:::{states[stage].name}')
    for step in plan.steps:
        lines += [f"  s{numbers[upstream]} --> s{numbers[step.stage]}" for upstream in step.upstreams]
    lines += [f"  classDef {name} fill:{colour},color:#111" for name, colour in COLOURS.items()]
    return "\n".join([*lines, "```"])


def metric_rows(path: Path) -> list[dict[str, Any]]:
    """Return a metrics file's values, one row each, named by their dotted keys."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return [{"metric": key, "value": value} for key, value in leaves(values)]


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested objects with their dotted keys."""
    if not isinstance(value, Mapping):
        yield key, value
        return
    for name, item in value.items():
        yield from leaves(item, f"{key}.{name}" if key else str(name))


def artifact_key(path: Path) -> str:
    """Name an artifact after a file: ``reports/metrics.json`` is ``reports-metrics-json``."""
    return re.sub("[^a-z0-9]+", "-", str(path).lower())
