"""The live encoder as a process of its own: fed, killed, gone on with, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import numpy as np
import pytest

from bridge.errors import BridgeError
from bridge.outputs.back_off import BackOff
from bridge.outputs.hls_shelf import HlsShelf
from bridge.outputs.hls_stream import HlsStream
from bridge.outputs.live_encoder import LiveEncoder
from bridge.outputs.live_hls import LiveHls
from bridge.outputs.live_wire import CaptionSpec, HlsSpec, PictureSpec
from bridge.outputs.record import PROGRAM, Begun, Joined, Record, Sound
from tests.kit.hls_reader import ReadPlaylist, faults, read
from tests.kit.live_room import BEGAN_MS, FRAME, RATE, heard_in
from tests.kit.tones import find_tones, tone

pytestmark = pytest.mark.e2e

SOUND = tone(600, 60.0, RATE).astype("<i2")


class Server:
    """What the server does around an encoder, faster than real time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tick = 0
        self.shelf = HlsShelf(self.now_ms)
        self.troubles: list[str] = []
        self.encoder = LiveEncoder(
            "room", "The room", on_trouble=self.troubles.append, back_off=BackOff(0.05)
        )
        self.lives: dict[str, LiveHls] = {}

    def now_ms(self) -> float:
        return BEGAN_MS + 20.0 * self.tick

    def add(self, name: str, spec: HlsSpec) -> LiveHls:
        folder = self.directory / name
        folder.mkdir(mode=0o700)
        live = LiveHls(name, HlsStream(spec, self.now_ms), folder, self.shelf)
        self.lives[name] = live
        self.encoder.add(name, live)
        return live

    def hear(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            since, self.tick = self.tick, self.tick + 5
            pcm = SOUND[since * FRAME % len(SOUND) :][: 5 * FRAME]
            records: list[Record] = [Sound(PROGRAM, since, pcm.tobytes())]
            if since == 0:
                records[:0] = [Begun("r", "room", 0, BEGAN_MS), Joined(0, "ann", "Ann")]
            self.encoder.passed(since, self.tick, records)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - another process works
                await asyncio.sleep(0.01)

    def media(self, name: str) -> ReadPlaylist:
        playlist = self.lives[name].stream.playlist("media.m3u8")
        assert playlist is not None
        return read(playlist.text())


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path)
    await server.encoder.start()
    yield server
    await server.encoder.stop()


async def test_sound_becomes_streams_in_another_process(server: Server) -> None:
    server.add("sound", HlsSpec("ts", segment_s=2.0))
    server.add("picture", HlsSpec(picture=PictureSpec(), segment_s=2.0, part_s=0.5, captions=CaptionSpec()))
    server.hear(9)
    await server.until(lambda: server.lives["picture"].stream.figures().segments >= 4)
    for name in server.lives:
        assert faults(server.media(name)) == []
    await server.encoder.stop()
    for name, live in server.lives.items():
        assert live.closed.is_set() and server.media(name).ended
        playlist = server.media(name)
        length = sum(segment.duration for segment in playlist.segments)
        assert length == pytest.approx(9.0, abs=0.15), "the last words are in it"


async def test_a_picture_has_the_ground_that_it_is_to_have(server: Server) -> None:
    server.add("red", HlsSpec("ts", picture=PictureSpec(160, 90, background="#ff0000"), segment_s=1.0))
    wrong = server.add("wrong", HlsSpec("ts", picture=PictureSpec(160, 90, background="red"), segment_s=1.0))
    server.hear(2.5)
    await server.until(lambda: server.lives["red"].stream.figures().segments >= 1)
    with av.open(str(server.directory / "red" / server.media("red").segments[0].uri)) as opened:
        first = next(opened.decode(opened.streams.video[0]))
    corner = first.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()[1, 1].astype(int)
    assert (np.abs(corner - (255, 0, 0)) < 12).all()
    await server.until(wrong.closed.is_set)
    assert "#rrggbb" in wrong.trouble


async def test_two_outputs_of_one_name_are_refused(server: Server) -> None:
    server.add("out", HlsSpec())
    with pytest.raises(BridgeError):
        server.encoder.add("out", server.lives["out"])


