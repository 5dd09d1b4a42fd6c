"""Headless Chromium with a microphone made of a sound file, and an ear on everything a page complains of."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    ViewportSize,
    async_playwright,
)

from tests.kit.chromium import chromium_path

SOUND = Path(__file__).resolve().parents[3] / "samples" / "caller_16k.wav"
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}


@dataclass
class Watched:
    """A page, and what went wrong on it."""

    page: Page
    problems: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def listen(self, own: str) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self._request(request.url, own))

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium itself logs refused HTTP calls; what a page makes of them is seen on the page.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.problems.append(f"{message.type}: {message.text}")

    async def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()

    def _request(self, url: str, own: str) -> None:
        if not url.startswith((own, own.replace("http", "ws", 1), "data:", "blob:")):
            self.foreign.append(url)

    def assert_clean(self) -> None:
        """No error, no policy violation, no dialog, nobody else's host."""
        assert (self.problems, self.dialogs, self.foreign) == ([], [], [])


@contextlib.asynccontextmanager
async def chromium(
    *, microphone: str = "fake", more: tuple[str, ...] = (), sound: Path = SOUND
) -> AsyncIterator[Browser]:
    """`microphone`: `fake` (plays `sound`), `denied`, or `none` (there is no such device)."""
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", *more]
    if microphone == "fake":
        arguments += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                      f"--use-file-for-fake-audio-capture={sound}"]  # fmt: skip
    elif microphone == "denied":
        arguments += ["--use-fake-ui-for-media-stream=deny", "--use-fake-device-for-media-stream"]
    else:
        arguments += ["--use-fake-ui-for-media-stream"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


async def open_page(
    browser: Browser, base: str, *, size: ViewportSize = DESKTOP, scheme: str = "light", **more: Any
) -> Watched:
    """An empty page in a context of its own; `base` is the only origin it may talk to."""
    context: BrowserContext = await browser.new_context(viewport=size, color_scheme=scheme, **more)  # type: ignore[arg-type]
    watched = Watched(await context.new_page())
    watched.listen(base)
    return watched


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
