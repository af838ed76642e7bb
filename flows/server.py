"""Prefect's server, with a thread of its own for garbage: ``python -m flows.server WORD …``.

The words are those of ``prefect server start``. Python collects garbage in whichever thread happens to make
an object, in a server mostly that of the event loop. If a cursor of SQLite is among it, its connection's
mutex is needed; if another thread waits with that connection until it may write, it has the mutex; and who
writes meanwhile waits for the event loop to go on. So all stand still until SQLite gives up, which Prefect
lets it do after 60 seconds: "database is locked" (seen every ten minutes with a tick every four seconds, and
where twenty callers met; Prefect 3.8.8).
"""

import gc
import itertools
import sys
import threading
import time

PAUSE_SECONDS = 1.0
ALL_EVERY = 60  # pauses after which old objects are looked through too


def collect_in_a_thread() -> None:
    """Let garbage be collected by a thread of its own from now on, which alone waits if one has to."""
    gc.disable()
    threading.Thread(target=_collect, daemon=True).start()


def _collect() -> None:
    for pause in itertools.count(1):
        time.sleep(PAUSE_SECONDS)
        gc.collect(1 if pause % ALL_EVERY else 2)


if __name__ == "__main__":
    collect_in_a_thread()
    sys.argv[1:1] = ["server", "start"]
    from prefect.cli import app

    sys.exit(app())
