"""The browser that tests look at pages with."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from selfsame.doctor import find_browser

HOW = "no Chromium: apt-get install chromium"
START_SECONDS = 120
KEYS = {"Backspace": 8, "ArrowRight": 39, "Tab": 9, "Enter": 13}
WIDTHS = {"desktop": 1280, "phone": 390}  # pixels
LOOKS = [("desktop", "light"), ("phone", "dark")]
AXE = "axe.run({resultTypes: ['violations']}).then(found => JSON.stringify(found.violations))"


def require_browser() -> str:
    """Return the browser's path; without one skip the test, or, in continuous integration, fail it."""
    if found := find_browser():
        return found
    if os.environ.get("CI"):
        pytest.fail(HOW)
    pytest.skip(HOW)


class Browser:
    """A page in Chromium, driven over its debugging protocol: real key presses, offline."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._count = socket, 0
        self.messages: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=START_SECONDS))
            if answer.get("method") in (
                "Runtime.exceptionThrown",
                "Runtime.consoleAPICalled",
                "Log.entryAdded",
            ):
                self.messages.append(json.dumps(answer["params"]))
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def open(self, page: Path, loaded: str = "true") -> None:
        """Open a file; return when it is complete and an expression is true."""
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=page.as_uri())
        deadline = time.monotonic() + START_SECONDS
        while not self.ask(
            f"location.href != 'about:blank' && document.readyState == 'complete' && {loaded}"
        ):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def ask(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        for key in keys:
            named = {"windowsVirtualKeyCode": KEYS[key]} if key in KEYS else {"text": key}
            for kind in ("keyDown", "keyUp"):
                self.call("Input.dispatchKeyEvent", type=kind, key=key, **named)

    @property
    def progress(self) -> str:
        return str(self.ask("document.querySelector('#progress').textContent"))


@contextmanager
def open_browser(folder: Path) -> Iterator[Browser]:
    """Start Chromium with a profile in ``folder``; yield its page; end it."""
    options = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    options += (
        " --disable-sync --disable-component-update --remote-debugging-port=0 --proxy-server=127.0.0.1:9"
    )
    options += " --proxy-bypass-list=<-loopback> --remote-allow-origins=*"
    profile = folder / "profile"
    process = subprocess.Popen(
        [require_browser(), *options.split(), f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline, place = time.monotonic() + START_SECONDS, profile / "DevToolsActivePort"
        while not place.exists() or "\n" not in place.read_text():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
        port = place.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=START_SECONDS) as answer:
            (target,) = [each for each in json.load(answer) if each["type"] == "page"]
        with connect(target["webSocketDebuggerUrl"], max_size=None, proxy=None) as socket:
            yield Browser(socket)
    finally:
        process.kill()
        process.wait()


def barriers(browser: Browser, page: Path, loaded: str = "true") -> list[str]:
    """Return what keeps people from reading a page, by axe-core: contrast, names, headings, keyboard.

    By light on a desktop and in the dark on a phone; a page may not be wider than either.
    """
    found = []
    for look, scheme in LOOKS:
        width, features = WIDTHS[look], [{"name": "prefers-color-scheme", "value": scheme}]
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
        )
        browser.call("Emulation.setEmulatedMedia", features=features)
        browser.open(page, loaded)
        browser.ask((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8") + "; true")
        for rule in json.loads(browser.ask(AXE)):
            places = [place["html"][:120] + " " + place["failureSummary"][:200] for place in rule["nodes"]]
            found.append(f"{look}, {scheme}: {rule['id']} × {len(places)}: {places[0]}")
        if (wide := browser.ask("document.documentElement.scrollWidth")) > width:
            found.append(f"{look}, {scheme}: {wide} pixels wide")
    return found
