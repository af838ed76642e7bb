"""Parts worked on by Ray: the same results in the same order, though a worker dies."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from selfsame.core.errors import SelfsameError
from selfsame.engine import start_engine
from selfsame.params.resources import ResourcesParams

LOCAL = ResourcesParams()
RAY = ResourcesParams(engine="ray", workers=2)
PARTS = [3, 1, 4, 1, 5, 9, 2, 6]


def squared(part: int, folder: Path | None = None) -> int:
    """Square a part; kill the worker that is the first to see part 4, and refuse part 0."""
    if part == 0:
        raise SelfsameError("a part of nothing", "bring another")
    if folder is not None and part == 4:
        try:
            (folder / "seen").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
        except FileExistsError:
            pass
    return part**2


def test_here_parts_are_worked_on_in_order_and_one_may_listen() -> None:
    heard: list[int] = []
    with start_engine(LOCAL, 1) as over:
        assert list(over(squared, PARTS)) == [part**2 for part in PARTS]
        list(over(squared, PARTS, heard.append))
    assert heard == PARTS


@pytest.mark.filterwarnings("default")  # of what Ray opens and leaves open
def test_ray_gives_the_same_though_a_worker_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where the workers find this module
    with start_engine(RAY, 1) as over:
        assert list(over(partial(squared, folder=tmp_path), PARTS)) == [part**2 for part in PARTS]
        with pytest.raises(SelfsameError, match="a part of nothing") as refused:
            list(over(squared, [1, 0]))
        assert refused.value.fix == "bring another"
    assert (tmp_path / "seen").exists()


def test_a_missing_ray_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SelfsameError, match="Ray is not installed"), start_engine(RAY, 1):
        pass
