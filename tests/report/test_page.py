"""The page: self-contained, escaped, the same bytes, readable in both themes, and a browser opens it."""

import base64
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from pages import Browse, Page, text_of
from PIL import Image

from selfsame.core.tables import TableInfo
from selfsame.report.findings import Findings
from selfsame.report.gallery import Example, Gallery
from selfsame.report.gate import Gate
from selfsame.report.page import TEMPLATES, render_report
from selfsame.report.promotion import Promotion
from selfsame.report.scores import score
from selfsame.stats.share import Share

MakeFindings = Callable[..., Findings]
CLASSES = ("cat", "dog", "emu")


def test_the_same_findings_give_the_same_bytes(make_findings: MakeFindings) -> None:
    assert render_report(make_findings()) == render_report(make_findings())


def test_the_answer_comes_first_and_says_it_all(make_findings: MakeFindings) -> None:
    text = Page(render_report(make_findings(baseline_wrong=20, student_wrong=6))).text
    assert "The student is the champion. It gets 90.0 % of 60 holdout examples right" in text
    headings = ["The answer", "The gate", "Examples", "Evaluation", "Lineage"]
    places = [text.rindex(heading) for heading in headings]  # the last mention: the first is in the contents
    assert places == sorted(places)
    assert "4 of 5 rows, a coverage of 80.0 %" in text
    assert "labeled 14 validation 60 holdout 60 pool 5 accepted 4 rejected 1" in text


def test_the_baseline_can_stay_champion(make_findings: MakeFindings) -> None:
    text = Page(render_report(make_findings(baseline_wrong=6, student_wrong=20))).text
    assert "The baseline stays the champion. It gets 90.0 %" in text
    assert "models/champion is a copy of models/baseline" in text


@pytest.mark.parametrize(
    ("confidence", "hidden", "said"),
    [
        ([0.5, 0.6], {0: 0, 1: 1}, "No pseudo-label was accepted"),
        ([0.95, 0.6], {}, "isn’t known: the source has no hidden labels for them"),
    ],
)
def test_a_gate_without_figures_is_said_plainly(
    make_findings: MakeFindings,
    write_gate: Callable[..., Gate],
    confidence: list[float],
    hidden: dict[int, int],
    said: str,
) -> None:
    gate = write_gate(list(range(len(confidence))), confidence, hidden)
    text = Page(render_report(make_findings(gate=gate))).text
    assert said in text
    assert "None" not in text and "nan" not in text


def test_html_in_a_class_name_or_a_title_stays_text(make_findings: MakeFindings) -> None:
    evil = "<script>alert(1)</script>"
    page = Page(render_report(make_findings(classes=(evil, '"><img src=x>', "&amp;"), title=evil)))
    scripts = [attributes.get("type") for tag, attributes in page.elements if tag == "script"]
    assert scripts == ["application/json", "module", "module"]
    assert "img" not in [tag for tag, _ in page.elements]
    assert evil in page.text and '"><img src=x>' in page.text and "&amp;" in page.text


def test_the_page_needs_no_network(make_findings: MakeFindings) -> None:
    html = render_report(make_findings())
    assert "://" not in html and "@import" not in html
    assert all(
        value.startswith(("#", "data:"))
        for name in ("src", "href", "xlink:href")
        for value in Page(html).values(name)
    )
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert len(html) < 300_000


def test_ids_are_unique_and_every_reference_resolves(make_findings: MakeFindings) -> None:
    html = render_report(make_findings())
    page = Page(html)
    ids = page.values("id")
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    wanted = [link for name in ("href", "xlink:href") for link in page.values(name) if link.startswith("#")]
    wanted += re.findall(r"url\((#[^)]*)\)", html)
    labels = {name for names in page.values("aria-labelledby") for name in names.split()}
    assert {link[1:] for link in wanted} | labels <= set(ids)
    assert page.open == []


def test_tables_and_figures_are_accessible(make_findings: MakeFindings) -> None:
    page = Page(render_report(make_findings()))
    assert all(attributes.get("scope") for tag, attributes in page.elements if tag == "th")
    assert all(
        attributes.get("aria-label") or attributes.get("aria-labelledby")
        for _, attributes in page.elements
        if attributes.get("role")
    )
    drawings = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert [drawing.get("class") for drawing in drawings] == [None] * 4 + ["graph"]
    assert all(drawing.get("aria-hidden") for drawing in drawings[:4])
    assert set((drawings[4]["aria-labelledby"] or "").split()) <= set(page.values("id"))


def test_figures_take_their_colours_from_the_page(make_findings: MakeFindings) -> None:
    figures = re.findall(r"<svg viewBox.*?</svg>", render_report(make_findings()), flags=re.DOTALL)
    assert not any(re.search(r"#[0-9a-f]{6}\b", figure) for figure in figures)
    assert all("var(--soft)" in figure and "var(--student)" in figure for figure in figures)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_colours_have_contrast(theme: int) -> None:
    css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, flags=re.DOTALL)[theme]
    colours = dict(re.findall(r"--(\w+): (#\w+);", block))
    depth = float(re.findall(r"--depth: ([\d.]+)", block)[0])
    paper = _channels(colours["paper"])
    for name in ("ink", "soft", "student", "baseline", "caution", "wrong"):
        assert _contrast(_channels(colours[name]), paper) >= 4.5, name
    for name, strength in (("student", depth), ("wrong", depth + 0.06)):  # the hottest cell of the heat map
        cell = [
            strength * top + (1 - strength) * below
            for top, below in zip(_channels(colours[name]), paper, strict=True)
        ]
        assert _contrast(_channels(colours["ink"]), cell) >= 4.5, name


