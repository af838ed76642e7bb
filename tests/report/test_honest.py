"""What is said first, what is doubted, and what is suggested."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made import (
    LABELS,
    MEMBERS,
    TRUTH,
    VALUES,
    class_findings,
    class_gate,
    target,
    value_findings,
    value_gate,
)

from selfsame.report.findings import Findings, ModelFindings, metrics
from selfsame.report.honest import committee, headline, result, simple, suggestions, warnings
from selfsame.report.model_card import render_card
from selfsame.report.promotion import Promotion
from selfsame.report.report_page import render_report
from selfsame.report.summary import render_summary
from selfsame.selection.agreement import judge


def one_class(wrong: int) -> ModelFindings:
    """The findings of who always says the first of three classes, on rows of which ``wrong`` are another."""
    labels = np.repeat([0, 1], [60 - wrong, wrong])
    return ModelFindings(
        "always saying cat, the most frequent class", None, target().score(labels, np.zeros(60)), {}
    )


@pytest.mark.parametrize("make", [class_findings, value_findings])
def test_where_all_is_well_the_champion_comes_first(make: Any) -> None:
    findings = make()
    assert headline(findings) == result(findings)
    assert headline(findings).startswith("The student is the champion: it ")


def test_the_shares_of_a_committee_are_told() -> None:
    plain = class_findings()
    assert committee(plain) == "" and "shares" not in metrics(plain)["student"]
    shares = {"linear": 0.2, "gaussian_process": 0.5, "forest": 0.3}
    findings = class_findings(student=replace(plain.student, shares=shares))
    said = committee(findings)
    assert said.endswith(
        "Gaussian process 50\N{NO-BREAK SPACE}%, random forest 30\N{NO-BREAK SPACE}%, "
        "logistic regression 20\N{NO-BREAK SPACE}%."
    )
    assert said in render_report(findings) and said in render_card(findings)
    assert metrics(findings)["student"]["shares"] == shares


def first_words(findings: Findings) -> list[str]:
    """Return how card, terminal and page begin."""
    page = render_report(findings)
    lead = page[page.index('<p class="lead">') :]
    return [
        render_card(findings).split("\n\n")[2].replace("\\", ""),
        render_summary(findings),
        lead.removeprefix('<p class="lead">').removeprefix("<strong>"),
    ]


def refused(promotion: Promotion, rival: str) -> Promotion:
    """The rival gets fewer rows right."""
    return replace(promotion, **{rival: getattr(promotion, rival)._replace(worse=True)})


def unpromoted(findings: Findings) -> Findings:
    """The simple model did no better on validation."""
    return replace(findings, promotion=refused(findings.promotion, "reference"))


def test_a_simple_model_that_is_the_champion_is_said_to_be() -> None:
    findings = class_findings(baseline_wrong=30, student_wrong=20, reference_wrong=0)
    said = "The scikit-learn baseline, a logistic regression, is the champion: it gets 100.0"
    assert headline(findings) == result(findings)
    assert all(text.startswith(said) for text in first_words(findings))
    assert metrics(findings)["champion"] == "reference"
    assert metrics(findings)["reference"]["champion_is"] == "alike"
    assert "The pool did not help" in " ".join(warnings(findings))


def test_a_simple_model_that_is_better_is_told_of_first() -> None:
    findings = unpromoted(class_findings(baseline_wrong=30, student_wrong=20, reference_wrong=0))
    said = "A logistic regression on the same labels is better than the champion, beyond chance: on the"
    assert headline(findings).startswith(said)
    assert all(text.startswith(said) for text in first_words(findings))
    assert metrics(findings)["reference"]["champion_is"] == "worse"
    assert suggestions(findings)[0].startswith("Another family of models")
    assert "(model.architecture: linear)" in suggestions(findings)[0]


def test_the_most_frequent_class_that_is_better_is_told_of_first() -> None:
    findings = class_findings(baseline_wrong=50, student_wrong=45, reference_wrong=45, constant=one_class(9))
    assert headline(findings).startswith(
        "Always saying cat, the most frequent class is better than the champion"
    )
    assert "gets 85.0\N{NO-BREAK SPACE}% of 60 holdout rows right, the " in headline(findings)
    assert metrics(findings)["constant"]["champion_is"] == "worse"
    (said,) = suggestions(findings)  # and no other family, where the simple model is no better
    assert said.startswith(
        "Other shares of the classes, or another score: 85\N{NO-BREAK SPACE}% of the holdout"
    )
    assert "are cat, but 36\N{NO-BREAK SPACE}% of the labeled ones" in said
    as_it_comes = replace(findings, labeled=np.repeat([0, 1, 2], [12, 1, 1]))
    assert not any("Other shares" in each for each in suggestions(as_it_comes))


def test_the_mean_that_is_better_is_told_of_first() -> None:
    far = VALUES.score(TRUTH, TRUTH + 40)
    bad = ModelFindings("student", far, far, class_findings().student.history)
    findings = value_findings(student=bad, baseline=replace(bad, name="baseline"), reference=bad)
    assert headline(findings).startswith(
        "Always saying 100, the mean is better than the champion, beyond chance"
    )


def test_a_tie_is_not_called_as_good() -> None:
    for reference_wrong in (6, 5):  # one row more is no proof
        findings = class_findings(baseline_wrong=20, student_wrong=6, reference_wrong=reference_wrong)
        assert headline(findings) == result(findings)
        assert "the champion is not better beyond chance" in simple(findings)
        assert "as good" not in simple(findings) and "as well" not in simple(findings)
        assert metrics(findings)["reference"]["champion_is"] == "alike"


def test_a_simple_model_that_loses_is_said_to() -> None:
    findings = class_findings(baseline_wrong=20, student_wrong=6, reference_wrong=25)
    assert "the champion is better, beyond chance (it gains 19 rows and loses 0" in simple(findings)
    assert metrics(findings)["reference"]["gained_by_champion"] == 19


def test_a_clear_improvement_needs_no_warning() -> None:
    gate = class_gate([0, 1, 2], [0.95] * 3, {0: 0, 1: 1, 2: 2})
    assert warnings(class_findings(gate)) == []


@pytest.mark.parametrize("make", [class_findings, value_findings])
def test_a_pool_that_did_not_help_is_named(make: Any) -> None:
    findings = make()
    kept = replace(findings, promotion=refused(findings.promotion, "student"))
    assert "The pool did not help" in " ".join(warnings(kept))
    assert "The pool did not help" not in " ".join(warnings(findings))


@pytest.mark.parametrize("make", [class_findings, value_findings])
def test_a_champion_that_loses_on_the_holdout_is_named(make: Any) -> None:
    findings = make()
    kept = replace(findings, promotion=refused(findings.promotion, "student"))
    said = "The baseline was chosen on validation, as it must be; on the holdout the student does better."
    assert said in warnings(kept)


@pytest.mark.parametrize(
    ("labels", "confidence", "truth", "said"),
    [
        ([0, 0, 0, 0, 0, 1, 2], [0.95] * 7, 0, "collapse on one class: 71.4\xa0% of them are cat"),
        ([0, 1], [0.5, 0.6], 0, "No pseudo-label was accepted"),
        ([0, 0, 1], [0.95, 0.99, 0.5], 0, "No pool row was accepted as dog, emu"),
        ([0, 1, 2] * 20, [0.95] * 60, 0, "overconfident"),
        (
            [1, 2, 0],
            [0.95, 0.95, 0.5],
            0,
            "accepted pseudo-labels are 0.0\N{NO-BREAK SPACE}% right, rejected ones 100.0",
        ),
    ],
)
def test_the_gate_warns(labels: list[int], confidence: list[float], truth: int, said: str) -> None:
    gate = class_gate(labels, confidence, dict.fromkeys(range(len(labels)), truth))
    assert said in " ".join(warnings(class_findings(gate)))


def test_accepted_rows_that_were_not_learned_are_counted() -> None:
    findings = class_findings(class_gate([0, 1, 2] * 20, [0.95] * 60, dict.fromkeys(range(60), 0)))
    said = "Of 60 accepted pseudo-labels the student learned 4, drawn at random"
    assert said in " ".join(warnings(findings))
    whole = replace(findings, learned=(replace(findings.learned[0], taught=60),))
    assert "drawn at random" not in " ".join(warnings(whole))


def test_agreement_that_says_nothing_is_named() -> None:
    off = np.linspace(20, 1, 20)
    assert "The gate says nothing here: accepted pseudo-targets are off by" in " ".join(
        warnings(value_findings(off))
    )


def test_a_broken_guarantee_is_named() -> None:
    gate = class_gate([0, 1, 2] * 20, [0.95] * 60, dict.fromkeys(range(60), 0), guarantee=(0.9, 0.95))
    assert "guarantee of a precision of 0.9 is broken" in " ".join(warnings(class_findings(gate)))


def test_a_difference_by_chance_is_called_that() -> None:
    assert "chance" in " ".join(warnings(class_findings(baseline_wrong=8, student_wrong=6)))


def test_dropped_rows_are_counted() -> None:
    dropped = {"repeat": {"rows": 1200, "labels": 1}, "excluded": {"rows": 0, "labels": 0}}
    (said,) = warnings(class_findings(class_gate([0, 1, 2], [0.95] * 3, {}), dropped=dropped))
    assert said == "1,200 rows, 1 of them labeled, repeat the inputs of another row, which stays."


def test_labels_made_in_training_are_not_said_to_be_the_gates() -> None:
    findings = class_findings(class_gate([0, 1], [0.5, 0.6], {}), method="online")
    assert metrics(findings)["method"] == "online"
    assert "No pseudo-label was accepted" not in " ".join(warnings(findings))
    assert "The student didn’t learn these labels" in render_report(findings)


def test_rows_that_were_asked_for_are_no_random_draw() -> None:
    said = [text for text in warnings(class_findings(asked={"margin": 3, "random": 1})) if "asked" in text]
    assert said[0].startswith("3 of 14 labeled rows were asked for (margin 3) and are no random draw")
    assert not any("asked" in text for text in warnings(class_findings(asked={"random": 4})))
    assert "validation and holdout rows, which stay a random draw" in said[0]
    asked = class_findings(asked={"margin": 4})
    assert "no random draw" in render_card(asked)
    assert "of them asked for" in render_report(asked)
    assert metrics(asked)["labeled"] == {"rows": 14, "asked": {"margin": 4}}
    assert not [text for text in warnings(class_findings()) if "asked" in text]


def few_pass(calibrated: float, **changes: Any) -> Findings:
    """Return findings of a pool of 40 rows of which one passes a threshold of 0.9."""
    confidence = [0.95, *np.linspace(0.55, 0.85, 39).tolist()]
    gate = class_gate([0, 1] * 20, confidence, {0: 0, 1: 1}, **changes)
    return class_findings(replace(gate, calibrated=np.full(40, calibrated, np.float32)))


def test_a_threshold_that_keeps_more_is_recommended() -> None:
    (said,) = suggestions(few_pass(0.96))
    assert said.startswith(
        "Another gate: only 2.5\N{NO-BREAK SPACE}% of the pool has an accepted pseudo-label. With "
    )
    assert "pseudo_label.threshold: 0 it would be 100.0" in said
    assert "calibrated confidences expect 96.0\N{NO-BREAK SPACE}% to be right (100.0" in said
    (said,) = suggestions(few_pass(0.7))
    assert said.startswith("Not another gate, though only 2.5") and "expect 70.0" in said
    assert suggestions(class_findings()) == []


def test_a_threshold_that_would_guarantee_a_precision_is_offered() -> None:
    findings = few_pass(0.5, guaranteed=((0.8, 0.6), (0.95, None)))
    offers = {each.setting: each for each in findings.target.offers(findings.gate)}
    offered = offers["pseudo_label.rule: target_precision and target_precision: 0.8"]
    assert (offered.kept.level, offered.kept.coverage.total) == (0.6, 40)
    assert not [setting for setting in offers if setting.endswith("0.95") and "rule" in setting]


def test_a_larger_spread_is_recommended_for_values() -> None:
    said = np.stack([TRUTH - 1, TRUTH + 1])
    record = judge(
        said, TRUTH, calibrated_on="validation", largest_ensemble_std=0.05, unit=10.0, members=MEMBERS
    )
    gate = replace(value_gate(), record=record)
    gate = replace(gate, accepted=gate.trust <= 0.05)
    (offer,) = suggestions(value_findings(gate=gate))
    assert offer.startswith(
        "Another gate: only 5.0\N{NO-BREAK SPACE}% of the pool has an accepted pseudo-target"
    )
    assert (
        "With pseudo_label.largest_ensemble_std: 0.1" in offer and "off by 0 (root mean square of 60" in offer
    )


def test_more_labels_are_suggested_where_they_have_helped() -> None:
    own = target()
    rows = np.tile(LABELS, 2)
    curve = [own.score(rows, np.where(np.arange(120) < wrong, (rows + 1) % 3, rows)) for wrong in (40, 10)]
    (said,) = suggestions(class_findings(learning_curve=tuple(curve)))
    assert said.startswith("More labels: a logistic regression has 66.7\N{NO-BREAK SPACE}% (")
    assert "with half of the labels and 91.7" in said
    assert "perhaps" not in said and "The next doubling" in said
    assert suggestions(class_findings(learning_curve=(curve[0], curve[0]))) == []
    assert suggestions(class_findings(learning_curve=(curve[1], curve[0]))) == []
    nearly = own.score(rows, np.where(np.arange(120) < 38, (rows + 1) % 3, rows))
    (said,) = suggestions(class_findings(learning_curve=(curve[0], nearly)))
    assert said.startswith("More labels, perhaps: ") and "120 rows can't tell that from luck;" in said


def test_a_champion_that_is_better_than_the_model_of_the_curve_may_gain_less() -> None:
    own = target()
    rows = np.tile(LABELS, 2)
    curve = tuple(
        own.score(rows, np.where(np.arange(120) < wrong, (rows + 1) % 3, rows)) for wrong in (40, 10)
    )
    (said,) = suggestions(class_findings(learning_curve=curve, reference_wrong=40))
    assert "may well help too; the student is better than that, and may gain less; 'selfsame ask'" in said
