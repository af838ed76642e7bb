"""Answers: taken whole or not at all, about pool rows alone, each with who and when."""

import csv
import json
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from project import section

from selfsame.active.answers import commit_answers, merge_answers
from selfsame.active.request import (
    LABEL_STUDIO,
    LABEL_STUDIO_SETUP,
    REQUEST,
    label_studio_choice,
    make_request,
    write_request,
)
from selfsame.core.annotations import ANNOTATIONS, DOUBTED, Annotation, read_annotations
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import DOUBTFUL
from selfsame.params.compute import ComputeParams

OTHER = {"benign": "malignant", "malignant": "benign"}
WHEN = "2026-01-02T03:04:05Z"


def ids(role: str, count: int = 3) -> list[str]:
    path = Path("data/splits") / role
    return pq.read_table(path if path.is_dir() else path.with_suffix(".parquet"))["example_id"].to_pylist()[
        :count
    ]


def write_csv(
    name: str, *rows: tuple[str, ...], header: str = "example_id,label,annotator,labeled_at"
) -> Path:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return Path(name)


def label_studio(example_id: str, label: str, **changes: Any) -> dict[str, Any]:
    """A task as Label Studio's export in JSON has it, in what is read of it."""
    result = [{"from_name": "label", "to_name": "row", "type": "choices", "value": {"choices": [label]}}]
    annotation = {"completed_by": 4, "was_cancelled": False, "created_at": WHEN, "result": result} | changes
    return {"id": 1, "data": {"example_id": example_id}, "annotations": [annotation]}


def test_a_csv_is_taken_in_and_once_only(trained: Path) -> None:
    one, two, _ = ids("pool")
    REQUEST.write_text(f"rank,example_id,strategy\n1,{one},entropy\n", encoding="utf-8")
    file = write_csv("a.csv", (one, "benign", "Ada", WHEN), (two, "malignant", "Bo", WHEN))
    merged = merge_answers(file, None)
    assert (merged.added, merged.known, merged.total) == (2, 0, 2)
    expected = [
        Annotation(one, "benign", "Ada", WHEN, "entropy"),
        Annotation(two, "malignant", "Bo", WHEN, "by hand"),
    ]
    assert list(read_annotations(ANNOTATIONS).values()) == expected
    before = ANNOTATIONS.read_bytes()
    merged = merge_answers(file, None)
    assert (merged.added, merged.known, merged.total) == (0, 2, 2)
    assert ANNOTATIONS.read_bytes() == before


def test_a_doubted_label_can_be_corrected(trained: Path) -> None:
    labeled, other, _ = ids("labeled")
    DOUBTFUL.parent.mkdir(exist_ok=True)
    DOUBTFUL.write_text(f"example_id,label,given\n{labeled},,benign\n", encoding="utf-8")
    merged = merge_answers(write_csv("a.csv", (labeled, "malignant", "Ada", WHEN)), None)
    assert merged.added == 1
    assert read_annotations(ANNOTATIONS)[labeled] == Annotation(labeled, "malignant", "Ada", WHEN, DOUBTED)
    with pytest.raises(SelfsameError, match="no row of the pool"):
        merge_answers(write_csv("b.csv", (other, "malignant", "Ada", WHEN)), None)


def test_who_must_be_known(trained: Path) -> None:
    file = write_csv("a.csv", (ids("pool")[0], "benign"), header="example_id,label")
    with pytest.raises(SelfsameError, match="doesn't say who labeled"):
        merge_answers(file, None)
    merge_answers(file, "Ada")
    (one,) = read_annotations(ANNOTATIONS).values()
    assert one.annotator == "Ada" and one.labeled_at.endswith("+00:00")


def test_an_export_of_label_studio_is_taken_in(trained: Path) -> None:
    one, two, three = ids("pool")
    tasks = [
        label_studio(one, "benign", completed_by={"id": 3, "email": "ada@example.org"}),
        label_studio(two, "malignant"),
        label_studio(three, "malignant", was_cancelled=True),
    ]
    Path("export.json").write_text(json.dumps(tasks), encoding="utf-8")
    assert merge_answers(Path("export.json"), None).added == 2
    found = read_annotations(ANNOTATIONS)
    assert [(each.label, each.annotator, each.labeled_at) for each in found.values()] == [
        ("benign", "ada@example.org", WHEN),
        ("malignant", "Label Studio user 4", WHEN),
    ]


