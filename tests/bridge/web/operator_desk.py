"""Into the operator's page, as an application."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.bridge.web.staged_bridge import APPLICATION, TOKEN


async def enter(
    page: Page,
    base: str,
    conference: str | None = None,
    *,
    application: str = APPLICATION,
    token: str = TOKEN,
) -> None:
    """With `conference` (or a part of its name) into that as well, where levels are coming in by then."""
    await page.goto(f"{base}/operator")
    await page.get_by_label("Application id").fill(application)
    await page.get_by_label("Application token").fill(token)
    await page.get_by_role("button", name="Enter").click()
    await expect(page.locator("#desk")).to_be_visible()
    if conference is not None:
        await page.locator("#conferences button", has_text=conference).click()
        await expect(page.locator(".head .pill", has_text="Live")).to_be_visible()
