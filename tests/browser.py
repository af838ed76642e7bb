"""The browser that tests look at pages with."""

import os

import pytest

from selfsame.doctor import find_browser

HOW = "no Chromium: apt-get install chromium"


def require_browser() -> str:
    """Return the browser's path; without one skip the test, or, in continuous integration, fail it."""
    if found := find_browser():
        return found
    if os.environ.get("CI"):
        pytest.fail(HOW)
    pytest.skip(HOW)
