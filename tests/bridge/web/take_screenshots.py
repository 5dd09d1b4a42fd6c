"""`python -m tests.bridge.web.take_screenshots`: the pictures of docs/screenshots/, from a staged scene."""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, ViewportSize

from bridge.core.ports import OutputLook
from bridge.people import Actor, Audience, Conference, Participant, Role
from bridge.recordings import RecordingWishes
from bridge.streamings import HlsWishes, SoundWishes, StreamingWishes
from tests.bridge.web.browser import PHONE, chromium, open_page
from tests.bridge.web.forked_scene import fork
from tests.bridge.web.recorded_scene import make_recording, put_on
from tests.bridge.web.staged_bridge import APPLICATION, TOKEN, StagedBridge

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "screenshots"


class Scene:
    """A conference that looks like one."""

    def __init__(self, bridge: StagedBridge) -> None:
        self.bridge = bridge

    async def set_up(self) -> None:
        bridge = self.bridge
        for name in ("Standup", "نقاش مفتوح حول الجودة", "Support line"):
            await bridge.open_conference(name)
        self.conference = await bridge.open_conference("Weekly call with the clinic in Nørrebro")
        self.ada = await self._bring("Ada Lovelace", level=-21, role=Role.MODERATOR)
        self.phone = await self._bring("+45 31 12 45 78", "plivo", level=-38)
        self.maryam = await self._bring("مريم بنت عبد الله")
        audience = Audience(heard_by=frozenset((Role.ATTENDEE.value, Role.MODERATOR.value)))
        self.bot = await bridge.bring_bot(
            self.conference, "Interpreter", audience, level=-29, role=Role.PRESENTER, concealed=310
        )
        self.zoe = await self._bring("Zoë Ångström", role=Role.ATTENDEE, sending=False)
        await bridge.invite(self.conference, "Grace Hopper")
        hears = {self.phone.id: 0.0, self.ada.id: 0.5}
        await bridge.directory.change_participant(self.zoe, by=bridge.by, hears=hears)
        await bridge.directory.change_participant(self.maryam, by=bridge.by, muted=True)

        people = (self.ada, self.phone, self.maryam, self.zoe)
        await self._stream()
        fork(bridge.streams, self.conference.id, self.bot, people)

    async def _bring(self, name: str, kind: str = "webrtc", **more: object) -> Participant:
        return await self.bridge.bring(self.conference, name, kind, **more)  # type: ignore[arg-type]

    async def _stream(self) -> None:
        """A recording that goes on; three streamings: one that goes well, one that is refused, and HLS."""
        outputs = self.bridge.outputs
        wanted = RecordingWishes(("mp4", "hls"), True, "bucket")
        await outputs.recordings.start(self.conference, by=self.bridge.by, wishes=wanted)
        figures = {"seconds": 1_452.0, "bytes": 81_345_678.0, "lag_ms": 420.0}
        outputs.show(OutputLook("recording", "running", figures=figures))
        create = outputs.streamings.create
        await create(self.conference, "rtmps://live.example.com/app/key", StreamingWishes())
        figures = {"bytes": 81_345_678, "attempts": 2, "connections": 2, "waiting_ms": 120}
        outputs.show(OutputLook("rtmp", "running", figures=figures))
        wishes = StreamingWishes(picture=None, audio=SoundWishes("mp3"))
        await create(self.conference, "rtmp://radio.example.org/on-air/key", wishes)
        why = "the peer refused the stream: NetStream.Publish.BadName"
        outputs.show(OutputLook("rtmp", "troubled", why, {"attempts": 12}))
        outputs.trouble(why)
        await create(self.conference, "", StreamingWishes(hls=HlsWishes(part_seconds=0.5, segment_seconds=4)))
        figures = {"delay_p50_ms": 640, "delay_p99_ms": 910, "waiting_requests": 17, "bytes": 45_000_000}
        outputs.show(OutputLook("hls", "running", figures=figures))

    async def record(self, folder: Path) -> None:
        """A recording with a hole, that was paused, with an upload that fails."""
        outputs, by = self.bridge.outputs, self.bridge.by
        recording = await outputs.recordings.start(self.conference, by=by)
        await outputs.recordings.stop(self.conference, by=by)
        people = [(one.id, one.name) for one in (self.ada, self.phone, self.maryam)]
        make_recording(folder, people, ("mp4", "hls-ts"), ("m4a",))
        states = {
            f"{self.phone.id}.m4a": "failing: the storage answered 403 (AccessDenied)",
            f"{self.maryam.id}.m4a": "uploading",
            "": "uploaded",
        }
        put_on(outputs.shelf, recording.id, folder, states)

    async def join(self, page: Page) -> tuple[Conference, Participant]:
        bridge, conference = self.bridge, self.conference
        linus, token = await bridge.invite(conference, "Linus")
        await page.goto(bridge.link(conference, token))
        await page.wait_for_selector("#lobby-join:enabled")
        await asyncio.sleep(1.5)  # some sound on the meter
        return conference, linus

    async def talk(self, page: Page, linus: Participant) -> None:
        await page.click("#lobby-join")
        await page.wait_for_selector("#call[data-state=connected]")
        await asyncio.sleep(0.5)
        self.bridge.stage.bring(self.conference.id, linus.id, "webrtc", -31)
        send, room = self.bridge.directory.send_message, self.conference
        await send(
            room,
            by=Actor.participant(self.ada.id),
            send_to=room.id,
            text="Good morning! Can everybody hear the phone?",
        )
        await send(room, by=Actor.participant(self.maryam.id), send_to=linus.id, text="أهلا وسهلا")
        await asyncio.sleep(4.5)  # the figures come every two seconds


