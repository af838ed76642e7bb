"""The process in which DVC runs one stage.

``python -m selfsame.dag.child LIFELINE REPORT STAGE [--force] [--pull]``

``LIFELINE`` and ``REPORT`` are file descriptors of pipes made by ``selfsame.dag.execute``: the end of
the first says that the flow is gone, the second takes one JSON object with ``kind`` and ``error``.
"""

import json
import logging
import os
import signal
import sys
import threading
import time

BUSY_SECONDS = 1.0  # between two tries to get paths that another DVC process holds


def die_with(lifeline: int) -> None:
    """Wait for the end of the flow, then kill this process group: DVC, the stage and what it started."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


class Narrator(logging.Handler):
    """Print what DVC says about the stage and its warnings, and note whether it ran the command."""

    ran = False
    pulled = False  # what dvc.lock names was fetched: DVC calls such a stage unchanged

    def emit(self, record: logging.LogRecord) -> None:
        """Take one of DVC's log records."""
        self.ran = self.ran or record.name == "dvc.stage.run"  # a restored stage never gets there
        self.pulled = self.pulled or str(record.msg).startswith("Pulling data for")
        if record.name.startswith("dvc.stage") or record.levelno >= logging.WARNING:
            print(record.getMessage(), flush=True)


def reproduce(stage: str, force: bool, pull: bool) -> dict[str, str]:
    """Bring one stage up to date as ``dvc repro`` would, waiting for paths that another DVC holds."""
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo

    from selfsame.dag.plan import dvc_message

    narrator = Narrator()
    logger = logging.getLogger("dvc")
    logger.setLevel(logging.INFO)
    logger.handlers = [narrator]  # instead of those that importing DVC sets up for its command line
    waiting = False
    while True:
        try:
            with Repo(_wait_for_lock=True) as repo:
                repo.stage_cache.pull = lambda _: []  # the flow has fetched the run-cache once for all stages
                done = repo.reproduce([stage], single_item=True, force=force, pull=pull)
        except DvcException as error:
            if isinstance(error.__cause__, LockError) and not narrator.ran:
                if not waiting:
                    print(f"waiting: {error.__cause__}", flush=True)
                waiting = True
                time.sleep(BUSY_SECONDS)
                continue
            return {"kind": "failed", "error": dvc_message(error)}
        kind = "ran" if narrator.ran else "restored" if done or narrator.pulled else "unchanged"
        return {"kind": kind, "error": ""}


def main() -> None:
    """Run the stage named on the command line and report what became of it."""
    lifeline, report, stage, *flags = sys.argv[1:]
    threading.Thread(target=die_with, args=[int(lifeline)], daemon=True).start()
    outcome = reproduce(stage, force="--force" in flags, pull="--pull" in flags)
    with os.fdopen(int(report), "w", encoding="utf-8") as file:
        json.dump(outcome, file)


if __name__ == "__main__":
    main()