def test_guesses_go_out_as_pre_annotations_and_come_back_as_labels(trained: Path) -> None:
    own = section("active_learning", model="baseline", rows=3)
    made = make_request(own, ComputeParams(device="cpu", cpu_threads=1), 1)
    write_request(made)
    assert "predictions" not in LABEL_STUDIO.read_text(encoding="utf-8")
    write_request(made, guesses=True)
    view = ElementTree.fromstring(LABEL_STUDIO_SETUP.read_text(encoding="utf-8"))
    (choices,) = view.iter("Choices")
    tasks = json.loads(LABEL_STUDIO.read_text(encoding="utf-8"))
    for task, one in zip(tasks, made.questions, strict=True):
        (result,) = task["predictions"][0]["result"]
        assert (result["from_name"], result["to_name"]) == (choices.get("name"), choices.get("toName"))
        assert result["value"]["choices"] == [one.guess]
        # What is confirmed there is a copy of the prediction; the first one is corrected.
        given = result if one is not made.questions[0] else label_studio_choice(OTHER[one.guess])
        task["annotations"] = [
            {"completed_by": 4, "was_cancelled": False, "created_at": WHEN, "result": [given]}
        ]
    Path("export.json").write_text(json.dumps(tasks), encoding="utf-8")
    assert merge_answers(Path("export.json"), None).added == 3
    found = read_annotations(ANNOTATIONS)
    first, *others = made.questions
    assert found[first.example_id].label == OTHER[first.guess]
    assert [found[one.example_id].label for one in others] == [one.guess for one in others]
    assert {each.strategy for each in found.values()} == {"margin, guess shown"}


@pytest.mark.parametrize("role", ["labeled", "validation", "holdout"])
def test_only_pool_rows_are_taken(role: str, trained: Path) -> None:
    file = write_csv("a.csv", (ids("pool")[0], "benign", "Ada", WHEN), (ids(role)[0], "benign", "Ada", WHEN))
    before = ANNOTATIONS.read_bytes()
    with pytest.raises(SelfsameError, match=f"{ids(role)[0]} .* is no row of the pool"):
        merge_answers(file, None)
    assert ANNOTATIONS.read_bytes() == before


def test_people_who_disagree_are_named(trained: Path) -> None:
    one, two, _ = ids("pool")
    merge_answers(write_csv("a.csv", (one, "benign", "Ada", WHEN)), None)
    file = write_csv("b.csv", (two, "benign", "Bo", WHEN), (one, "malignant", "Cy", WHEN))
    before = ANNOTATIONS.read_bytes()
    with pytest.raises(SelfsameError, match=f"{one} is 'benign' for Ada .*, 'malignant' for Cy") as caught:
        merge_answers(file, None)
    assert "labels.csv" in caught.value.fix
    within = write_csv("c.csv", (two, "benign", "Bo", WHEN), (two, "malignant", "Cy", WHEN))
    with pytest.raises(SelfsameError, match=f"{two} is 'benign' for Bo .*, 'malignant' for Cy"):
        merge_answers(within, None)
    assert ANNOTATIONS.read_bytes() == before


def test_an_unknown_class_is_refused(trained: Path) -> None:
    file = write_csv("a.csv", (ids("pool")[0], "harmless", "Ada", WHEN))
    with pytest.raises(SelfsameError, match="'harmless', which is no class") as caught:
        merge_answers(file, None)
    assert "malignant, benign" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "id,class\n1,2\n"), ("a.json", "{"), ("a.json", '[{"data": {}}]'), ("a.json", '{"a": 1}')],
)
def test_what_is_no_file_of_answers_is_refused(name: str, text: str, trained: Path) -> None:
    Path(name).write_text(text, encoding="utf-8")
    with pytest.raises(SelfsameError, match="neither answers in CSV nor an export of Label Studio"):
        merge_answers(Path(name), "Ada")
    with pytest.raises(SelfsameError, match=r"gone\.csv: no such file"):
        merge_answers(Path("gone.csv"), "Ada")


def test_the_labels_alone_are_committed(trained: Path) -> None:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("config", "user.name", "Ada")
    git("config", "user.email", "ada@example.org")
    git("add", ANNOTATIONS.as_posix())
    git("commit", "-qm", "first")
    Path("other.txt").write_text("staged by somebody\n", encoding="utf-8")
    git("add", "other.txt")
    merged = merge_answers(write_csv("a.csv", (ids("pool")[0], "benign", "Ada", WHEN)), None)
    commit_answers(merged)
    assert git("show", "--name-only", "--format=%s", "HEAD").split("\n\n") == [
        "1 labels given on request",
        str(ANNOTATIONS),
    ]
    assert git("diff", "--cached", "--name-only") == "other.txt"