async def take(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture.save(FOLDER / f"{name}.png", optimize=True)


async def operator(scene: Scene, browser: Browser) -> None:
    size: ViewportSize = {"width": 1280, "height": 900}
    page = (await open_page(browser, scene.bridge.base, size=size, scheme="light")).page
    await enter(page, scene)
    await asyncio.sleep(4.5)
    await page.get_by_role("button", name="Zoë Ångström hears Ada").focus()
    await page.evaluate("scrollTo(0, 0)")
    await asyncio.sleep(0.3)
    await take(page, "operator-light")
    await page.locator(".fold:visible").click()
    await page.evaluate("document.querySelector('.streams').closest('section').scrollIntoView()")
    await page.evaluate("scrollBy(0, -76)")  # the bar at the top stays
    await page.emulate_media(color_scheme="dark")
    await asyncio.sleep(0.5)
    await take(page, "streams-dark")
    await page.locator(".fold:visible").click()
    await page.set_viewport_size(PHONE)
    await page.evaluate("scrollTo(0, 0)")
    await asyncio.sleep(0.3)
    await take(page, "operator-phone-dark")


async def recording(scene: Scene, browser: Browser) -> None:
    size: ViewportSize = {"width": 1280, "height": 1180}
    page = (await open_page(browser, scene.bridge.base, size=size, scheme="light")).page
    await enter(page, scene)
    with tempfile.TemporaryDirectory() as folder:
        await scene.record(Path(folder) / "r")
        await page.get_by_role("button", name="Play Everybody, MP4").click()
        await asyncio.sleep(3.5)
        await page.evaluate("document.querySelector('.recording video').pause()")
        await page.evaluate("document.querySelector('.recording').scrollIntoView()")
        await page.evaluate("scrollBy(0, -76)")
        await asyncio.sleep(0.5)
        await take(page, "recording-light")


async def enter(page: Page, scene: Scene) -> None:
    await page.goto(f"{scene.bridge.base}/operator")
    await page.fill("#entry-application", APPLICATION)
    await page.fill("#entry-token", TOKEN)
    await page.click("#entry-go")
    await page.locator("#conferences button", has_text="Weekly").click()


async def main() -> None:
    async with StagedBridge() as bridge, chromium() as browser:
        scene = Scene(bridge)
        await scene.set_up()
        await operator(scene, browser)
        await recording(scene, browser)
        page = (await open_page(browser, bridge.base, scheme="dark")).page
        _, linus = await scene.join(page)
        await take(page, "lobby-dark")
        await scene.talk(page, linus)
        await take(page, "call-dark")
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size(PHONE)
        await asyncio.sleep(0.3)
        await take(page, "call-phone-light")


if __name__ == "__main__":
    asyncio.run(main())
