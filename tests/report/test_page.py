"""The page: self-contained, escaped, the same bytes, readable in both themes, and a browser opens it."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from selfsame.report.findings import Findings
from selfsame.report.gate import Gate
from selfsame.report.page import TEMPLATES, render_report

MakeFindings = Callable[..., Findings]
VOID = {"meta", "link", "br", "path", "use"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(HTMLParser):
    """What a test asks of a page: its elements with attributes, its text, whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name))]


def test_the_same_findings_give_the_same_bytes(make_findings: MakeFindings) -> None:
    assert render_report(make_findings()) == render_report(make_findings())


def test_the_answer_comes_first_and_says_it_all(make_findings: MakeFindings) -> None:
    text = Page(render_report(make_findings(baseline_wrong=20, student_wrong=6))).text
    assert "The student is the champion. It gets 90.0 % of 60 holdout examples right" in text
    headings = ["The answer", "The gate", "Evaluation", "Lineage"]
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
        ([], {}, "0 of 0 rows"),
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
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.elements)
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
    assert {link[1:] for link in wanted} | set(page.values("aria-labelledby")) <= set(ids)
    assert page.open == []


def test_tables_and_figures_are_accessible(make_findings: MakeFindings) -> None:
    page = Page(render_report(make_findings()))
    assert all(attributes.get("scope") for tag, attributes in page.elements if tag == "th")
    assert all(attributes.get("aria-label") for _, attributes in page.elements if attributes.get("role"))
    assert all(attributes.get("aria-hidden") for tag, attributes in page.elements if tag == "svg")
    assert [tag for tag, _ in page.elements if tag == "svg"] == ["svg"] * 3


def test_figures_take_their_colours_from_the_page(make_findings: MakeFindings) -> None:
    figures = re.findall(r"<svg.*?</svg>", render_report(make_findings()), flags=re.DOTALL)
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


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_opens_it_without_a_message(make_findings: MakeFindings, tmp_path: Path) -> None:
    assert CHROMIUM
    report = tmp_path / "report.html"
    report.write_text(render_report(make_findings()), encoding="utf-8")
    options = (
        "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
    )
    options += " --disable-component-update --enable-logging=stderr --dump-dom"
    browser = subprocess.run(
        [CHROMIUM, *options.split(), f"--user-data-dir={tmp_path / 'profile'}", report.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "student</strong> is the champion" in browser.stdout
    assert "CONSOLE" not in browser.stderr
