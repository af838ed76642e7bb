"""``dvc.yaml`` as a stage reads it."""

from pathlib import Path

import pytest

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import StageSpec, by_stem, read_stages

GRAPH = """
stages:
  bake:
    desc: Bake it.
    cmd: python -m tasks.bake
    deps: [tasks/bake.py, selfsame/core, data/dough]
    params: [oven]
    outs: [data/bread, {data/crumbs: {persist: true}}]
    metrics: [{reports/metrics.json: {cache: false}}]
    plots: [reports/curve.csv]
  eat:
    cmd: python -m tasks.eat
"""


def test_a_stage_is_read_with_every_kind_of_path(tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_text(GRAPH)
    assert list(read_stages(path).values()) == [
        StageSpec(
            name="bake",
            cmd="python -m tasks.bake",
            desc="Bake it.",
            code=("tasks/bake.py", "selfsame/core"),
            inputs=("data/dough",),
            outputs=("data/bread", "data/crumbs", "reports/metrics.json", "reports/curve.csv"),
            params=("oven",),
        ),
        StageSpec("eat", "python -m tasks.eat", "", (), (), (), ()),
    ]


def test_a_path_is_named_by_its_stem() -> None:
    named = by_stem(["data/pool", "data/labeled.parquet"])
    assert named == {"pool": Path("data/pool"), "labeled": Path("data/labeled.parquet")}


def test_two_paths_of_one_name_are_refused() -> None:
    with pytest.raises(SelfsameError, match=r"data/pool and other/pool\.parquet have the same name 'pool'"):
        by_stem(["data/pool", "other/pool.parquet"])


def test_a_path_may_be_a_parameter(tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_text("stages: {bake: {cmd: bake, deps: [tasks/bake.py, '${flour.place}']}}")
    (tmp_path / "params.yaml").write_text("flour: {place: ../mill/flour.bin}")
    assert read_stages(path)["bake"].inputs == ("../mill/flour.bin",)


@pytest.mark.parametrize(
    "params", ["flour: {}", "oven: {}", "flour: {place: null}", "[]", "flour: {place: 3}"]
)
def test_a_missing_parameter_is_named(params: str, tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_text("stages: {bake: {cmd: bake, deps: ['${flour.place}']}}")
    (tmp_path / "params.yaml").write_text(params)
    with pytest.raises(SelfsameError, match=r"params\.yaml: flour\.place = "):
        read_stages(path)
