"""The process that runs a scratch copy's pipeline: ``python -m selfsame.dag.trial REPORT STAGE …``.

Its folder is the copy, and so is its code. It is started as ``selfsame.dag.child`` is; the report is a JSON
object with ``stages`` (what became of each), ``metrics`` (the content of every metrics file, by path) and
``error``. No stage named means all of them.
"""

import json
import sys
from pathlib import Path
from typing import Any

from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import GRAPH_FILE
from selfsame.dag.adapter import reproduce
from selfsame.dag.execute import leave_report
from selfsame.dag.plan import read_plan
from selfsame.processes import end_with_standard_input


def run(targets: list[str]) -> dict[str, Any]:
    """Bring ``targets`` and what they need up to date, stopping at the first failure."""
    plan = read_plan(targets)
    kinds: dict[str, str] = {}
    for one in plan.stages:
        outcome = reproduce(one.stage, force=False, pull=False)
        kinds[one.stage] = outcome["kind"]
        if outcome["kind"] == "failed":
            return {"stages": kinds, "metrics": {}, "error": f"stage {one.stage}: {outcome['error']}"}
    shared = [Path(path) for path in read_yaml(GRAPH_FILE).get("metrics", [])]
    files = [path for path in (*plan.metrics, *shared) if path.exists()]
    metrics = {path.as_posix(): json.loads(path.read_text(encoding="utf-8")) for path in files}
    return {"stages": kinds, "metrics": metrics, "error": ""}


def main() -> None:
    """Run the stages named on the command line and report what became of them."""
    end_with_standard_input()
    report, *targets = sys.argv[1:]
    leave_report(report, run(targets))


if __name__ == "__main__":
    main()
