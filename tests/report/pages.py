"""What tests ask of a page, as text and in a browser."""

import re
import subprocess
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

from browser import require_browser

Browse = Callable[[str], tuple[str, str]]
VOID = {"meta", "link", "br", "path", "use", "img", "input"}


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
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name))]


def open_in_browser(html: str, folder: Path) -> tuple[str, str]:
    """Open a page in Chromium, offline; return its elements after its scripts ran, and the messages."""
    report = folder / "report.html"
    report.write_text(html, encoding="utf-8")
    options = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    options += " --disable-sync --disable-component-update --enable-logging=stderr --dump-dom"
    options += " --proxy-server=127.0.0.1:9"  # nothing outside the page can be reached
    browser = subprocess.run(
        [require_browser(), *options.split(), f"--user-data-dir={folder / 'profile'}", report.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return browser.stdout, browser.stderr


def with_script(html: str, script: str) -> str:
    """Add a script to a page, run after its own."""
    return html.replace("</body>", f"<script type=module>{script}</script></body>")


def text_of(dom: str, name: str) -> str:
    """Return the text of the element with this id, which has no others in it."""
    found = re.search(rf'id="{name}"[^>]*>([^<]*)<', dom)
    assert found, name
    return unescape(found[1])
