"""The operator's page about recordings: beginning and pausing one, what it shows of it, and playing it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from bridge.core.ports import OutputFile, OutputLook
from bridge.errors import LimitReached
from bridge.people import Conference, Participant
from bridge.recordings import RecordingWishes
from tests.bridge.web.browser import DESKTOP, PHONE, open_page, overflow
from tests.bridge.web.operator_desk import enter
from tests.bridge.web.recorded_scene import FIRST_S, SECOND_S, make_recording, put_on
from tests.bridge.web.staged_bridge import HOSTILE_NAMES, TOKEN, StagedBridge

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Recorded:
    """A conference with Ada, and what the test says of its recording."""

    bridge: StagedBridge
    conference: Conference
    ada: Participant

    async def begin(self, **wishes: Any) -> str:
        made = await self.bridge.outputs.recordings.start(
            self.conference, by=self.bridge.by, wishes=RecordingWishes(**wishes) if wishes else None
        )
        return made.id

    async def finish(self) -> None:
        await self.bridge.outputs.recordings.stop(self.conference, by=self.bridge.by)

    def show(self, state: str = "running", trouble: str = "", **figures: float) -> None:
        self.bridge.outputs.show(OutputLook("recording", state, trouble, figures))  # type: ignore[arg-type]

    async def finished(self, folder: Path, states: dict[str, str] | None = None, **given: Any) -> str:
        """One that is stopped, with real files."""
        recording_id = await self.begin()
        await self.finish()
        people = ((self.ada.id, "Ada"), ("gone", "Bob who left"))
        put_on(self.bridge.outputs.shelf, recording_id, make_recording(folder, people, **given), states)
        return recording_id


@pytest_asyncio.fixture(loop_scope="module")
async def recorded(bridge: StagedBridge) -> AsyncIterator[Recorded]:
    conference = await bridge.open_conference("Weekly call")
    yield Recorded(bridge, conference, await bridge.bring(conference, "Ada", level=-20))


async def open_panel(page: Page, bridge: StagedBridge) -> Locator:
    await enter(page, bridge.base, "Weekly call")
    return page.get_by_role("region", name="Recording")


async def played(page: Page, at_least: float) -> float:
    """Wait until the player has come so far; gives where it is."""
    async with asyncio.timeout(15):
        while True:
            at = await page.evaluate(
                "document.querySelector('.recording video, .recording audio')?.currentTime ?? 0"
            )
            if at >= at_least:
                return float(at)
            await asyncio.sleep(0.05)


async def test_a_recording_is_begun_paused_and_resumed(recorded: Recorded, page: Page) -> None:
    panel = await open_panel(page, recorded.bridge)
    await expect(panel).to_contain_text("Not recorded")
    await expect(panel).to_contain_text("Nothing of this conference is kept")
    await panel.get_by_role("button", name="Start").click()
    pill = panel.locator("header .pill")
    await expect(pill).to_have_text("Recording")
    await panel.get_by_role("button", name="Pause").click()
    await expect(pill).to_have_text("Paused")
    await expect(panel).to_contain_text("Resume goes on in the same files")
    await panel.get_by_role("button", name="Resume").click()
    await expect(pill).to_have_text("Recording")
    made = recorded.bridge.outputs.made
    assert [(type(spec).__name__, getattr(spec, "stretch", None)) for spec in made] == [
        ("RecordingSpec", 0), ("RecordingSpec", 1),
    ]  # fmt: skip


async def test_the_options_say_which_files_are_made(recorded: Recorded, page: Page) -> None:
    panel = await open_panel(page, recorded.bridge)
    await panel.get_by_role("button", name="Options").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("MP4 with picture").uncheck()
    for label in ("FLAC", "HLS, which can be played as it goes", "The same of each participant alone"):
        await dialog.get_by_label(label).check()
    await dialog.get_by_label("Storage").select_option("bucket")
    await dialog.get_by_role("button", name="Start").click()
    await expect(panel.locator("header .pill")).to_have_text("Recording")
    (wishes,) = recorded.bridge.outputs.shelf.followed.values()
    assert wishes == RecordingWishes(("flac", "hls"), True, "bucket")
    await expect(panel.locator(".facts")).to_contain_text("bucket")


async def test_what_is_being_written_is_seen(recorded: Recorded, page: Page) -> None:
    await recorded.begin()
    recorded.show(seconds=252.4, bytes=3_120_400, lag_ms=420)
    panel = await open_panel(page, recorded.bridge)
    facts = panel.locator(".facts")
    for text in ("4 min 12 s", "3.12 MB", "420 ms", "nothing"):
        await expect(facts).to_contain_text(text)
    recorded.show(seconds=253.0, bytes=4_000_000, lag_ms=5_100, holes=2, lost_seconds=1.44)
    for text in ("4 min 13 s", "4.00 MB", "5.1 s", "2 holes, 1.4 s"):
        await expect(facts).to_contain_text(text)
    await expect(facts.locator(".near")).to_contain_text("Behind")
    await expect(facts.locator(".bad")).to_contain_text("Missing")


async def test_trouble_is_told_in_words_and_goes_away_by_itself(recorded: Recorded, page: Page) -> None:
    recording_id = await recorded.begin()
    panel = await open_panel(page, recorded.bridge)
    recorded.show("troubled", "No space left on device", seconds=60, lag_ms=9_000, waiting_bytes=1_800_000)
    recorded.bridge.outputs.trouble("No space left on device")
    await expect(panel.locator("header .pill")).to_have_text("Not being written")
    await expect(panel).to_contain_text("No space left on device")
    await expect(panel.locator(".facts")).to_contain_text("1.80 MB")
    recorded.show(seconds=70)
    recorded.bridge.outputs.trouble("")
    await expect(panel.locator("header .pill")).to_have_text("Recording")
    await expect(panel.get_by_text("No space left")).to_be_hidden()
    recorded.bridge.outputs.shelf.troubles[recording_id] = "the process that makes the files ended"
    await expect(panel.get_by_text("The files are behind: the process that makes")).to_be_visible()


async def test_what_could_not_be_begun_or_paused_is_said(recorded: Recorded, page: Page) -> None:
    panel = await open_panel(page, recorded.bridge)
    recorded.bridge.outputs.fails = LimitReached("recordings", 3)
    await panel.get_by_role("button", name="Start").click()
    problem = panel.get_by_role("alert").first
    await expect(problem).to_contain_text("Recording was not begun")
    await expect(panel.get_by_role("button", name=re.compile("Start|Resume"))).to_be_enabled()
    recorded.bridge.outputs.fails = None
    await panel.get_by_role("button", name=re.compile("Start|Resume")).click()
    await expect(panel.locator("header .pill")).to_have_text("Recording")
    await expect(problem).to_be_hidden()
    await page.route("**/recording/stop", lambda route: route.fulfill(status=503, json={"error": "too busy"}))
    await panel.get_by_role("button", name="Pause").click()
    await expect(problem).to_contain_text("Recording was not paused: too busy")
    await expect(panel.locator("header .pill")).to_have_text("Recording")


async def test_the_files_of_a_finished_recording_are_listed(
    recorded: Recorded, page: Page, tmp_path: Path
) -> None:
    await recorded.finished(tmp_path / "r", program=("mp4", "hls-ts"), participants=("m4a",))
    panel = await open_panel(page, recorded.bridge)
    rows = panel.locator(".files tbody tr")
    await expect(rows).to_have_count(6)
    names = rows.locator(".name")  # of who has left when the manifest is there
    await expect(names).to_have_text(["Everybody", "Everybody", "Ada", "Bob who left", "Picture", "Preview"])
    await expect(rows.nth(1)).to_contain_text("HLS · program-hls-ts/ · 5 files")
    for text in ("MP4 · program.mp4", "Whole", "Stays here"):
        await expect(rows.first).to_contain_text(text)
    for text in ("0:14", "Pauses", "1 hole, 1.2 s missing"):
        await expect(panel.locator(".facts")).to_contain_text(text)
    picture = panel.locator("img.thumbnail")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.naturalWidth") > 100
    assert TOKEN not in await page.content()


async def test_uploads_say_how_they_go(recorded: Recorded, page: Page, tmp_path: Path) -> None:
    states = {
        ".mp4": "failing: the storage answered 403 Forbidden", "ann.m4a": "uploading", "gone.m4a": "uploaded",
        ".ts": "uploaded", "media.m3u8": "waiting", ".jpg": "missing", ".webp": "waiting",
    }  # fmt: skip
    states[f"{recorded.ada.id}.m4a"] = "uploading"
    recording_id = await recorded.finished(
        tmp_path / "r", states, program=("mp4", "hls-ts"), participants=("m4a",)
    )
    panel = await open_panel(page, recorded.bridge)
    shown = panel.locator(".files .uploaded")
    await expect(shown).to_have_count(6)
    told = [re.sub(r"\s+", " ", text) for text in await shown.all_inner_texts()]
    assert told == [
        "Failing the storage answered 403 Forbidden", "Waiting · 1 of 5", "Uploading", "Uploaded",
        "File is gone", "Waiting",
    ]  # fmt: skip
    put_on(recorded.bridge.outputs.shelf, recording_id, tmp_path / "r", {"": "uploaded"})
    for index in range(6):
        await expect(shown.nth(index)).to_have_text("Uploaded")


async def test_it_is_played_and_the_time_line_seeks(recorded: Recorded, page: Page, tmp_path: Path) -> None:
    await recorded.finished(tmp_path / "r")
    panel = await open_panel(page, recorded.bridge)
    await panel.get_by_role("button", name="Play Everybody, MP4").click()
    await played(page, 0.5)
    line = panel.get_by_role("slider", name="Place in the recording")
    await expect(line).to_have_attribute("aria-valuemax", str(FIRST_S + SECOND_S))
    await expect(panel.locator(".timeline .hole")).to_have_attribute(
        "title", re.compile("1.2 s missing at 0:03")
    )
    await expect(panel.locator(".timeline .pause")).to_have_attribute("title", re.compile("for 12 min 34 s"))
    await expect(panel.locator(".timeline .lane")).to_have_text(["Ada", "Bob who left"])
    await page.evaluate("document.querySelector('.recording video').pause()")
    box = await line.bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    assert 10.2 < await played(page, 10.2) < 10.8
    await line.press("ArrowLeft")
    await expect(line).to_have_attribute("aria-valuenow", re.compile("^(5|6)$"))
    await line.press("End")
    await expect(line).to_have_attribute("aria-valuenow", "14")
    await expect(panel.locator(".timeline")).to_contain_text("1 pause left out · 1 hole, 1.2 s missing")
    await panel.get_by_role("button", name="Close the player").click()
    await expect(panel.locator("video")).to_have_count(0)


async def test_an_hls_recording_and_one_of_a_participant_are_played(
    recorded: Recorded, page: Page, tmp_path: Path
) -> None:
    await recorded.finished(tmp_path / "r", program=("hls-ts",), participants=("ogg",))
    panel = await open_panel(page, recorded.bridge)
    loaded = []
    page.on("request", lambda request: loaded.append(request.url))
    await panel.get_by_role("button", name="Play Ada, Ogg Opus").click()
    await played(page, 0.4)
    assert await panel.locator("audio").count() == 1
    assert not [url for url in loaded if "hls.light" in url]
    await panel.get_by_role("button", name="Play Everybody, HLS").click()
    await expect(panel.locator("video")).to_be_visible()
    await played(page, 0.4)
    assert len([url for url in loaded if "hls.light" in url]) == 1
    assert TOKEN not in "".join(loaded), "the token is in no address"


async def test_what_is_large_is_played_by_its_link(recorded: Recorded, page: Page, tmp_path: Path) -> None:
    recording_id = await recorded.finished(tmp_path / "r")
    shelf = recorded.bridge.outputs.shelf
    shelf.stock[recording_id] = [
        replace(file, size=10**9) if file.name == "program.mp4" else file
        for file in shelf.stock[recording_id]
    ]
    panel = await open_panel(page, recorded.bridge)
    await expect(panel.locator(".files")).to_contain_text("1.00 GB")
    await panel.get_by_role("button", name="Play Everybody, MP4").click()
    await played(page, 0.5)
    source = await page.evaluate("document.querySelector('.recording video').src")
    assert source.endswith(f"/recording/files/program.mp4?through=true&access_token={TOKEN}")


async def test_a_file_is_downloaded_under_a_name_for_people(
    recorded: Recorded, page: Page, tmp_path: Path
) -> None:
    await recorded.finished(tmp_path / "r", participants=("m4a",))
    panel = await open_panel(page, recorded.bridge)
    async with page.expect_download() as started:
        await panel.get_by_role("button", name="Download Bob who left, M4A").click()
    download = await started.value
    assert download.suggested_filename == "recording Bob who left M4A.m4a"
    assert (await download.path()).read_bytes() == (tmp_path / "r" / "files" / "gone.m4a").read_bytes()


@dataclass
class Away:
    """A file of a folder, as if it were in a storage that signs addresses."""

    path: Path
    media_type: str
    tag: str = '"md5"'

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    async def link(self) -> str:
        return "https://bucket.test/signed"

    async def pieces(self, begin: int, end: int) -> AsyncIterator[bytes]:
        yield self.path.read_bytes()[begin:end]


async def test_what_lies_in_a_storage_only_is_played_through_the_server(
    recorded: Recorded, page: Page, tmp_path: Path
) -> None:
    recording_id = await recorded.finished(tmp_path / "r", program=("mp4", "hls-ts"))
    shelf = recorded.bridge.outputs.shelf
    for file in shelf.stock[recording_id]:
        shelf.away_stock[recording_id, file.name] = Away(file.path, file.media_type)
    shelf.stock[recording_id] = [
        replace(file, here=False, size=0, state="uploaded") for file in shelf.stock[recording_id]
    ]
    panel = await open_panel(page, recorded.bridge)
    await expect(panel.locator(".files tr", has_text="program.mp4")).to_contain_text("in its storage only")
    await expect(panel).to_contain_text("Resume begins another recording")
    await panel.get_by_role("button", name="Play Everybody, HLS").click()
    await played(page, 0.4)
    await panel.get_by_role("button", name="Play Everybody, MP4").click()
    await played(page, 0.4)


async def test_what_is_still_being_finished_is_waited_for(
    recorded: Recorded, page: Page, tmp_path: Path
) -> None:
    await recorded.finished(tmp_path / "r")
    panel = await open_panel(page, recorded.bridge)
    await expect(panel.locator(".files tbody tr")).to_have_count(3)
    recorded.bridge.outputs.shelf.unsettled = True
    await panel.get_by_role("button", name="Play Everybody, MP4").click()
    await expect(panel).to_contain_text("It is still being finished …")
    recorded.bridge.outputs.shelf.unsettled = False
    await played(page, 0.3)


async def test_a_file_that_is_gone_is_said_to_be(recorded: Recorded, page: Page, tmp_path: Path) -> None:
    recording_id = await recorded.finished(tmp_path / "r")
    panel = await open_panel(page, recorded.bridge)
    play = panel.get_by_role("button", name="Play Everybody, MP4")
    await expect(play).to_be_visible()
    recorded.bridge.outputs.shelf.stock[recording_id] = []
    await play.click()
    await expect(panel.get_by_text("It cannot be played: this recording has no such file")).to_be_visible()


async def test_while_it_grows_what_there_is_can_be_played(
    recorded: Recorded, page: Page, tmp_path: Path
) -> None:
    recording_id = await recorded.begin()
    shelf = recorded.bridge.outputs.shelf
    folder = make_recording(tmp_path / "r", ((recorded.ada.id, "Ada"),), resumed=False)
    shelf.put(recording_id, folder / "files" / "program.mp4", "video/mp4", complete=False)
    panel = await open_panel(page, recorded.bridge)
    row = panel.locator(".files tbody tr")
    await expect(row).to_contain_text("In the making")
    await row.get_by_role("button", name="Play Everybody, MP4").click()
    await played(page, 0.5)
    (file,) = shelf.stock[recording_id]
    shelf.stock[recording_id] = [replace(file, size=7_654_321)]
    await expect(row).to_contain_text("7.65 MB")
    shelf.stock[recording_id] = [replace(file, complete=True, size=5_000_000), replace(file, size=9_000_000)]
    await expect(row).to_contain_text("a longer one: 9.00 MB")
    await expect(row).to_have_count(1)


@pytest.mark.parametrize(
    "size", [PHONE, {"width": 320, "height": 568}, {"width": 1000, "height": 800}, DESKTOP]
)
async def test_hostile_names_are_text_and_nothing_is_cut_off(
    recorded: Recorded, browser: Browser, size: ViewportSize, tmp_path: Path
) -> None:
    recording_id = await recorded.begin()
    shelf, path = recorded.bridge.outputs.shelf, tmp_path / "some.wav"
    path.write_bytes(b"x" * 4_000)
    people = [await recorded.bridge.bring(recorded.conference, name) for name in HOSTILE_NAMES]
    for person, name in zip(people, HOSTILE_NAMES, strict=True):
        shelf.put(recording_id, path, "audio/wav", name=f"{person.id}.wav", state=f"failing: {name}")
        shelf.stock[recording_id].append(OutputFile(f"{name}/x.ts", path, "video/mp2t", True, 9))
    recorded.show(
        "troubled", "".join(HOSTILE_NAMES), seconds=9e6, bytes=9e12, lag_ms=9e6, holes=999, lost_seconds=9e5
    )
    shelf.troubles[recording_id] = HOSTILE_NAMES[10]
    watched = await open_page(browser, recorded.bridge.base, size=size)
    page = watched.page
    panel = await open_panel(page, recorded.bridge)
    await expect(panel.locator(".files tbody tr")).to_have_count(2 * len(HOSTILE_NAMES))
    shown = set(await panel.locator(".files .name").all_text_contents())
    assert set(HOSTILE_NAMES) <= shown
    assert set(HOSTILE_NAMES) <= set(await panel.locator(".files .problem").all_text_contents())
    assert await overflow(page) <= 0
    cut = "[...document.querySelectorAll('.panel')].map((panel) => panel.scrollWidth - panel.clientWidth)"
    assert max(await page.evaluate(cut)) <= 0
    assert await page.locator("#main img, #main script, #main a").count() == 0
    watched.assert_clean()
    await page.context.close()
