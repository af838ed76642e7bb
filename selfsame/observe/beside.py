"""Work done beside other work, on an idle core: that changes when something is done, never what comes out."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from time import monotonic

from selfsame.core.cores import shared_by
from selfsame.processes import end_with_parent

GRACE_SECONDS = 60


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Do ``work`` in a copy of this process while the block runs, and wait until both are done.

    Nothing is heard of the copy: what it leaves on disk is there, and whoever needs the rest does it. It ends
    with this process and with a block that fails, and is killed when it takes much longer than the block.
    """

    def silently() -> None:
        os.environ["SELFSAME_OBSERVE"] = "0"
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        end_with_parent()
        work()

    copy, begun = get_context("fork").Process(target=silently, daemon=True), monotonic()
    with shared_by(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads: Arrow's, waiting for work
            copy.start()
        try:
            yield
            copy.join(monotonic() - begun + GRACE_SECONDS)
        finally:
            copy.kill()
            copy.join()
