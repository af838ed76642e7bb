"""Who works on the parts of a table: this process, one after the other, or the workers of Ray.

A part's result depends on the part alone, so that it is the same whoever made it. Ray is imported only where
it is asked for; lost workers and tasks that ran out of memory are its own to start again.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any, Protocol, TypeVar

from selfsame.core.cores import shared_by
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import PARAMS_FILE
from selfsame.params.resources import MOST_WORKERS, ResourcesParams

RETRIES = 5  # of a part whose worker was lost
ROOT = Path(__file__).resolve().parent.parent

Part = TypeVar("Part")
Result = TypeVar("Result")


class Engine(Protocol):
    """Work on parts."""

    def __call__(
        self,
        work: Callable[[Part], Result],
        parts: Iterable[Part],
        local: Callable[[Part], Result] | None = None,
    ) -> Iterator[Result]:
        """Yield what ``work`` returns of every part, in their order.

        Args:
            work: can be sent to another machine; so can parts, whose paths are seen from there, and results.
            parts: taken one by one, no sooner than somebody is free for it.
            local: does the same in this process, and may tell of it meanwhile; None for ``work`` itself.
        """
        ...


def resources() -> ResourcesParams:
    """Read the section of ``params.yaml``: no stage declares it, so no stage is given it."""
    return ResourcesParams.model_validate(read_yaml(PARAMS_FILE).get("resources", {}))


def ray_workers(count: int | None) -> ResourcesParams:
    """Return what asks for so many workers of Ray; for this process, if there is no number.

    Raises:
        SelfsameError: no such number.
    """
    if count is None:
        return ResourcesParams()
    if not 1 <= count <= MOST_WORKERS:
        raise SelfsameError(f"workers = {count}", f"take a number from 1 to {MOST_WORKERS}")
    return ResourcesParams(engine="ray", workers=count)


@contextmanager
def start_engine(given: ResourcesParams, cpu_threads: int) -> Iterator[Engine]:
    """Give the engine that the parameters name.

    With ``ray`` that of the cluster that ``RAY_ADDRESS`` names; or one is started on this machine and stops
    with the block.

    Args:
        cpu_threads: of each worker.

    Raises:
        SelfsameError: Ray isn't installed, or doesn't answer.
    """
    if given.engine == "local":
        yield in_process
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise SelfsameError(
            "workers of Ray are asked for (resources.engine = ray, or --workers), but Ray is not installed",
            "pip install 'selfsame[ray]', or work without (resources.engine = local, no --workers)",
        ) from None
    address = os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = (
        {}
        if address
        else {
            "num_cpus": given.workers * cpu_threads,
            "include_dashboard": False,
            "object_store_memory": 2**27,
        }
    )
    # Workers find the code where it lies here: a cluster sees the project under the same path.
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {"env_vars": {"PYTHONPATH": path, "OMP_NUM_THREADS": str(cpu_threads)}}
    try:
        ray.init(
            address=address, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR, **own
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise SelfsameError(
            f"Ray doesn't start{f' at RAY_ADDRESS = {address}' if address else ''}: "
            f"{str(error).strip().splitlines()[0]}",
            "start the cluster and correct RAY_ADDRESS, or set resources.engine to local",
        ) from None
    try:
        yield _Ray(ray, given, cpu_threads)
    finally:
        ray.shutdown()


def in_process(
    work: Callable[[Part], Result], parts: Iterable[Part], local: Callable[[Part], Result] | None = None
) -> Iterator[Result]:
    """Work on the parts here: the engine ``local``."""
    yield from map(local or work, parts)


class _Ray:
    """Hands out parts, at most ``resources.workers`` at once."""

    def __init__(self, ray: Any, given: ResourcesParams, cpu_threads: int) -> None:
        self._ray, self._workers = ray, given.workers
        self._task = ray.remote(num_cpus=cpu_threads, num_gpus=given.gpus_per_worker, max_retries=RETRIES)(
            _told
        )

    def __call__(
        self, work: Callable[[Part], Result], parts: Iterable[Part], local: object = None
    ) -> Iterator[Result]:
        shared = self._ray.put(work)  # once, and not with every part
        waiting = enumerate(parts)
        running: dict[Any, int] = {}
        done: dict[int, Any] = {}
        number = 0  # of the part whose result is next
        while True:
            # A slow part holds the others up: no more results than twice the workers wait for it.
            room = min(self._workers - len(running), 2 * self._workers - len(running) - len(done))
            for which, part in islice(waiting, max(room, 0)):
                running[self._task.remote(shared, part)] = which
            if number in done:
                yield done.pop(number)
                number += 1
            elif running:
                (ready, *_), _ = self._ray.wait(list(running))
                done[running.pop(ready)] = self._result(ready)
            else:
                return

    def _result(self, ready: Any) -> Any:
        try:
            error, result = self._ray.get(ready)
        except self._ray.exceptions.RayTaskError as failed:
            raise failed.cause from None  # a mistake of the code, as it would be raised here
        except self._ray.exceptions.RayError as lost:
            raise SelfsameError(
                f"Ray gave a part up after {RETRIES} retries: {str(lost).strip().splitlines()[-1]}",
                "give its workers more memory, or make split.rows_per_part smaller",
            ) from None
        if error is not None:
            raise SelfsameError(*error)
        return result


def _told(work: Callable[[Part], Result], part: Part) -> tuple[tuple[str, str] | None, Result | None]:
    """Work on a part; an error that a person can mend is a result too."""
    try:
        with shared_by(inf):  # other workers, as many as there are cores
            return None, work(part)
    except SelfsameError as error:
        return (error.what, error.fix), None
