"""A headless Chromium that tests talk to over a pipe (DevTools protocol): real keys, real layout."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
         "--remote-debugging-pipe")  # fmt: skip
# Draws WebGL without a graphics card.
WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
# Chromium listens on descriptor 3 and answers on descriptor 4.
START = """
import os, sys
os.dup2(int(sys.argv[1]), 100)
os.dup2(int(sys.argv[2]), 101)
os.dup2(100, 3)
os.dup2(101, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
# Seconds.
ANSWER_WITHIN = 60.0
# Key -> (code, what it types).
KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowLeft": (37, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
}


def find_browser() -> str | None:
    """GPNERF_BROWSER, or the first of the usual names on the PATH."""
    return os.environ.get("GPNERF_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page. `events` keeps what the browser reported on its own, as (method, parameters)."""

    def __init__(self, requests: int, answers: int) -> None:
        self.requests, self.answers = requests, answers
        self.numbers = itertools.count(1)
        self.session: str | None = None
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.buffer = b""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        # Focus events come as in a window that is in front.
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        # Pages that scroll smoothly would still be on their way when a place is asked for.
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        self.call("Emulation.setEmulatedMedia", features=still)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Asks for something and waits for the answer; raises RuntimeError if the browser refuses."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.requests, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            if "method" in answer:
                self.events.append((answer["method"], answer["params"]))

    def _read(self) -> dict[str, Any]:
        end = time.monotonic() + ANSWER_WITHIN
        while b"\0" not in self.buffer:
            if not select.select([self.answers], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"the browser gave no answer within {ANSWER_WITHIN:.0f} s")
            piece = os.read(self.answers, 1 << 16)
            if not piece:
                raise RuntimeError("the browser ended")
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def open(self, page: Path | str, width: int, height: int = 900, scripts: bool = True) -> None:
        """Loads a file or an address into a window of this size, with JavaScript or without.

        Waits until it is loaded.
        """
        self.events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        end = time.monotonic() + ANSWER_WITHIN
        while not self.seen("Page.loadEventFired"):
            if time.monotonic() > end:
                raise TimeoutError(f"{page} was not loaded within {ANSWER_WITHIN:.0f} s")
            self.value("1")

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, awaited; RuntimeError if it throws."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def press(self, key: str, times: int = 1) -> None:
        """As if typed: goes to whatever has the focus."""
        code, text = KEYS[key]
        common = {"key": key, "windowsVirtualKeyCode": code}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def click(self, x: float, y: float) -> None:
        """At a place of the window, in CSS pixels."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Moves the mouse with its left button held, in CSS pixels."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1)

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def seen(self, method: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.events if name == method]


@contextmanager
def browser(program: str, profile: Path, *more: str) -> Iterator[Tab]:
    """A tab of a fresh browser whose files lie in `profile`; it is gone afterwards, whatever happens.

    more: further flags.
    """
    flags = [*FLAGS, *more, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    to_read, requests = os.pipe()
    answers, to_write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", START, str(to_read), str(to_write), program, *flags],
        pass_fds=(to_read, to_write),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(to_read)
    os.close(to_write)
    try:
        yield Tab(requests, answers)
    finally:
        os.close(requests)
        os.close(answers)
        # The browser and the processes that it started.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