def _channels(colour: str) -> list[float]:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    return [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]


def _contrast(one: list[float], other: list[float]) -> float:
    """Contrast ratio of two sRGB colours, as WCAG 2 defines it."""
    lights = []
    for colour in (one, other):
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
    return max(lights) / min(lights)


def test_examples_show_what_was_said_and_what_is_true(make_findings: MakeFindings) -> None:
    text = Page(render_report(make_findings())).text
    assert "Accepted labeled confidence truth weight cat 0.910 dog 1.25" in text
    assert "emu 0.420 – 2.5" in text
    assert "Mistakes There are none." in text


def test_every_box_of_the_lineage_opens_its_files_and_parameters(make_findings: MakeFindings) -> None:
    page = Page(render_report(make_findings()))
    lineage = page.text[page.text.index("What this page follows from") :]
    splits, student, end = (
        lineage.index(name) for name in ("data/splits ", "models/student ", "models/champion , and")
    )
    assert splits < lineage.index("cd" * 32) < student < lineage.index("ef" * 32) < end
    assert student < lineage.index("model.widths [32, 64]") < end
    assert end < lineage.index("evaluate.title Animals")
    assert [tag for tag, _ in page.elements].count("details") == 3


def test_images_are_shown_as_pictures_inside_the_page(make_findings: MakeFindings) -> None:
    raw = np.array([[[0, 8], [16, 4]]], dtype=np.uint8)
    findings = make_findings(
        info=TableInfo("zoo", "classification", CLASSES, image_shape=(1, 2, 2)),
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


def test_two_classes_have_a_ranking_figure(
    make_findings: MakeFindings, write_gate: Callable[..., Gate]
) -> None:
    labels = np.arange(60) % 2
    probabilities = np.stack([np.where(labels == 0, 0.8, 0.3), np.where(labels == 0, 0.2, 0.7)], axis=1)
    gate = write_gate([0, 1], [0.95, 0.9], {0: 0}, classes=2)
    findings = make_findings(gate=gate, labeled_per_class=np.array([5, 5]), galleries=())
    scores = score(labels, probabilities, ("no", "yes"))
    models = {
        name: replace(getattr(findings, name), validation=scores, holdout=scores)
        for name in ("baseline", "student")
    }
    binary = replace(findings, info=replace(findings.info, classes=("no", "yes")), **models)
    html = render_report(binary)
    assert "ROC curve" in html and html.count("<svg") == 6
    assert "ROC curve" not in render_report(make_findings())


def test_the_promotion_is_told_with_its_numbers(make_findings: MakeFindings) -> None:
    strict = Promotion(0.25, 0.125, p_value=0.08, level=0.05, fewer_right=False)
    text = Page(render_report(make_findings(baseline_wrong=9, student_wrong=6, promotion=strict))).text
    mild = make_findings(baseline_wrong=9, student_wrong=6, promotion=replace(strict, level=0.1))
    assert "being ahead may still be chance" in Page(render_report(mild)).text
    assert "being ahead may still be chance" not in text
    assert "it gets 3 right that the baseline gets wrong, and loses 0;" in text
    assert "(mean squared error: baseline 0.250, student 0.125): p = 0.08 by a paired permutation" in text
    assert "where 0.05 or less promotes it. So the baseline stays." in text


def test_a_browser_opens_it_without_a_message(make_findings: MakeFindings, browse: Browse) -> None:
    dom, messages = browse(render_report(make_findings()))
    assert "student</strong> is the champion" in dom
    assert "CONSOLE" not in messages


def test_without_a_pool_the_gate_is_one_sentence(
    make_findings: MakeFindings, write_gate: Callable[..., Gate], browse: Browse
) -> None:
    html = render_report(make_findings(gate=write_gate([], [], {})))
    assert "There is no pool" in html and 'id="threshold"' not in html
    assert "No pseudo-label was accepted" not in html and "lacks" not in html
    assert "CONSOLE" not in browse(html)[1]


def test_the_slider_moves_the_numbers(make_findings: MakeFindings, browse: Browse) -> None:
    html = render_report(make_findings())
    dom, _ = browse(html)
    assert 'id="explore" class="explore">' in dom  # shown, since its script runs
    shown = {name: text_of(dom, name) for name in ("at-threshold", "at-accepted", "at-coverage")}
    assert shown == {"at-threshold": "0.9", "at-accepted": "4", "at-coverage": "80.0\xa0%"}
    assert text_of(dom, "at-precision") == "75.0\xa0%"
    low, high = Share(3, 4).interval or (0, 0)
    assert text_of(dom, "at-interval") == f"{low:.1%} to {high:.1%}".replace("%", "\xa0%")
    move = "<script type=module>const s = document.getElementById('threshold'); s.value = 0;"
    dom, messages = browse(
        html.replace("</body>", f"{move} s.dispatchEvent(new Event('input'))</script></body>")
    )
    assert (text_of(dom, "at-threshold"), text_of(dom, "at-accepted")) == ("0", "5")
    assert "CONSOLE" not in messages
