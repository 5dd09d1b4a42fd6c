"""Somebody with a join link, and what the join page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import Page, expect

from bridge.people import Actor, Conference, Participant, Role
from tests.bridge.web.staged_bridge import StagedBridge


@dataclass
class Invited:
    """Linus, invited to a conference where Ada is."""

    bridge: StagedBridge
    conference: Conference
    ada: Participant
    linus: Participant
    token: str

    @property
    def link(self) -> str:
        return self.bridge.link(self.conference, self.token)

    async def join(self, page: Page) -> None:
        await page.goto(self.link)
        await page.get_by_role("button", name="Join", exact=True).click()
        await connected(page)

    async def write(self, text: str, to: str | None = None) -> None:
        by = Actor.participant(self.ada.id)
        await self.bridge.directory.send_message(
            self.conference, by=by, send_to=to or self.conference.id, text=text
        )


async def connected(page: Page) -> None:
    """The page is in the call, and hears it."""
    await expect(page.locator("#call[data-state=connected]")).to_be_visible(timeout=20_000)


async def problem(page: Page, name: str) -> None:
    """The page says what is wrong."""
    await expect(page.locator(f"#problem[data-problem={name}]")).to_be_visible(timeout=20_000)


async def invite(bridge: StagedBridge) -> Invited:
    """To a conference that has just been opened."""
    conference = await bridge.open_conference("Weekly call")
    ada = await bridge.bring(conference, "Ada", level=-20, role=Role.MODERATOR)
    linus, token = await bridge.invite(conference, "Linus")
    return Invited(bridge, conference, ada, linus, token)
