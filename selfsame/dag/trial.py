"""The process that runs a scratch copy's pipeline: ``python -m selfsame.dag.trial LIFELINE REPORT STAGE …``.

Its folder is the copy, and so is its code. ``LIFELINE`` and ``REPORT`` are as in ``selfsame.dag.child``;
the report is a JSON object with ``stages`` (what became of each), ``metrics`` (the content of every
metrics file, by path) and ``error``. No stage named means all of them.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from selfsame.core.graph_file import GRAPH_FILE, read_yaml
from selfsame.dag.child import die_with, reproduce
from selfsame.dag.plan import read_plan


def run(targets: list[str]) -> dict[str, Any]:
    """Bring ``targets`` and what they need up to date, stopping at the first failure."""
    plan = read_plan(targets)
    kinds: dict[str, str] = {}
    for step in plan.steps:
        outcome = reproduce(step.stage, force=False, pull=False)
        kinds[step.stage] = outcome["kind"]
        if outcome["kind"] == "failed":
            return {"stages": kinds, "metrics": {}, "error": f"stage {step.stage}: {outcome['error']}"}
    shared = [Path(path) for path in read_yaml(GRAPH_FILE).get("metrics", [])]
    files = [path for path in (*plan.metrics, *shared) if path.exists()]
    metrics = {path.as_posix(): json.loads(path.read_text(encoding="utf-8")) for path in files}
    return {"stages": kinds, "metrics": metrics, "error": ""}


def main() -> None:
    """Run the stages named on the command line and report what became of them."""
    lifeline, report, *targets = sys.argv[1:]
    threading.Thread(target=die_with, args=[int(lifeline)], daemon=True).start()
    answer = run(targets)
    with os.fdopen(int(report), "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
