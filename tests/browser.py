"""A page as a person's browser shows it: headless Chromium of the system, driven by Playwright."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Shown:
    """An open page.

    Attributes:
        page: of Playwright.
        complaints: errors and warnings of the console, and exceptions.
        requests: every address that was asked for besides the file itself and data within it.
    """

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def overflow_px(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def until(page: Any, condition: str, seconds: float = 5.0) -> None:
    """Wait for a JavaScript condition; Playwright's own waiting evaluates text, which the pages' policy forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"never came true: {condition}"
        page.wait_for_timeout(20)


@contextmanager
def launched() -> Iterator[Any]:
    """Chromium as Playwright's object; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser test")
    program = os.environ.get("ASDBENCH_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium: install one, or name it by ASDBENCH_CHROMIUM")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@contextmanager
def shown(browser: Any, file: Path, width: int = 1280, height: int = 900, *, dark: bool = False) -> Iterator[Shown]:
    """Open a file."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    try:
        found = Shown(page)
        page.on(
            "console",
            lambda message: found.complaints.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        address = file.resolve().as_uri()
        page.on(
            "request",
            lambda request: (
                None
                if request.url.partition("#")[0] == address or request.url.startswith("data:")
                else found.requests.append(request.url)
            ),
        )
        page.goto(address)
        yield found
    finally:
        page.close()
