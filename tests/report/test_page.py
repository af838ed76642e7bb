"""The page: self-contained, escaped, the same bytes, readable in both themes, and a browser opens it."""

import base64
import io
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, barriers
from made import CLASSES, class_findings, class_gate, target, value_findings
from pages import Browse, Page, text_of, with_script
from PIL import Image

from selfsame.report.findings import ModelFindings
from selfsame.report.gallery import Example, Gallery
from selfsame.report.promotion import Promotion, Rival
from selfsame.report.report_page import TEMPLATES, render_report
from selfsame.stats.share import Share

NBSP = "\N{NO-BREAK SPACE}"
FINDINGS = {"classes": class_findings, "values": value_findings}


@pytest.fixture(scope="module", params=FINDINGS)
def html(request: pytest.FixtureRequest) -> str:
    """The page of either target, drawn once."""
    return render_report(FINDINGS[request.param]())


@pytest.fixture(scope="module")
def classes() -> str:
    return render_report(class_findings())


@pytest.fixture(scope="module")
def values() -> str:
    return render_report(value_findings())


def test_the_same_findings_give_the_same_bytes(classes: str) -> None:
    assert render_report(class_findings()) == classes


def test_the_answer_comes_first_and_says_it_all(classes: str) -> None:
    text = Page(classes).text
    assert "The student is the champion: it gets 90.0 % of 60 holdout rows right" in text
    headings = ["The answer", "The gate", "Examples", "Evaluation", "Lineage"]
    places = [text.rindex(heading) for heading in headings]  # the last mention: the first is in the contents
    assert places == sorted(places)
    assert "4 of 5 rows were accepted, a coverage of 80.0 %" in text
    assert "labeled 14 validation 60 holdout 60 pool 5 accepted 4 rejected 1" in text


def test_values_are_told_in_their_own_words(values: str) -> None:
    text = Page(values).text
    assert "The student is the champion: it has an R² of 0.963 on 60 holdout rows" in text
    assert "labeled 14 validation 60" in text
    assert "labeled ensemble standard deviation truth off by length 99.5 0.300 98 1.5 1.25" in text
    assert "close 95 % interval 0.25 25.0 %" in text, "the table of other levels"


def test_the_baseline_can_stay_champion() -> None:
    text = Page(render_report(class_findings(baseline_wrong=6, student_wrong=20))).text
    assert "The baseline stays the champion: it gets 90.0 %" in text
    assert "models/champion is a copy of models/baseline" in text


@pytest.mark.parametrize(
    ("confidence", "hidden", "said"),
    [
        ([0.5, 0.6], {0: 0, 1: 1}, "No pseudo-label was accepted"),
        ([0.95, 0.6], {}, "isn’t known: the source has no hidden labels for them"),
    ],
)
def test_a_gate_without_figures_is_said_plainly(
    confidence: list[float], hidden: dict[int, int], said: str
) -> None:
    gate = class_gate(list(range(len(confidence))), confidence, hidden)
    text = Page(render_report(class_findings(gate))).text
    assert said in text
    assert "None" not in text and "nan" not in text


def test_html_in_a_class_name_or_a_title_stays_text() -> None:
    evil = "<script>alert(1)</script>"
    page = Page(render_report(class_findings(classes=(evil, '"><img src=x>', "&amp;"), title=evil)))
    scripts = [attributes.get("type") for tag, attributes in page.elements if tag == "script"]
    assert scripts == ["application/json", "module"]
    assert "img" not in [tag for tag, _ in page.elements]
    assert evil in page.text and '"><img src=x>' in page.text and "&amp;" in page.text


def test_the_page_needs_no_network(html: str) -> None:
    assert "://" not in html and "@import" not in html
    assert all(
        value.startswith(("#", "data:"))
        for name in ("src", "href", "xlink:href")
        for value in Page(html).values(name)
    )
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert len(html) < 300_000


def test_ids_are_unique_and_every_reference_resolves(html: str) -> None:
    page = Page(html)
    ids = page.values("id")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    wanted = [link for name in ("href", "xlink:href") for link in page.values(name) if link.startswith("#")]
    wanted += re.findall(r"url\((#[^)]*)\)", html)
    labels = {name for names in page.values("aria-labelledby") for name in names.split()}
    assert {link[1:] for link in wanted} | labels | set(page.values("for")) <= set(ids)
    assert page.open == []
    assert "None" not in page.text and "nan" not in page.text


