"""The audit as one offline page: the fifteen answers, and the chain as a graph to click through."""

from pathlib import Path
from typing import Any

from selfsame.audit.verdict import KINDS, verdict_line
from selfsame.pages.template import fill

COLUMN, ROW, BOX = 200, 84, (160, 54)  # px


def render_page(audit: dict[str, Any]) -> str:
    """Return a self-contained HTML page.

    Args:
        audit: what ``audit_chain`` returns, with the answers under ``questions`` and the uses under
            ``predictions``.
    """
    page = Path(__file__).with_name("page.html.j2")
    verdict = verdict_line(audit["verdict"])
    return fill(page, audit=audit, graph=layout(audit), verdict=verdict, kinds=KINDS)


def layout(audit: dict[str, Any]) -> dict[str, Any]:
    """Place the executions in columns, each to the right of all that it read from; positions in px."""
    executions = audit["executions"]
    makers = {
        (file["path"], file["sha256"]): number
        for number, execution in enumerate(executions)
        for file in execution["outputs"]
    }
    edges: dict[tuple[int, int], set[str]] = {}
    depth: list[int] = []
    for number, execution in enumerate(executions):
        read = [(makers[key], key[0]) for file in execution["inputs"] if (key := _key(file)) in makers]
        depth.append(max((depth[maker] for maker, _ in read if maker < number), default=-1) + 1)
        for maker, name in read:
            edges.setdefault((maker, number), set()).add(Path(name).parent.as_posix())
    rows: dict[int, int] = {}
    nodes = []
    for number, execution in enumerate(executions):
        row = rows[depth[number]] = rows.get(depth[number], -1) + 1
        # A column is set off by a little, so that an edge over several of them passes beside the boxes.
        x, y = 10 + depth[number] * COLUMN, 10 + row * ROW + (depth[number] % 2) * ROW // 2
        nodes.append({"number": number, "stage": execution["stage"], "x": x, "y": y})
    lines = [
        {"from": one, "to": other, "path": _curve(nodes[one], nodes[other]), "files": sorted(files)}
        for (one, other), files in edges.items()
    ]
    return {
        "nodes": nodes,
        "edges": lines,
        "box": BOX,
        "width": max((node["x"] for node in nodes), default=0) + COLUMN,
        "height": max((node["y"] for node in nodes), default=0) + ROW,
    }


def _key(file: dict[str, Any]) -> tuple[str, str]:
    return file["path"], file["sha256"]


def _curve(left: dict[str, int], right: dict[str, int]) -> str:
    x, y = left["x"] + BOX[0], left["y"] + BOX[1] // 2
    end_x, end_y = right["x"], right["y"] + BOX[1] // 2
    bend = (end_x - x) // 2
    return f"M{x},{y} C{x + bend},{y} {end_x - bend},{end_y} {end_x},{end_y}"
