"""The labeling page, in a real browser, by keyboard alone."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from browser import START_SECONDS, Browser, barriers

from selfsame.active.answers import read_answers
from selfsame.active.labeling_page import keys_for, render_page
from selfsame.core.tables import TableInfo
from selfsame.pages.picture import picture

DIGITS = TableInfo("digits", "classification", tuple("0123456789"), image_shape=(1, 8, 8))
BEASTS = TableInfo(
    "zoo", "classification", ("cat", 'dog, "big"', "<i>emu</i>"), features=("weight", "<b>age")
)
LOADED = "!!document.querySelector('#progress')?.textContent"


def rows(count: int) -> list[dict[str, Any]]:
    image = picture(np.arange(64, dtype=np.uint8).reshape(1, 8, 8), 63)
    return [{"example_id": f"{number:032x}", "image": image} for number in range(count)]


def test_a_person_labels_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "request.html"
    page.write_text(render_page(DIGITS, rows(4)), encoding="utf-8")
    browser.open(page, LOADED)
    assert browser.progress == "0 labeled, 0 skipped, 4 to go"
    assert browser.ask("document.querySelector('#row img').naturalWidth") == 8
    browser.press("7", "x", "3")  # x is no class
    assert browser.progress == "2 labeled, 0 skipped, 2 to go"
    browser.press("Backspace", "5", "ArrowRight", "0", "9")  # undo the 3; nothing is left for the 9
    assert browser.progress == "3 labeled, 1 skipped, 0 to go"
    assert browser.ask("document.querySelector('#download').disabled")  # nobody has signed

    deadline = time.monotonic() + START_SECONDS
    browser.open(page, LOADED)  # anew: the browser has kept everything
    while browser.progress != "3 labeled, 1 skipped, 0 to go":
        # Chromium may show it in another process, to which the first one's storage comes a moment later.
        assert time.monotonic() < deadline, browser.progress
        browser.open(page, LOADED)
    browser.press("Tab")  # to the name
    assert browser.ask("document.activeElement.id") == "annotator"
    browser.press(*"Ada 8")  # the 8 is no answer
    assert browser.progress == "3 labeled, 1 skipped, 0 to go"
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    while browser.ask("document.activeElement.id") != "download":
        browser.press("Tab")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", text="\r", windowsVirtualKeyCode=13)
    browser.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", windowsVirtualKeyCode=13)
    saved = tmp_path / "answers.csv"
    deadline = time.monotonic() + START_SECONDS
    while not saved.exists() or not saved.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    answers = read_answers(saved, None)
    assert [(int(one.example_id, 16), one.label, one.annotator) for one in answers] == [
        (0, "7", "Ada 8"),
        (1, "5", "Ada 8"),
        (3, "0", "Ada 8"),
    ]
    assert all(one.labeled_at.endswith("Z") and len(one.labeled_at) == 20 for one in answers)
    assert browser.messages == []


def test_rows_of_a_table_and_odd_names(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "request.html"
    row = {"example_id": "ab", "features": {"weight": 1.25, "<b>age": 3.0}}
    page.write_text(render_page(BEASTS, [row]), encoding="utf-8")
    browser.open(page, LOADED)
    shown = "[...document.querySelectorAll('#row tr')].map((each) => each.textContent)"
    assert browser.ask(shown) == ["weight1.25", "<b>age3"]
    assert browser.ask("document.querySelectorAll('#row b, .classes i').length") == 0
    browser.press("2")
    kept = json.loads(browser.ask("Object.values(localStorage)[0]"))
    assert [each["label"] for each in kept["passed"]] == ['dog, "big"']
    assert browser.messages == []


def test_the_keys_of_the_classes() -> None:
    assert keys_for(tuple("0123456789")) == list("0123456789")
    assert keys_for(("cat", "dog")) == ["1", "2"]
    assert keys_for(tuple(f"class {number}" for number in range(40)))[-5:] == ["z", "", "", "", ""]


def test_the_page_needs_no_network_and_hides_the_guess() -> None:
    page = render_page(DIGITS, rows(2))
    assert "://" not in page and "@import" not in page and "guess" not in page


def test_nothing_keeps_people_from_labeling(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "label.html"
    page.write_text(render_page(DIGITS, rows(2)), encoding="utf-8")
    assert barriers(browser, page, LOADED) == []
