"""A real Chromium with a fake camera, driven by playwright."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.ensure_browser import find_browser

FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--auto-select-desktop-capture-source=Entire screen",
)


PATIENCE_MS = 30_000  # What `expect` waits for is there soon; a busy machine is not a failure.


@asynccontextmanager
async def run_browser() -> AsyncIterator[Browser]:
    """A headless browser process; raises where none is installed (check ``find_browser``)."""
    path = find_browser()
    if path is None:
        raise AssertionError("no Chromium on this machine")
    expect.set_options(timeout=PATIENCE_MS)
    flags = [*FLAGS, *(["--no-sandbox"] if sys.platform == "linux" and os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield browser
        finally:
            await browser.close()


class PageErrors:
    """What went wrong on a page: uncaught errors, console errors, refused requests to ourselves."""

    def __init__(self, page: Page) -> None:
        self.messages: list[str] = []
        page.on("pageerror", lambda error: self.messages.append(f"pageerror: {error}"))
        page.on(
            "console",
            lambda line: (
                self.messages.append(f"console: {line.text}") if line.type == "error" else None
            ),
        )

    def check(self, *, ignore: tuple[str, ...] = ()) -> None:
        """Fail on anything that is not expected by a word in ``ignore``."""
        left = [line for line in self.messages if not any(word in line for word in ignore)]
        if left:
            raise AssertionError("\n".join(left))