def test_tables_and_figures_are_accessible(html: str) -> None:
    page = Page(html)
    assert all(attributes.get("scope") for tag, attributes in page.elements if tag == "th")
    assert all(
        attributes.get("aria-label") or attributes.get("aria-labelledby")
        for _, attributes in page.elements
        if attributes.get("role")
    )
    *charts, graph = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(charts) >= 4 and all(chart.get("aria-hidden") for chart in charts)
    assert graph["class"] == "graph"
    assert set((graph["aria-labelledby"] or "").split()) <= set(page.values("id"))


def test_figures_take_their_colors_from_the_page(html: str) -> None:
    figures = re.findall(r"<svg viewBox.*?</svg>", html, flags=re.DOTALL)
    assert not any(re.search(r"#[0-9a-f]{6}\b", figure) for figure in figures)
    assert all("var(--soft)" in figure and "var(--student)" in figure for figure in figures)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_colors_have_contrast(theme: int) -> None:
    css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)[theme]
    colors = dict(re.findall(r"--(\w+): (#\w+);", block))
    depth = float(re.findall(r"--depth: ([\d.]+)", block)[0])
    paper = _channels(colors["paper"])
    for name in ("ink", "soft", "student", "baseline", "caution", "wrong"):
        assert _contrast(_channels(colors[name]), paper) >= 4.5, name
    for name, strength in (("student", depth), ("wrong", depth + 0.06)):  # the hottest cell of the heat map
        cell = [
            strength * top + (1 - strength) * below
            for top, below in zip(_channels(colors[name]), paper, strict=True)
        ]
        assert _contrast(_channels(colors["ink"]), cell) >= 4.5, name


def _channels(color: str) -> list[float]:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    return [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]


def _contrast(one: list[float], other: list[float]) -> float:
    """Contrast ratio of two sRGB colors, as WCAG 2 defines it."""
    lights = []
    for color in (one, other):
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in color]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
    return max(lights) / min(lights)


def test_examples_show_what_was_said_and_what_is_true(classes: str) -> None:
    text = Page(classes).text
    assert "Accepted labeled confidence truth weight cat 0.910 dog 1.25" in text
    assert "emu 0.420 – 2.5" in text
    assert "Mistakes There are none." in text


def test_every_box_of_the_lineage_opens_its_files_and_parameters(classes: str) -> None:
    page = Page(classes)
    lineage = page.text[page.text.index("What this page follows from") :]
    splits, student, end = (
        lineage.index(name) for name in ("data/splits ", "models/student ", "models/champion , and")
    )
    assert splits < lineage.index("cd" * 32) < student < lineage.index("ef" * 32) < end
    assert student < lineage.index("model.widths [32, 64]") < end
    assert end < lineage.index("evaluate.title Animals")
    assert [tag for tag, _ in page.elements].count("details") == 3


def test_images_are_shown_as_pictures_inside_the_page() -> None:
    raw = np.array([[[0, 8], [16, 4]]], dtype=np.uint8)
    findings = class_findings(
        target=target(CLASSES, features=(), image_shape=(1, 2, 2)),
        galleries=(Gallery("Accepted", (Example("ab12", raw, 0, 0.91, 1),)),),
    )
    page = Page(render_report(findings))
    (image,) = [attributes for tag, attributes in page.elements if tag == "img"]
    assert image["alt"] == "Example ab12, labeled cat"
    kind, _, encoded = (image["src"] or "").partition(",")
    assert kind == "data:image/png;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    assert pixels.tolist() == [[0, 127], [255, 63]]
    assert "cat 0.910, is dog" in page.text


