"""The model card: metadata that parses, figures of the findings, names that stay text."""

from made import class_findings, class_gate, value_findings
from ruamel.yaml import YAML

from selfsame.report.model_card import render_card


def test_the_card_tells_the_champions_figures() -> None:
    findings = class_findings(baseline_wrong=20, student_wrong=6)
    _, head, body = render_card(findings).split("---\n", 2)
    metadata = YAML(typ="safe").load(head)
    assert (metadata["library_name"], metadata["pipeline_tag"]) == ("selfsame", "tabular-classification")
    (result,) = metadata["model-index"][0]["results"]
    macro_f1 = findings.student.holdout.measures["macro_f1"].value
    assert [each["value"] for each in result["metrics"][:2]] == [0.9, round(macro_f1, 6)]
    assert [each["type"] for each in result["metrics"]] == ["accuracy", "f1", "loss"]
    first = body.split("\n\n")[1]
    assert first.startswith(
        "The student is the champion: it gets 90.0\N{NO-BREAK SPACE}% of 60 holdout rows right"
    )
    assert "Of the 4 whose truth is known: 75.0\N{NO-BREAK SPACE}% right." in body


def test_names_stay_text() -> None:
    evil = "<b>*x*</b> `y` | [z](w)"
    _, head, body = render_card(class_findings(title=evil, classes=(evil, "dog", "emu"))).split("---\n", 2)
    assert YAML(typ="safe").load(head)["model-index"][0]["name"] == evil
    assert evil not in body
    assert r"\<b\>\*x\*" in body


def test_a_pool_without_truth_is_said_to_have_none() -> None:
    card = render_card(class_findings(class_gate([0, 1], [0.95, 0.5], {})))
    assert "How good they are isn't known." in card


def test_values_have_a_card_too() -> None:
    _, head, body = render_card(value_findings()).split("---\n", 2)
    assert YAML(typ="safe").load(head)["pipeline_tag"] == "tabular-regression"
    assert body.split("\n\n")[1].startswith(
        "The student is the champion: it has an R² of 0.963 on 60 holdout rows"
    )


def test_the_same_findings_give_the_same_card() -> None:
    assert render_card(class_findings()) == render_card(class_findings())
