"""Erasure from each kind of source that it can write; and groups, which may move."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from PIL import Image
from real_project import commit
from states import OWN, made, photos, with_params
from test_erase import ids_of, places_with, roles_of

from selfsame.erasure import plan as planning
from selfsame.erasure.purge import Holding
from selfsame.params.data import DATA
from selfsame.params.reading import load_section
from selfsame.params.split import SplitParams
from selfsame.roles.decide import decide


class Parquet:
    """A table that is saved as photos are."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self._table = pa.table(columns)

    def save(self, path: Path) -> None:
        pq.write_table(self._table, path)


def parquet() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    values = np.random.default_rng(0).normal(size=(80, 2))
    kinds = ["yes" if a + b > 0 else "no" for a, b in values]
    data = {"data": OWN["data"] | {"path": "data/inbox/own.parquet"}}
    return data, {}, {"own.parquet": Parquet({"a": values[:, 0], "b": values[:, 1], "kind": kinds})}


def inputs_in(root: Path) -> Iterator[tuple[bytes, str]]:
    """Yield the input of every row of every table that DVC or the workspace has, as bytes; and the file."""
    for path in (file for file in root.rglob("*") if file.is_file() and ".git" not in file.parts):
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":
                continue
        names = pq.read_schema(path).names
        columns = [name for name in ("image", "a", "b") if name in names]
        for row in pq.read_table(path, columns=columns).to_pylist() if columns else ():
            yield np.array([*row.values()]).tobytes(), path.as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [parquet, photos])
def test_rows_of_other_sources_are_erased_everywhere(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, own, files = kind()
    root = tmp_path / "project"
    split = {"split": {"labels_per_class": 5, "validation_per_class": 5}}
    project = made(root, with_params(data, own, split), files)
    with (root / ".gitignore").open("a") as ignored:
        ignored.write("/.scratch/\n")
    project.run("dvc", "remote", "add", "--quiet", "--default", "store", str(root.with_name("store")))
    commit(project, "a remote")
    project.run("dvc", "push", "--quiet")
    monkeypatch.chdir(root)
    before = roles_of(project)
    gone = [ids_of(project, role)[0] for role in ("labeled", "validation", "pool", "holdout")]
    examples = ds.dataset(root / "data/raw/examples", format="parquet").to_table().to_pylist()
    names = ("image",) if "image" in examples[0] else ("a", "b")
    inputs = {
        np.array([row[name] for name in names]).tobytes() for row in examples if row["example_id"] in gone
    }
    words = [each.encode() for each in gone]
    whole = [
        path.read_bytes()
        for path in (root / "data/inbox").rglob("*.png")
        if np.asarray(Image.open(path)).transpose(2, 0, 1).astype(int).tobytes() in inputs
    ]
    assert len(whole) == (4 if kind is photos else 0)
    store = root.with_name("store")
    everywhere = (root, store)
    assert all(any(each in inputs for each, _ in inputs_in(place)) for place in everywhere)

    done = project.selfsame("erase", *gone, "--yes")
    assert done.returncode == 0 and "left:" not in done.stdout, (done.stdout, done.stderr)
    assert roles_of(project) == {each: role for each, role in before.items() if each not in gone}
    for place in everywhere:
        assert places_with(place, words) == []
        files = [file for file in place.rglob("*") if file.is_file() and ".git" not in file.parts]
        assert [file for file in files if any(each in file.read_bytes() for each in whole)] == []
        assert [path for each, path in inputs_in(place) if each in inputs] == []
    told = json.loads(project.selfsame("taint", *gone, "--json").stdout)
    assert told["models"] == [] and set(told["erased"]) == set(gone)
    assert project.selfsame("verify").returncode == 0
    shutil.rmtree(root)


def test_groups_may_move_and_the_plan_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    lines = ["a,b,patient,kind"]
    for patient in range(40):
        for a, b in random.normal(size=(random.integers(2, 5), 2)):
            lines.append(f"{a:.6f},{b:.6f},{patient},{'yes' if a + b > 0 else 'no'}")
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n")
    split = "labels_per_class: 8, validation_per_class: 5, group_column: patient"
    (tmp_path / "params.yaml").write_text(
        f"data: {{source: table, path: own.csv, target_column: kind}}\nsplit: {{{split}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planning, "_require_settled", lambda: None)  # it needs no run to foretell roles
    monkeypatch.setattr(planning, "find_holding", lambda *_: Holding(frozenset(), ()))
    monkeypatch.setattr(planning, "_unreachable", lambda _: ())
    monkeypatch.setattr(planning, "Snapshot", lambda: None)
    data, section = load_section("data", DATA), load_section("split", SplitParams)
    found = planning._looked(data, section, Path("own.csv"))
    assert found.given is not None and found.source is not None
    ids = planning._hex(found.given.ids)
    roles = decide(found.given, found.source.info, section, "own.csv").roles
    seen = set()
    for row, one in enumerate(ids):
        with planning.planned([str(one)]) as plan:
            rest = planning._looked(data, section, plan.copy)
            assert rest.given is not None and rest.source is not None
            erased = SplitParams.model_validate(section.model_dump() | {"erased": plan.split["erased"]})
            after = dict(
                zip(
                    planning._hex(rest.given.ids),
                    decide(rest.given, rest.source.info, erased, "own.csv").roles,
                    strict=True,
                )
            )
            moved = sum(after[other] != role for other, role in zip(ids, roles, strict=True) if other != one)
            said = plan.format()
            assert plan.moved == moved and not plan.renamed, row
            assert f"of {len(ids) - 1}, {moved} get another role, 0 another id" in said
            assert ("groups (patient) stay whole, and fill the roles otherwise" in said) == bool(moved)
            seen.add(bool(moved))
        if seen == {True, False}:
            return
    raise AssertionError(f"of all rows only {seen}")
