"""What is kept is taken up only where it would have been made again."""

from pathlib import Path

import numpy as np
import pytest

from selfsame.core.digests import files_under
from selfsame.model.kept import Kept


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "table").write_text("rows")
    return tmp_path / "table"


class Maker:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"said": np.arange(3.0) + self.calls, "p": np.array(0.5)}


def test_the_same_is_made_once(table: Path, tmp_path: Path) -> None:
    make = Maker()
    first, second = (Kept(tmp_path / "kept", {"code": "a"}).get("said", [table], make) for _ in range(2))
    assert make.calls == 1
    assert second["said"].tolist() == first["said"].tolist() == [1, 2, 3]
    assert float(second["p"]) == 0.5


@pytest.mark.parametrize("change", ["facts", "name", "input"])
def test_whatever_decides_it_makes_it_anew(change: str, table: Path, tmp_path: Path) -> None:
    make = Maker()
    Kept(tmp_path / "kept", {"code": "a"}).get("said", [table], make)
    if change == "input":
        table.write_text("other rows")
    facts = {"code": "b" if change == "facts" else "a"}
    Kept(tmp_path / "kept", facts).get("other" if change == "name" else "said", [table], make)
    assert make.calls == 2


def test_an_altered_file_is_left_alone(table: Path, tmp_path: Path) -> None:
    make = Maker()
    Kept(tmp_path / "kept", {}).get("said", [table], make)
    (file,) = files_under(tmp_path / "kept")
    file.write_bytes(file.read_bytes()[:-1])
    assert Kept(tmp_path / "kept", {}).get("said", [table], make)["said"].tolist() == [2, 3, 4]


def test_what_a_run_had_no_use_for_goes(table: Path, tmp_path: Path) -> None:
    kept, make = Kept(tmp_path / "kept", {}), Maker()
    kept.get("old", [table], make)
    kept.clean()
    again = Kept(tmp_path / "kept", {})
    again.get("new", [table], make)
    again.clean()
    assert len(list(files_under(tmp_path / "kept"))) == 1
