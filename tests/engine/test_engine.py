"""Parts worked on by Ray: the same results in the same order, though a worker dies."""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from project import run_task
from regression import VALUES, write_splits

from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.table_writer import part_name
from selfsame.engine import Engine, in_process, start_engine
from selfsame.params.resources import ResourcesParams
from selfsame.scoring.columns import Wish
from selfsame.scoring.predictor import load_model
from selfsame.scoring.run import predict_place

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


def dying(part: object, work: Callable[[Any], object], folder: Path) -> object:
    """Do the work of a stage; who is the first to have heard, or written, part 1 dies before it can tell."""
    result = work(part)
    if part_name(1) in str(part):
        try:
            (folder / ("written" if isinstance(part, tuple) else "heard")).touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
        except FileExistsError:
            pass
    return result


def test_here_parts_are_worked_on_in_order_and_one_may_listen() -> None:
    heard: list[int] = []
    with start_engine(LOCAL, 1) as over:
        assert list(over(squared, PARTS)) == [part**2 for part in PARTS]
        list(over(squared, PARTS, heard.append))
    assert heard == PARTS


@pytest.fixture(scope="module")
def workers() -> Iterator[Engine]:
    """Two workers of a Ray that is started here, once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        here = Path(__file__).parent
        patch.setenv("PYTHONPATH", f"{here}{os.pathsep}{here.parent}")  # where workers find this module
        with start_engine(RAY, 1) as over:
            yield over


@pytest.mark.filterwarnings("default")  # of what Ray opens and leaves open
def test_ray_gives_the_same_though_a_worker_dies(workers: Engine, tmp_path: Path) -> None:
    assert list(workers(partial(squared, folder=tmp_path), PARTS)) == [part**2 for part in PARTS]
    with pytest.raises(SelfsameError, match="a part of nothing") as refused:
        list(workers(squared, [1, 0]))
    assert refused.value.fix == "bring another"
    assert (tmp_path / "seen").exists()


@pytest.mark.filterwarnings("default")
def test_the_pool_is_labeled_and_rows_are_predicted_to_the_same_bytes_though_workers_die(
    workers: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_splits(tmp_path, pool=90)
    pool, out = tmp_path / "data/splits/pool", tmp_path / "data/pseudo_labels"
    whole = pq.read_table(pool)
    (file,) = pool.iterdir()
    for number in range(3):
        pq.write_table(whole.slice(30 * number, 30), file.with_name(part_name(number)))
    run_task("train_baseline", tmp_path, **VALUES)
    run_task("pseudo_label", tmp_path, **VALUES)
    expected = {path.name: sha256_file(path) for path in files_under(out)}
    monkeypatch.setattr("selfsame.model.kept.SCRATCH", tmp_path / "scratch")
    deaths = tmp_path / "deaths"
    deaths.mkdir()

    def over(work: Callable[[Any], Any], parts: Iterable[Any], _: object = None) -> Iterator[Any]:
        return workers(partial(dying, work=work, folder=deaths), parts)

    monkeypatch.setattr("tasks.pseudo_label.start_engine", lambda *_: nullcontext(over))
    run_task("pseudo_label", tmp_path, **VALUES)
    assert {path.name: sha256_file(path) for path in files_under(out)} == expected
    assert len(expected) == 3
    assert {path.name for path in deaths.iterdir()} == {"heard", "written"}

    columns = load_model(tmp_path / "models/baseline", "cpu", 1).columns(Wish())
    for over, name in ((in_process, "here.parquet"), (workers, "there.parquet")):
        assert predict_place(pool, str(tmp_path / name), columns, over).rows == 90
    assert (tmp_path / "here.parquet").read_bytes() == (tmp_path / "there.parquet").read_bytes()


def test_a_missing_ray_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SelfsameError, match="Ray is not installed"), start_engine(RAY, 1):
        pass