async def test_an_output_that_cannot_be_is_closed_with_its_reason(server: Server) -> None:
    live = server.add("out", HlsSpec(picture=PictureSpec(161, 91)))
    server.hear(0.5)
    await server.until(live.closed.is_set)
    assert "161x91" in live.trouble and server.encoder.outputs == 0


async def test_a_killed_encoder_is_begun_again_and_the_stream_goes_on(server: Server) -> None:
    spec = HlsSpec(picture=PictureSpec(), segment_s=2.0, part_s=0.5, window=50, captions=CaptionSpec())
    live = server.add("out", spec)
    server.hear(7.1)
    await server.until(lambda: live.stream.figures().parts >= 14)
    before = server.media("out")
    assert before.open_parts, "in the middle of a segment"
    server.encoder._child.kill()  # type: ignore[union-attr]
    await server.until(lambda: server.troubles != [])
    server.hear(2.0)  # nobody listens
    await server.until(lambda: server.troubles[-1] == "")
    server.hear(6.0)
    await server.until(lambda: live.stream.figures().segments >= 6)
    after = server.media("out")
    assert faults(after, before) == []
    torn = next(s for s in after.segments if s.sequence == before.last_sequence + 1)
    assert [part.uri for part in torn.parts] == [part.uri for part in before.open_parts]
    (jump,) = [segment for segment in after.segments if segment.discontinuity]
    assert jump.sequence == torn.sequence + 1 and jump.date_ms is not None
    # What was said from the kill until the new process was there is missing, and nothing more.
    assert jump.date_ms == pytest.approx(BEGAN_MS + 9_100, abs=150)
    for segment in after.segments:
        assert (server.directory / "out" / segment.uri).exists()
    captions = live.stream.playlist("captions.m3u8")
    assert captions is not None
    spoken = read(captions.text())
    assert [s.sequence for s in spoken.segments] == list(range(len(spoken.segments)))
    assert faults(spoken) == []
    later = [segment for segment in after.segments if segment.sequence >= jump.sequence]
    folder = server.directory / "out"
    content = (folder / str(jump.map_uri)).read_bytes()
    content += b"".join((folder / segment.uri).read_bytes() for segment in later)
    heard, _ = heard_in(content)
    assert list(find_tones(heard[RATE : 3 * RATE], RATE)) == [600]
    assert server.encoder.figures().begun == 2


async def test_an_output_whose_encoder_dies_while_it_ends_is_over(server: Server) -> None:
    live, other = server.add("out", HlsSpec()), server.add("other", HlsSpec())
    server.hear(3)
    await server.until(lambda: server.encoder.figures().begun == 1 and live.stream.media is not None)
    os.kill(server.encoder._child.pid, signal.SIGSTOP)  # type: ignore[union-attr, arg-type]
    server.encoder.remove("out")
    server.encoder._child.kill()  # type: ignore[union-attr]
    await server.until(live.closed.is_set)
    assert live.stream.ended and not other.closed.is_set()
    await server.until(lambda: server.troubles[-1:] == [""])
    assert server.encoder.outputs == 1


async def test_an_encoder_that_does_not_keep_up_leaves_a_hole(server: Server) -> None:
    live = server.add("out", HlsSpec("ts", segment_s=2.0, window=50))
    server.hear(3)
    await server.until(lambda: live.stream.figures().segments >= 1)
    # More than its queue takes, without ever giving it the time to read.
    server.hear(40)
    assert server.encoder.figures().holes >= 1
    await server.until(lambda: server.encoder._child.waiting_bytes == 0)  # type: ignore[union-attr]
    server.hear(6)
    server.encoder.remove("out")
    await server.until(live.closed.is_set)
    playlist = server.media("out")
    assert faults(playlist) == [] and any(segment.discontinuity for segment in playlist.segments)
    last = playlist.segments[-1]
    assert last.date_ms is not None
    assert last.date_ms + 1_000 * last.duration == pytest.approx(server.now_ms(), abs=60)


async def test_what_an_encoder_uses_up_is_told(server: Server) -> None:
    server.add("a", HlsSpec())
    server.add("b", HlsSpec())
    server.hear(10)
    await server.until(lambda: server.encoder.figures().cpu_s > 0)
    figures = server.encoder.figures()
    assert (figures.sound_encoders, figures.picture_encoders, figures.outputs) == (1, 0, 2)
    assert np.isfinite(figures.cpu_s)
