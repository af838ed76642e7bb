"""People's answers on disk: nothing lost, nothing twice, nothing empty."""

from dataclasses import astuple, replace
from pathlib import Path

import pytest
from project import ROOT

from selfsame.core.annotations import (
    ANNOTATIONS,
    COLUMNS,
    Annotation,
    class_indices,
    format_annotations,
    parse_annotations,
    read_annotations,
)
from selfsame.core.errors import SelfsameError

ADA = Annotation("ab12", "3", "Ada, of 7\nB", "2026-01-02T03:04:05Z", "margin")
BO = Annotation("cd34", "ä", 'Bo "b"', "2026-01-02T03:04:06Z", "by hand")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(format_annotations([BO, ADA]), encoding="utf-8")
    found = read_annotations(path)
    assert list(found.items()) == [("cd34", BO), ("ab12", ADA)]


def test_the_project_has_the_file() -> None:
    assert (ROOT / ANNOTATIONS).read_text(encoding="utf-8").startswith(",".join(COLUMNS) + "\n")


def test_one_example_has_one_answer() -> None:
    text = format_annotations([ADA, BO, replace(ADA, annotator="Bo", label="5")])
    with pytest.raises(SelfsameError, match=r"ab12 stands there twice: Ada[\s\S]* says '3', Bo '5'"):
        parse_annotations(text, ANNOTATIONS)


@pytest.mark.parametrize("column", range(len(COLUMNS)))
def test_every_column_is_filled(column: int) -> None:
    values = list(astuple(BO))
    values[column] = ""
    with pytest.raises(SelfsameError, match="lacks a value"):
        parse_annotations(format_annotations([ADA, Annotation(*values)]), ANNOTATIONS)


@pytest.mark.parametrize("text", ["", "example_id,label\nab12,3\n"], ids=["empty", "two columns"])
def test_other_columns_are_refused(text: str) -> None:
    with pytest.raises(SelfsameError, match="its columns are"):
        parse_annotations(text, ANNOTATIONS)


def test_a_label_is_an_index_into_the_classes() -> None:
    answers = {one.example_id: one for one in (ADA, BO)}
    assert class_indices(answers, ("1", "3", "ä"), ANNOTATIONS) == {"ab12": 1, "cd34": 2}
    with pytest.raises(SelfsameError, match="says that cd34 is 'ä', which is no class"):
        class_indices(answers, ("1", "3"), ANNOTATIONS)
