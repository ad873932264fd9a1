"""A page as a person's browser shows it: headless Chromium of the system, driven by Playwright."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

# The first has no windows to prepare: it takes three quarters of the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


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


def page_of(browser: Any, width: int, height: int, *, dark: bool = False) -> Any:
    """The one page of the browser, as a reader comes to it: another page takes half a second, another address less."""
    page = browser.contexts[0].pages[0] if browser.contexts else browser.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(media="screen", color_scheme="dark" if dark else "light")
    return page


@contextmanager
def listening(page: Any, **handlers: Callable[[Any], None]) -> Iterator[None]:
    """Have Playwright's events of a page handled, meanwhile."""
    for event, handler in handlers.items():
        page.on(event, handler)
    try:
        yield
    finally:
        for event, handler in handlers.items():
            page.remove_listener(event, handler)


@contextmanager
def shown(browser: Any, file: Path, width: int = 1280, height: int = 900, *, dark: bool = False) -> Iterator[Shown]:
    """Open a file."""
    page = page_of(browser, width, height, dark=dark)
    found, address = Shown(page), file.resolve().as_uri()

    def on_console(message: Any) -> None:
        if message.type in ("error", "warning"):
            found.complaints.append(message.text)

    def on_request(request: Any) -> None:
        if request.url.partition("#")[0] != address and not request.url.startswith("data:"):
            found.requests.append(request.url)

    def on_error(error: Any) -> None:
        found.complaints.append(str(error))

    with listening(page, console=on_console, pageerror=on_error, request=on_request):
        page.goto(address)
        yield found
        page.evaluate("localStorage.clear()")
