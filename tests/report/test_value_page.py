"""The page of a regression: self-contained, whole, and its slider moves the numbers in a browser."""

import re
from collections import Counter

import numpy as np
import pytest
from pages import Browse, Page, text_of, with_script

from selfsame.core.tables import TableInfo
from selfsame.report.promotion import promote
from selfsame.report.values.agreement import ValueGate
from selfsame.report.values.findings import ValueFindings, ValueModelFindings, ValueReferenceFindings
from selfsame.report.values.gallery import ValueExample, ValueGallery
from selfsame.report.values.page import render_value_report
from selfsame.report.values.scores import score_values
from selfsame.report.watches import Drift
from selfsame.selection.agreement import judge
from selfsame.stats.share import Share

TRUTH = np.random.default_rng(0).normal(100, 10, 60)
MEMBERS = ("ab" * 32, "cd" * 32)


def findings(error: np.ndarray | None = None) -> ValueFindings:
    """Two models, the student the better, and a pool of 20 rows that are off by twice their spread."""
    spread = np.linspace(0.05, 1, 20, dtype=np.float32)
    said = np.stack([TRUTH - 2, TRUTH + 2])
    record = judge(said, TRUTH, judged_on="validation", largest_spread=0.5, unit=10.0, members=MEMBERS)
    scores = {
        name: score_values(TRUTH, TRUTH + np.random.default_rng(1).normal(0, noise, 60))
        for name, noise in (("baseline", 5.0), ("student", 2.0), ("reference", 8.0))
    }
    curves = np.linspace(1, 0.1, 5)
    history = {
        "epoch": np.arange(1.0, 6),
        "training_loss": curves,
        "validation_loss": curves,
        "validation_r2": 1 - curves,
    }
    baseline, student = (
        ValueModelFindings(name, scores[name], scores[name], history) for name in ("baseline", "student")
    )
    return ValueFindings(
        title="Weights",
        info=TableInfo("zoo", "regression", features=("length",)),
        labeled_rows=14,
        gate=ValueGate(record, MEMBERS[:1], spread, spread <= 0.5, 20.0 * spread if error is None else error),
        baseline=baseline,
        student=student,
        reference=ValueReferenceFindings("ridge regression", 74, scores["reference"], scores["reference"]),
        promotion=promote(scores["baseline"].squared_errors, scores["student"].squared_errors, 0.05),
        refitted=False,
        method="offline",
        settings={"models/student": {"model.widths": [32]}, "models/champion": {"evaluate.title": "Weights"}},
        digests={"data/splits/pool/part-00000.parquet": "12" * 32, "models/student/config.json": "34" * 32},
        near_copies=Share(0, 60),
        drift=Drift(0.5, Share(0, 1)),
        galleries=(
            ValueGallery("Accepted", (ValueExample("ab12", np.array([1.25]), 99.5, 0.3, 98.0),)),
            ValueGallery("Mistakes", ()),
        ),
    )


def test_the_page_is_whole_and_needs_no_network() -> None:
    html = render_value_report(findings())
    page = Page(html)
    assert page.open == []
    assert "://" not in html and "@import" not in html and "None" not in page.text and "nan" not in page.text
    ids = page.values("id")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    wanted = {link[1:] for name in ("href", "xlink:href") for link in page.values(name) if link[0] == "#"}
    wanted |= set(re.findall(r"url\(#([^)]*)\)", html)) | set(page.values("for"))
    wanted |= {name for names in page.values("aria-labelledby") for name in names.split()}
    assert wanted <= set(ids)
    assert "The student is the champion" in page.text and "labeled 14 validation 60" in page.text
    assert "said spread truth off by length 99.5 0.300 98 1.5 1.25" in page.text


def test_the_slider_moves_the_numbers(browse: Browse) -> None:
    html = render_value_report(findings())
    dom, messages = browse(html)
    assert 'id="explore" class="explore">' in dom  # shown, since its script runs
    assert (text_of(dom, "at-spread"), text_of(dom, "at-accepted")) == ("0.5", "10")
    assert text_of(dom, "at-coverage") == "50.0\xa0%"
    error = np.sqrt(np.mean(np.arange(1, 11) ** 2))  # ten rows, off by 1, 2, … 10
    assert float(text_of(dom, "at-error")) == pytest.approx(error, abs=1e-3)
    assert "CONSOLE" not in messages
    move = (
        "const s = document.querySelector('#spread'); s.value = s.max; s.dispatchEvent(new Event('input'));"
    )
    link = "document.querySelector('.graph a[href$=parquet]')"
    follow = f"{link}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}));"
    dom, messages = browse(with_script(html, move + follow))
    assert (text_of(dom, "at-spread"), text_of(dom, "at-accepted")) == ("1", "20")
    assert text_of(dom, "at-coverage") == "100.0\xa0%"
    opened = re.findall(r"<details open=\"\">\s*<summary><b>([^<]*)", dom)
    assert opened == ["data/splits"]  # the box of the drawing has opened that of the list
    assert "CONSOLE" not in messages


def test_without_hidden_values_the_slider_says_so(browse: Browse) -> None:
    dom, messages = browse(render_value_report(findings(error=np.full(20, np.nan))))
    assert (text_of(dom, "at-accepted"), text_of(dom, "at-error"), text_of(dom, "at-close")) == (
        "10",
        "–",
        "–",
    )
    assert "CONSOLE" not in messages
