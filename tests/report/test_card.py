"""The model card: metadata that parses, figures of the findings, names that stay text."""

from collections.abc import Callable

from ruamel.yaml import YAML

from selfsame.report.card import render_card
from selfsame.report.findings import Findings
from selfsame.report.gate import Gate

MakeFindings = Callable[..., Findings]


def test_the_card_tells_the_champions_figures(make_findings: MakeFindings) -> None:
    findings = make_findings(baseline_wrong=20, student_wrong=6)
    _, head, body = render_card(findings).split("---\n", 2)
    metadata = YAML(typ="safe").load(head)
    assert (metadata["library_name"], metadata["pipeline_tag"]) == ("selfsame", "tabular-classification")
    (result,) = metadata["model-index"][0]["results"]
    assert [each["value"] for each in result["metrics"]] == [0.9, round(findings.student.holdout.macro_f1, 6)]
    assert "The student: 90.0%" in body
    assert "Of the 4 whose truth is known, 75.0%" in body


def test_names_stay_text(make_findings: MakeFindings) -> None:
    evil = "<b>*x*</b> `y` | [z](w)"
    _, head, body = render_card(make_findings(title=evil, classes=(evil, "dog", "emu"))).split("---\n", 2)
    assert YAML(typ="safe").load(head)["model-index"][0]["name"] == evil
    assert evil not in body
    assert r"\<b\>\*x\*" in body


def test_a_pool_without_truth_is_said_to_have_none(
    make_findings: MakeFindings, write_gate: Callable[..., Gate]
) -> None:
    card = render_card(make_findings(gate=write_gate([0, 1], [0.95, 0.5], {})))
    assert "How many of them are right isn't known." in card


def test_the_same_findings_give_the_same_card(make_findings: MakeFindings) -> None:
    assert render_card(make_findings()) == render_card(make_findings())
