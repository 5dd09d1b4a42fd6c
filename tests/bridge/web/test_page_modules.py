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


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"), (999, "999 B"), (1_000, "1.00 kB"), (99_940, "99.9 kB"), (99_950, "100 kB"),
        (999_499, "999 kB"), (999_500, "1.00 MB"), (12_345_678, "12.3 MB"), (5e15, "5000 TB"),
    ],
)  # fmt: skip
async def test_sizes_have_three_digits(page: Page, number: float, text: str) -> None:
    assert await call(page, "operator/sizes.js", "size", number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.99, "0:59"), (247, "4:07"), (3_600, "1:00:00"), (90_061, "25:01:01")],
)
async def test_places_in_a_recording_are_written_as_players_write_them(
    page: Page, seconds: float, text: str
) -> None:
    assert await call(page, "operator/durations.js", "place", seconds) == text


@pytest.mark.parametrize(
    ("name", "stem", "form"),
    [
        ("program.mp4", "program", "MP4"),
        ("program-hls-ts/", "program", "HLS"),
        ("a-b-c.ogg", "a-b-c", "Ogg Opus"),
        ("program.xyz", "program", "XYZ"),
    ],
)
async def test_a_file_s_name_says_whose_it_is_and_its_form(
    page: Page, name: str, stem: str, form: str
) -> None:
    assert await call(page, "operator/recording_files.js", "partsOf", name) == [stem, form]


def listed(name: str, size: int = 1, complete: bool = True, **more: Any) -> dict[str, Any]:
    """A file as the operator's page is told of it."""
    return {"name": name, "size": size, "complete": complete, "files": 1, "uploads": {}, **more}


async def test_a_whole_file_and_the_longer_one_in_the_making_are_one(page: Page) -> None:
    files = [listed("preview.webp"), listed("zoe.wav"), listed("program-hls-ts/"), listed("program.mp4", 5),
             listed("program.mp4", 9, complete=False), listed("sides.wav", 3, complete=False)]  # fmt: skip
    seen = await call(page, "operator/recording_files.js", "merged", files)
    assert [(file["name"], file["size"], file["complete"], file["longer"]) for file in seen] == [
        ("program.mp4", 5, True, 9), ("program-hls-ts/", 1, True, 0), ("sides.wav", 3, False, 0),
        ("zoe.wav", 1, True, 0), ("preview.webp", 1, True, 0),
    ]  # fmt: skip
    turned = await call(page, "operator/recording_files.js", "merged", list(reversed(files)))
    assert [file["longer"] for file in turned if file["name"] == "program.mp4"] == [9]


@pytest.mark.parametrize(
    ("uploads", "files", "told"),
    [
        ({}, 1, None),
        ({"uploaded": 1}, 1, ["Uploaded", "good"]),
        ({"uploaded": 9, "waiting": 2}, 11, ["Waiting · 2 of 11", "busy"]),
        ({"uploaded": 9}, 11, ["Uploaded · 9 of 11", "good"]),
        ({"uploaded": 9, "waiting": 1, "failing": 1}, 11, ["Failing · 1 of 11", "bad"]),
        ({"missing": 1}, 1, ["File is gone", "bad"]),
    ],
)
async def test_the_worst_of_the_uploads_is_told(
    page: Page, uploads: dict[str, int], files: int, told: list[str] | None
) -> None:
    seen = await call(page, "operator/recording_files.js", "uploadOf", {"uploads": uploads, "files": files})
    assert seen == told


async def test_a_place_has_its_time_of_day_by_the_manifest_s_map(page: Page) -> None:
    pieces = [
        {"at_ms": 0, "duration_ms": 8_000, "unix_ms": 1_000_000},
        {"at_ms": 8_000, "duration_ms": 6_000, "unix_ms": 9_000_000},
    ]
    times = [
        await call(page, "operator/timeline.js", "timeAt", pieces, at) for at in (0, 7_999, 8_000, 20_000)
    ]
    assert times == [1_000_000, 1_007_999, 9_000_000, 9_006_000]
    assert await call(page, "operator/timeline.js", "timeAt", [], 5) is None


async def test_what_is_missing_is_summed_up(page: Page) -> None:
    timeline = "operator/timeline.js"
    assert await call(page, timeline, "accountOf", {"pauses": [], "holes": []}) == "Nothing is missing"
    holes = [{"duration_ms": 400}, {"duration_ms": 1_040}]
    assert await call(page, timeline, "accountOf", {"pauses": [{}, {}], "holes": holes}) == (
        "2 pauses left out · 2 holes, 1.4 s missing"
    )


async def test_a_manifest_describes_the_files_it_was_written_with(page: Page) -> None:
    manifest = {"files": [{"name": "files/program.mp4", "size": 5}, {"name": "files/p/1.ts", "size": 2}]}
    for files, fits in (
        ([listed("program.mp4", 5)], True),
        ([listed("program.mp4", 6)], False),
        ([listed("new.wav", 5)], False),
        ([listed("program.mp4", 5), listed("p/", 99, files=3)], True),
    ):
        assert await call(page, "operator/recording.js", "describes", manifest, files) is fits


async def test_figures_that_a_streaming_does_not_have_are_not_made_up(page: Page) -> None:
    streamings = "operator/streamings.js"
    nothing = ["–", "", ""]
    for kind in ("hls", "rtmp", "rtmps"):
        seen = await call(page, streamings, "numbersOf", {"kind": kind, "low_latency": True, "figures": {}})
        assert seen == [nothing] * 3
    figures = {"delay_p50_ms": 12_345, "delay_p99_ms": 20_000, "waiting_requests": 3}
    told = {"kind": "hls", "low_latency": False, "figures": figures}
    seen = await call(page, streamings, "numbersOf", told)
    assert [text for text, *_ in seen] == ["12.3 / 20.0 s", "–", "–"]
