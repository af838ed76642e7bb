"""A core that is free is used for what has the same bits however many threads share it."""

import math
import os
import subprocess
import sys
import threading
from contextlib import suppress

import pytest
import torch
from torch import Tensor

from selfsame import engine
from selfsame.core import cores
from selfsame.families.rows import one_thread
from selfsame.model.device import choose_device, prepare_device, side_by_side
from selfsame.model.inputs import CPU_ROWS, in_batches
from selfsame.observe.beside import beside
from selfsame.params.compute import ComputeParams

CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


@pytest.fixture(autouse=True)
def one_of_two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1}, raising=False)
    monkeypatch.setattr(cores, "_working", 1)
    monkeypatch.setattr(cores, "_used", False)
    prepare_device(ComputeParams(device="cpu"))


def threads_of_predictions(seconds: float) -> int:
    """Predict eight batches, whose first waits so long for a second thread; return how many were at work."""
    seen, both = set(), threading.Barrier(2)

    def outputs(rows: Tensor) -> Tensor:
        seen.add(threading.get_ident())
        with suppress(threading.BrokenBarrierError):
            both.wait(seconds)
        return rows

    in_batches(outputs, torch.zeros(8 * CPU_ROWS, 1), torch.device("cpu"))
    return len(seen)


def test_two_threads_predict_where_a_core_is_free() -> None:
    assert threads_of_predictions(60) == 2
    assert torch.get_num_threads() == 1
    with cores.shared_by(2):
        assert threads_of_predictions(0.2) == 1
    assert threads_of_predictions(60) == 2


def test_a_batch_is_computed_by_one_thread_whatever_their_number() -> None:
    seen = set()

    def outputs(rows: Tensor) -> Tensor:
        seen.add(torch.get_num_threads())
        return rows

    torch.set_num_threads(2)
    try:
        for rows in (1, 8 * CPU_ROWS):
            in_batches(outputs, torch.zeros(rows, 1), torch.device("cpu"))
        assert seen == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_families_are_fitted_side_by_side_where_a_core_is_free() -> None:
    with one_thread() as fits:
        both = threading.Barrier(2)
        list(fits.map(lambda _: both.wait(60), range(2)))
        assert torch.get_num_threads() == 1
    with cores.shared_by(2), one_thread() as fits:
        assert len({*fits.map(lambda _: threading.get_ident(), range(8))}) == 1


def test_a_copy_takes_the_core() -> None:
    assert side_by_side() == 2
    with beside(lambda: None):
        assert side_by_side() == 1
    assert side_by_side() == 2


def test_who_asks_for_one_thread_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_used", False)
    choose_device("cpu", threads=1)  # as 'selfsame predict --threads 1' does
    assert side_by_side() == 1


def test_more_threads_than_one_stay_as_many() -> None:
    torch.set_num_threads(3)
    try:
        assert side_by_side() == 3
    finally:
        torch.set_num_threads(1)


def test_a_worker_of_ray_keeps_to_its_own_threads() -> None:
    assert engine._told(lambda _: side_by_side(), None) == (None, 1)
    assert cores._working < math.inf


def test_a_rank_of_torchrun_keeps_to_its_own_threads() -> None:
    code = "from selfsame.core.cores import *; use_free_core(); print(has_a_core_to_spare())"
    for ranks, spare in ((1, CORES > 1), (CORES, False)):
        told = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "LOCAL_WORLD_SIZE": str(ranks)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout == f"{spare}\n"
