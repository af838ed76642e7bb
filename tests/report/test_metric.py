"""``evaluate.metric``: the score that promotion, first words and report go by."""

import numpy as np
import pytest
from made import class_findings
from sklearn.metrics import balanced_accuracy_score, f1_score

from selfsame.core.tables import TableInfo
from selfsame.report.findings import ModelFindings, metrics
from selfsame.report.honest import headline, result
from selfsame.report.promotion import promote
from selfsame.report.report_page import render_report
from selfsame.report.summary import render_summary
from selfsame.report.target import Target, target_of

INFO = TableInfo("zoo", "classification", ("cat", "dog", "emu"), features=("weight",))
LABELS = np.repeat([0, 1, 2], [80, 10, 10])


def said(wrong: tuple[int, ...]) -> np.ndarray:
    """Probabilities (100, 3), so many of each class wrong."""
    answers = LABELS.copy()
    for label, count in enumerate(wrong):
        answers[np.flatnonzero(label == LABELS)[:count]] = (label + 1) % 3
    return 0.05 + 0.85 * np.eye(3)[answers]


COMMON, RARE = said((2, 9, 9)), said((24, 0, 0))  # 80 and 76 rows right


def by(metric: str | None) -> Target:
    return target_of(INFO, metric)


@pytest.mark.parametrize(
    ("metric", "truth"),
    [
        ("macro_f1", lambda answers: f1_score(LABELS, answers, average="macro")),
        ("balanced_accuracy", lambda answers: balanced_accuracy_score(LABELS, answers)),
    ],
)
def test_a_measure_of_classes_is_scikit_learns_with_an_interval(metric: str, truth: object) -> None:
    for answers in (COMMON, RARE):
        scores = by(metric).score(LABELS, answers)
        assert scores.measure == metric
        assert scores.main.value == pytest.approx(truth(answers.argmax(axis=1)))
        assert scores.main.low < scores.main.value < scores.main.high
    assert 1 - scores.errors.mean() == pytest.approx(balanced_accuracy_score(LABELS, RARE.argmax(axis=1))), (
        "what the models are compared by"
    )


@pytest.mark.parametrize(
    ("metric", "champion"),
    [(None, "baseline"), ("accuracy", "baseline"), ("macro_f1", "student"), ("balanced_accuracy", "student")],
)
def test_the_metric_chooses_the_champion(metric: str | None, champion: str) -> None:
    target = by(metric)
    common, rare = (target.score(LABELS, each) for each in (COMMON, RARE))
    assert promote(target, common, rare, common, 0.3).champion == champion


def test_first_words_and_report_go_by_it() -> None:
    target = by("macro_f1")
    scores = {name: target.score(LABELS, each) for name, each in (("baseline", COMMON), ("student", RARE))}
    constant = target.score(LABELS, np.zeros(100))
    models = {
        name: ModelFindings(name, each, each, class_findings().student.history)
        for name, each in scores.items()
    }
    findings = class_findings(
        target=target,
        **models,
        reference=ModelFindings("logistic regression", scores["baseline"], scores["baseline"], {}),
        constant=ModelFindings("always saying cat", None, constant, {}),
        promotion=promote(target, *scores.values(), scores["baseline"], 0.3),
    )
    f1 = f1_score(LABELS, RARE.argmax(axis=1), average="macro")
    assert result(findings).startswith(
        f"The student is the champion: it has a macro F1 of {f1:.3f} on 100 holdout"
    )
    assert headline(findings) == result(findings)
    assert metrics(findings)["student"]["holdout"]["macro_f1_low"] < f1
    assert "macro F1 on 100 holdout rows (95 % interval)" in render_summary(findings)
    assert 'aria-label="Holdout macro F1 with 95 % intervals' in render_report(findings)
