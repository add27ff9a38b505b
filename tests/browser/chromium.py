"""A headless Chromium spoken to over a pipe: the DevTools protocol as JSON between null bytes, no library.

``--remote-debugging-pipe`` reads commands from file descriptor 3 and writes answers and events to 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S, until

PROGRAM = next(
    (p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None
)

_FLAGS = (
    "--headless",
    "--no-sandbox",  # CI runs as root, and every page is our own
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)

_DUP = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Puts the pipes where Chromium looks for them, then becomes Chromium."""

KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39, "/": 191}


class Browser:
    """One process; ``call`` sends a command and waits, events pile up in ``events``."""

    def __init__(self, out: int, answers: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._out, self._answers = out, answers
        self._buffer = b""
        self._last = 0

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result."""
        self._last += 1
        sent: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        sent |= {"sessionId": session} if session else {}
        os.write(self._out, json.dumps(sent).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._last:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                result: dict[str, Any] = message["result"]
                return result

    def wait(self, method: str) -> None:
        """Wait until an event has come."""
        while not any(event["method"] == method for event in self.events):
            self._next()

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(self._answers, 1 << 20) if ready else b""
            if not piece:
                raise TimeoutError("no answer from Chromium")
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message


class Page:
    """One tab of 1280 x 800."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.size(1280)
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command to this tab."""
        return self.browser.call(method, self.session, **parameters)

    def size(self, width: int) -> None:
        """Make the window ``width`` pixels wide, and 800 high."""
        shape = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **shape)

    def open(self, where: Path | str, *, scripts: bool = True) -> None:
        """Load a file or an address and wait until it is there."""
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.browser.events.clear()
        self.call("Page.navigate", url=where.as_uri() if isinstance(where, Path) else where)
        self.browser.wait("Page.loadEventFired")

    def until(self, expression: str) -> Any:
        """Wait until an expression is true in the page, and return it; between two pages it is not."""
        careful = f"(() => {{ try {{ return {expression} }} catch {{ return null }} }})()"

        def look() -> Any:
            try:
                return self.run(careful)
            except RuntimeError as error:
                if "navigated" in str(error):
                    return None
                raise

        return until(look, told=lambda: expression)

    def media(self, *, print_: bool = False, dark: bool = False) -> None:
        """Pretend to be paper, or a dark screen."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print" if print_ else "screen", features=[scheme])

    def run(self, expression: str) -> Any:
        """Return what an expression is in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release one key."""
        same: Mapping[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        text = {"text": "\r" if key == "Enter" else key} if key in {"Enter", "/"} else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **same, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **same)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def screenshot(self, *, whole: bool = False) -> bytes:
        """Return a PNG of the screen, or of the whole page."""
        shot = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole)
        )
        return base64.b64decode(shot["data"])

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def pdf(self) -> bytes:
        """Return the page as it prints."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def requests(self) -> list[str]:
        """Return every address that was asked for since ``open``, the page's own among them."""
        return [
            event["params"]["request"]["url"]
            for event in self.browser.events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Return errors and warnings in the console, exceptions, and what the policy refused."""
        kinds = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
        return [json.dumps(e["params"]) for e in self.browser.events if e["method"] in kinds]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser, and end it."""
    assert PROGRAM is not None
    read_commands, write_commands = os.pipe()
    read_answers, write_answers = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        pipes = (read_commands, write_answers)
        process = subprocess.Popen(
            [sys.executable, "-c", _DUP, *map(str, pipes), PROGRAM, *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=pipes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for pipe in pipes:
            os.close(pipe)
        browser = Browser(write_commands, read_answers)
        try:
            yield browser
            browser.call("Browser.close")
        finally:
            os.close(write_commands)
            os.close(read_answers)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
