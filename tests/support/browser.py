"""A real browser without a window: Debian's Chromium, driven by its own driver. Nothing is downloaded."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from tests.support.services import without
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    # Whatever a page or the browser itself wanted from elsewhere, it does not get.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_PATIENCE = 20  # seconds for a page


class Browser:
    """A window that shows one page at a time; elements are named by CSS selectors."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def one(self, selector: str) -> WebElement:
        """Return an element, once the page has it."""
        found = wait_until(lambda: self.every(selector), _PATIENCE, what=f"{selector} on {self.driver.title}")
        return found[0]

    def every(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        return [each.text for each in self.every(selector)]

    def fill(self, selector: str, value: str) -> None:
        field = self.one(selector)
        field.clear()
        field.send_keys(value)

    def choose(self, selector: str, value: str) -> None:
        Select(self.one(selector)).select_by_visible_text(value)

    def click(self, selector: str) -> None:
        """Click on what leads to another page, and wait until it is there."""
        before = self.one("html")
        self.one(selector).click()
        wait_until(lambda: self.every("html") != [before], _PATIENCE, what=f"what {selector} leads to")
        self.one("footer")

    def tick(self, selector: str) -> None:
        self.one(selector).click()

    @property
    def text(self) -> str:
        return self.one("body").text

    @property
    def complaints(self) -> list[str]:
        """Return what the browser has noted about the pages since it was asked last: scripts, policies, …"""
        noted: list[dict[str, str]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call] # selenium's
        return [each["message"] for each in noted]


@contextmanager
def browser(folder: Path, *, wide: int = 1280, high: int = 900, scale: float = 1.0) -> Iterator[Browser]:
    """Open a window; `folder` is for the browser's own files."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        error = FileNotFoundError("no chromium, or no chromedriver")
        without("Chromium", error, "apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = binary
    for argument in (*_ARGUMENTS, f"--window-size={wide},{high}", f"--force-device-scale-factor={scale}"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options, ChromeService(executable_path=driver))
    try:
        chrome.set_page_load_timeout(_PATIENCE)
        yield Browser(chrome)
    finally:
        chrome.quit()
