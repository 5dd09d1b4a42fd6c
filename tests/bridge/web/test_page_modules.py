from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.bridge.web.browser import open_page
from tests.bridge.web.staged_bridge import StagedBridge

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

APP = "00e1db72-c57d-478c-88be-3533d43c8b34"
CONF = "1cf69ae4-4c54-47cf-b409-97e88f62fe12"
TOKEN = "MwQU3BU3GohRrPaqYMdbt3Bh9WBtHuKh"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with StagedBridge() as bridge:
        watched = await open_page(browser, bridge.base)
        await watched.page.goto(f"{bridge.base}/join")
        yield watched.page
        watched.assert_clean()
        await watched.page.context.close()


def seen(participant_id: str, role: str = "speaker", **more: Any) -> dict[str, Any]:
    """A participant as the operator's page is told of them."""
    tags = [participant_id, role]
    return {"id": participant_id, "role": role, "tags": tags, "hears": {}, "hears_only": None,
            "heard_by": None, **more}  # fmt: skip


async def call(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """What a function of one of the pages' modules gives."""
    script = "async ([module, name, given]) => (await import(`/web/${module}`))[name](...given)"
    return await page.evaluate(script, [module, function, list(arguments)])


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ada Lovelace", "AL"),
        ("ada", "A"),
        ("Jean-Luc  Van de Picard", "JP"),
        ("+45 31 12 45 78", "47"),
        ("<img src=x>", "IS"),
        ("(guest)", "G"),
        ("ángel", "Á"),
        ("مريم", "م"),
        ("नमस्ते", "न"),
        ("👩‍👩‍👧 family", "F"),
        ("👋", "•"),
        ("   ", "•"),
        ("", "•"),
    ],
)
async def test_initials_are_letters_in_any_script(page: Page, name: str, letters: str) -> None:
    assert await call(page, "shared/dom.js", "initials", name) == letters


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (f"https://bridge.example/join#/{APP}/{CONF}/{TOKEN}", True),
        (f"  https://bridge.example/join#/{APP}/{CONF}/{TOKEN}\n", True),
        (f"#/{APP.upper()}/{CONF}/{TOKEN}/", True),
        (f"https://bridge.example/join#/{APP}/{CONF}", False),
        (f"https://bridge.example/join#/{APP}/{CONF}/short", False),
        (f"https://bridge.example/join#/{APP}/{CONF}/{TOKEN} and more", False),
        (f"https://bridge.example/join#/{APP}/x{CONF}/{TOKEN}", False),
        ("https://bridge.example/join", False),
        ("#%E0%A4%A", False),
        ("", False),
    ],
)
async def test_a_pasted_link_is_understood_or_not(page: Page, text: str, known: bool) -> None:
    address = await call(page, "join/address.js", "parseLink", text)
    assert address == ({"applicationId": APP, "conferenceId": CONF, "token": TOKEN} if known else None)


@pytest.mark.parametrize(("dbov", "shown"), [(-127, 0), (-60, 0), (-33, 0.5), (-6, 1), (0, 1)])
async def test_loudness_runs_from_silence_to_as_loud_as_it_should_be(
    page: Page, dbov: float, shown: float
) -> None:
    assert await call(page, "shared/levels.js", "loudness", dbov) == shown


async def test_labels_replace_the_msid_of_their_sections_only(page: Page) -> None:
    sdp = "\r\n".join(
        [
            "v=0", "a=msid-semantic: WMS", "m=application 9 X", "a=mid:0", "m=audio 9 Y", "a=mid:1",
            "a=msid:- 123", "a=sendonly", "a=ssrc:1 cname:c", "a=ssrc:1 msid:- 123", "m=audio 9 Y",
            "a=mid:2", "a=recvonly", "",
        ]
    )  # fmt: skip
    labelled = await call(
        page, "join/session.js", "labelled", sdp, {"1": "me#primary 123", "2": "conference c"}
    )
    assert labelled.split("\r\n") == [
        "v=0", "a=msid-semantic: WMS", "m=application 9 X", "a=mid:0", "m=audio 9 Y", "a=mid:1",
        "a=msid:me#primary 123", "a=sendonly", "a=ssrc:1 cname:c", "m=audio 9 Y",
        "a=mid:2", "a=msid:conference c", "a=recvonly", "",
    ]  # fmt: skip


async def test_a_gain_follows_the_role_until_it_is_set(page: Page) -> None:
    ada, bob = seen("a", "attendee"), seen("b", "speaker")
    hearing = "operator/hearing.js"
    assert await call(page, hearing, "gainOf", seen("c"), ada) == 0
    assert await call(page, hearing, "gainOf", seen("c"), bob) == 1
    assert await call(page, hearing, "gainOf", seen("c", hears={"b": 0}), bob) == 0
    assert await call(page, hearing, "gainOf", seen("c", hears={"a": 0.5}), ada) == 0.5


async def test_nothing_can_be_set_beyond_a_bot_s_audience(page: Page) -> None:
    ada, bob = seen("a", "moderator"), seen("b", "speaker", hears={"bot": 1.0})
    whisperer = seen("bot", hears_only=["b"], heard_by=["moderator"])
    hearing = "operator/hearing.js"
    assert await call(page, hearing, "gainOf", ada, whisperer) == 1
    assert await call(page, hearing, "gainOf", bob, whisperer) == 0
    assert await call(page, hearing, "barred", bob, whisperer) is True
    assert await call(page, hearing, "gainOf", whisperer, ada) == 0
    assert await call(page, hearing, "gainOf", whisperer, bob) == 1


async def test_samples_of_a_call_are_little_endian(page: Page) -> None:
    script = "async () => [...(await import('/web/join/slow_ear.js')).samplesOf('AAD/f/8AAIA=')]"
    assert await page.evaluate(script) == [0.0, 32767 / 32768, 255 / 32768, -1.0]


@pytest.mark.parametrize(("share", "step"), [(0, 0), (0.299, 0), (0.3, 30), (0.6, 60), (0.899, 60), (1, 90)])
async def test_a_hold_is_coloured_by_the_step_it_has_passed(page: Page, share: float, step: int) -> None:
    assert await call(page, "operator/streams.js", "stepOf", share) == step


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3_599, "59 min 59 s"), (90_061, "25 h 1 min")],
)
async def test_durations_are_written_in_two_units(page: Page, seconds: int, text: str) -> None:
    assert await call(page, "operator/durations.js", "lasting", seconds) == text