def test_two_classes_have_a_ranking_figure(classes: str) -> None:
    labels = np.arange(60) % 2
    probabilities = np.stack([np.where(labels == 0, 0.8, 0.3), np.where(labels == 0, 0.2, 0.7)], axis=1)
    own = target(("no", "yes"))
    model = ModelFindings(
        "baseline", *[own.score(labels, probabilities)] * 2, class_findings().baseline.history
    )
    gate = class_gate([0, 1], [0.95, 0.9], {0: 0}, classes=2)
    binary = replace(
        class_findings(gate, galleries=()),
        target=own,
        labeled=labels[:10],
        baseline=model,
        student=replace(model, name="student"),
    )
    html = render_report(binary)
    assert "ROC curve" in html and html.count("<svg") == 6
    assert "ROC curve" not in classes


def test_the_promotion_is_told_with_its_numbers() -> None:
    strict = Promotion(Rival(0.25, 0.125, 0.08, False), Rival(0.25, 0.5, 1.0, True), 0.05)
    text = Page(render_report(class_findings(baseline_wrong=9, student_wrong=6, promotion=strict))).text
    mild = class_findings(baseline_wrong=9, student_wrong=6, promotion=replace(strict, level=0.1))
    assert "its lead may still be chance" in Page(render_report(mild)).text
    assert "its lead may still be chance" not in text
    assert "the student gets 3 right that the baseline gets wrong, and loses 0;" in text
    assert (
        "(mean square: baseline 0.25, student 0.125), by a one-sided paired permutation test: p = 0.08,"
        in text
    )
    assert "and 0.05 or less promotes the student. So the baseline stays." in text


def test_a_browser_opens_it_without_a_message(html: str, browse: Browse) -> None:
    dom, messages = browse(html)
    assert '<p class="lead">The student is the champion' in dom
    assert "CONSOLE" not in messages


def test_without_a_pool_the_gate_is_one_sentence(browse: Browse) -> None:
    html = render_report(class_findings(class_gate([], [], {})))
    assert "There is no pool" in html and 'type="range"' not in html
    assert "No pseudo-label was accepted" not in html and "lacks" not in html and "did not help" not in html
    assert "CONSOLE" not in browse(html)[1]


def shown(dom: str, names: int) -> list[str]:
    return [text_of(dom, f"at-{place}") for place in range(names)]


MOVE = "const s = document.getElementById('level'); s.value = %s; s.dispatchEvent(new Event('input'));"


def test_the_slider_moves_the_numbers(classes: str, browse: Browse) -> None:
    dom, _ = browse(classes)
    assert 'id="explore" class="explore">' in dom  # shown, since its script runs
    low, high = Share(3, 4).interval or (0, 0)
    assert shown(dom, 6) == [
        *("0.9", "4", f"80.0{NBSP}%", f"47.5{NBSP}%", f"75.0{NBSP}%"),
        f"{100 * low:.1f} to {100 * high:.1f}{NBSP}%",
    ]
    dom, messages = browse(with_script(classes, MOVE % "0"))
    assert shown(dom, 2) == ["0", "5"]
    assert "CONSOLE" not in messages


def test_the_slider_of_values_and_a_link_of_the_drawing(values: str, browse: Browse) -> None:
    dom, _ = browse(values)
    error = np.sqrt(np.mean(np.arange(1, 11) ** 2))  # ten rows, off by 1, 2, … 10
    assert shown(dom, 4) == ["0.5", "10", f"50.0{NBSP}%", f"{error:.4g}"]
    link = "document.querySelector('.graph a[href$=parquet]')"
    follow = f"{link}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}));"
    dom, messages = browse(with_script(values, MOVE % "s.max" + follow))
    assert shown(dom, 3) == ["1", "20", f"100.0{NBSP}%"]
    opened = re.findall(r"<details open=\"\">\s*<summary><b>([^<]*)", dom)
    assert opened == ["data/splits"]  # the box of the drawing has opened that of the list
    assert "CONSOLE" not in messages


def test_without_hidden_values_the_slider_says_so(browse: Browse) -> None:
    dom, messages = browse(render_report(value_findings(error=np.full(20, np.nan))))
    assert shown(dom, 5)[1:] == ["10", f"50.0{NBSP}%", "–", "–"]
    assert "CONSOLE" not in messages


def test_nothing_keeps_people_from_reading_it(html: str, browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(html, encoding="utf-8")
    assert barriers(browser, tmp_path / "report.html") == []
