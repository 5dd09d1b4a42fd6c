"""Opens reports in Chromium, from the disk; whatever is done with them, nothing may go wrong on a page."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, Locator, Page, ViewportSize

from bridge.harness import capacity_html, report_html
from bridge.harness.capacity_results import CapacityResult
from bridge.harness.results import RunResult
from tests.bridge.web.browser import DESKTOP, Watched, open_page


class Desk:
    """`folder` is where the reports lie."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self._watched: list[Watched] = []

    async def open(
        self,
        run: RunResult | CapacityResult,
        size: ViewportSize = DESKTOP,
        scheme: str = "light",
        then: str = "",
    ) -> Page:
        """The page of `run`, from which it goes on to `then` (`#call-7`)."""
        path = self._folder / "report.html"
        if isinstance(run, CapacityResult):
            capacity_html.write(run, path)
        else:
            report_html.write(run, path)
        watched = await open_page(self._browser, self._folder.as_uri(), size=size, scheme=scheme)
        self._watched.append(watched)
        await watched.page.goto(path.as_uri() + then)
        return watched.page

    async def close(self) -> None:
        for watched in self._watched:
            await watched.page.context.close()
            watched.assert_clean()


def rows(page: Page) -> Locator:
    """Of the calls that are listed."""
    return page.locator("tr.call")


async def numbers(page: Page) -> list[int]:
    """Of the calls that are listed, in their order."""
    return [int(text) for text in await page.locator("tr.call .unfold .figures").all_inner_texts()]
