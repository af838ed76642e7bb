"""The strict reader of ``params.yaml``: whatever is wrong is named, with what would be right."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.params import Section
from selfsame.params.reading import check_sections, json_schema


class Bowl(Section):
    size: int = Field(ge=1, le=9)
    depth: float = Field(gt=0, lt=1)
    glaze: Literal["blue", "green"]
    owner: str | None


class Oven(Section):
    hours: float = Field(ge=0)


SCHEMAS = {"bowl": Bowl, "oven": Oven}
GOOD = "bowl: {size: 3, depth: 0.5, glaze: blue, owner: null}\noven: {hours: 2}\n"


def load(text: str, tmp_path: Path) -> dict[str, Section]:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return check_sections(read_yaml(path), SCHEMAS, name=str(path))


def test_good_parameters_come_back_typed(tmp_path: Path) -> None:
    bowl = load(GOOD, tmp_path)["bowl"]
    assert bowl == Bowl(size=3, depth=0.5, glaze="blue", owner=None)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("size:", "sise:", ["bowl.sise = 3: unknown key; nearest valid name: size", "bowl.size: missing"]),
        ("size:", "xyz:", ["bowl.xyz = 3: unknown key; valid names: size, depth, glaze, owner"]),
        ("size: 3, ", "", ["bowl.size: missing (allowed: integer ≥ 1 and ≤ 9)"]),
        ("size: 3", "size: 10", ["bowl.size = 10: ", "(allowed: integer ≥ 1 and ≤ 9)"]),
        ("size: 3", "size: '3'", ["bowl.size = '3': ", "integer ≥ 1 and ≤ 9"]),
        ("size: 3", "size: 3.5", ["bowl.size = 3.5: "]),
        ("size: 3", "size: true", ["bowl.size = True: "]),
        ("depth: 0.5", "depth: 1.0", ["bowl.depth = 1.0: ", "(allowed: number > 0 and < 1)"]),
        ("depth: 0.5", "depth: .nan", ["bowl.depth = nan: "]),
        ("glaze: blue", "glaze: red", ["bowl.glaze = 'red': ", "(allowed: one of blue, green)"]),
        ("owner: null", "owner: 7", ["bowl.owner = 7: ", "(allowed: string or null)"]),
        ("oven: {", "ovn: {", ["ovn: unknown section; nearest valid name: oven", "oven: missing section"]),
        ("oven: {hours: 2}", "oven: 2", ["oven = 2: "]),
        ("oven: {hours: 2}", "", ["oven: missing section; with all its defaults: 'oven: {}'"]),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, said: list[str], tmp_path: Path) -> None:
    assert old in GOOD
    with pytest.raises(SelfsameError) as caught:
        load(GOOD.replace(old, new), tmp_path)
    for words in said:
        assert f"{tmp_path / 'params.yaml'}: " + words in caught.value.what or words in caught.value.what
    assert caught.value.fix


class Dough(Section):
    rows: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)] | Literal["all"]


@pytest.mark.parametrize("value", ["0", "1.5", "some"])
def test_a_key_that_may_be_one_thing_or_another_is_one_problem(value: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(f"dough: {{rows: {value}}}")
    with pytest.raises(SelfsameError) as caught:
        check_sections(read_yaml(tmp_path / "params.yaml"), {"dough": Dough})
    (problem,) = caught.value.what.splitlines()
    assert "dough.rows = " in problem
    assert "integer ≥ 1 or number > 0 and < 1 or one of all" in problem


def test_all_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SelfsameError) as caught:
        load(GOOD.replace("size: 3", "size: 0").replace("hours: 2", "hours: -1"), tmp_path)
    assert len(caught.value.what.splitlines()) == 2


def test_an_exponent_without_a_point_is_a_number(tmp_path: Path) -> None:
    """YAML 1.1 takes ``1e-3`` for a text."""
    bowl = load(GOOD.replace("depth: 0.5", "depth: 1e-3"), tmp_path)["bowl"]
    assert bowl == Bowl(size=3, depth=0.001, glaze="blue", owner=None)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(GOOD.replace("size: 3", "size: 3, size: 4"), id="duplicate key"),
        pytest.param(GOOD + "oven: {hours: 3}\n", id="duplicate section"),
        pytest.param(GOOD + "bowl: [", id="not YAML"),
        pytest.param("", id="empty"),
        pytest.param("- bowl\n", id="a list"),
    ],
)
def test_a_broken_file_is_one_message(text: str, tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match=r"params\.yaml"):
        load(text, tmp_path)


def test_a_missing_file_says_where_it_was_sought(tmp_path: Path) -> None:
    with pytest.raises(SelfsameError) as caught:
        check_sections(read_yaml(tmp_path / "params.yaml"), SCHEMAS)
    assert str(Path.cwd()) in caught.value.what
    assert "root" in caught.value.fix


def test_a_section_cannot_be_changed() -> None:
    oven = Oven(hours=2)
    with pytest.raises(ValueError, match="frozen"):
        oven.hours = 3


def test_the_json_schema_is_as_strict() -> None:
    schema = json_schema(SCHEMAS)
    assert schema["required"] == ["bowl", "oven"]
    assert schema["additionalProperties"] is False
    bowl = schema["properties"]["bowl"]
    assert bowl["required"] == ["size", "depth", "glaze", "owner"]
    assert bowl["additionalProperties"] is False
    assert bowl["properties"]["size"] == {"maximum": 9, "minimum": 1, "title": "Size", "type": "integer"}
