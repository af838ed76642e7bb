"""The process in which DVC runs one stage: ``python -m selfsame.dag.child REPORT STAGE [--force] [--pull]``.

``selfsame.dag.execute`` starts it and holds the other end of its standard input. ``REPORT`` is the file that
takes one JSON object with ``kind`` and ``error``.
"""

import gc
import sys

from selfsame.dag.execute import leave_report
from selfsame.processes import end_with_standard_input


def main() -> None:
    """Run the stage named on the command line and report what became of it."""
    end_with_standard_input()
    from selfsame.dag.adapter import reproduce

    gc.freeze()  # see flows.runs
    report, stage, *flags = sys.argv[1:]
    outcome = reproduce(stage, force="--force" in flags, pull="--pull" in flags)
    leave_report(report, outcome)


if __name__ == "__main__":
    main()
