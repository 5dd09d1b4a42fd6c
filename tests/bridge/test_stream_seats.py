"""Seats nobody in the directory knows: what they tap, whom they play to, and what they are told of it."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.core.events import FellBehind, LegConnected
from bridge.core.ports import (
    L16_8K,
    CallStart,
    CloseReason,
    HeardSource,
    LegLook,
    LegPort,
    LegSpec,
    MixSource,
    ServiceStream,
    SoloSource,
    Source,
    StreamLedger,
)
from bridge.routing import Routing
from bridge.switch_events import Behind, PlayEnded
from tests.kit.mixing import wire
from tests.kit.studio import LOUD, Studio, heard
from tests.kit.tones import click_score, level_of, tone

pytestmark = pytest.mark.unit

CALL = CallStart("call", "stream", "account", ("inbound",), L16_8K, {})


class Track:
    """Keeps the frames of one track."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        self.frames.append(frame)

    def level(self, frequency_hz: int, last: int = 25) -> float:
        return level_of(
            np.frombuffer(b"".join(self.frames[-last:]), "<i2").astype(np.float32), 8_000, frequency_hz
        )


class Service:
    """A leg with a track for each source and a play queue."""

    kind = "stream"

    def __init__(self, port: LegPort, spec: LegSpec) -> None:
        assert isinstance(spec, ServiceStream)
        self.port, self.spec = port, spec
        self.tracks = {name: Track() for name in spec.sources}
        self.told: list[object] = []

    async def start(self) -> str | None:
        for name, source in self.spec.sources.items():
            self.port.open_frame_output(name, source, L16_8K, self.tracks[name])
        if self.spec.bidirectional:
            self.queue = self.port.open_play_input("primary", L16_8K, self)
        self.port.emit(LegConnected())
        return None

    async def renegotiate(self, spec: LegSpec) -> str | None:
        return None

    def played(self, name: str) -> None:
        self.told.append(name)

    def cleared(self, dropped: tuple[str, ...]) -> None:
        self.told.append(dropped)

    def ran_dry(self, underrun: bool) -> None:
        self.told.append(underrun)

    def press(self, track: str, digit: str) -> None:
        self.told.append((track, digit))

    def send(self, text: str) -> None: ...

    async def close(self, reason: CloseReason) -> None: ...

    def look(self) -> LegLook:
        return LegLook(self.kind, "connected")


class StreamStudio(Studio):
    """A studio whose streams are in `streams`, by the name of their seat."""

    def __init__(self) -> None:
        super().__init__(factories={ServiceStream: self._stream})
        self.streams: dict[str, Service] = {}

    def _stream(self, port: LegPort, spec: LegSpec) -> Service:
        self.streams[port.participant_id] = Service(port, spec)
        return self.streams[port.participant_id]

    async def stream(
        self,
        name: str,
        sources: dict[str, Source],
        *,
        bidirectional: bool = False,
        hears_only: frozenset[str] | None = frozenset(),
        heard_by: frozenset[str] | None = None,
    ) -> Service:
        spec = ServiceStream("ws://x", CALL, sources, StreamLedger(), bidirectional)
        routing = Routing(tags=frozenset([name]), hears_only=hears_only, heard_by=heard_by)
        await self.board.connect("room", name, spec, routing)
        return self.streams[name]


def person(name: str) -> Routing:
    return Routing(tags=frozenset([name, "person"]))


async def test_inbound_is_what_somebody_says_and_outbound_what_they_hear() -> None:
    studio = StreamStudio()
    ann, ben = await studio.phone("ann", person("ann")), await studio.phone("ben", person("ben"))
    stream = await studio.stream("s", {"inbound": SoloSource("ann"), "outbound": HeardSource("ann")})
    studio.run(75, {"ann": studio.voice(ann, 500), "ben": studio.voice(ben, 1200)})
    inbound, outbound = stream.tracks["inbound"], stream.tracks["outbound"]
    assert inbound.level(500) == pytest.approx(LOUD, rel=0.1) and inbound.level(1200) < 30
    assert outbound.level(1200) == pytest.approx(LOUD, rel=0.1) and outbound.level(500) < 30
    assert len(inbound.frames) == len(outbound.frames) == 75


async def test_frames_come_every_tick_whether_or_not_the_source_is_there() -> None:
    studio = StreamStudio()
    stream = await studio.stream("s", {"inbound": SoloSource("ann"), "outbound": HeardSource("ann")})
    studio.run(10)
    ann, ben = await studio.phone("ann", person("ann")), await studio.phone("ben", person("ben"))
    studio.run(50, {"ann": studio.voice(ann, 500), "ben": studio.voice(ben, 1200)})
    assert stream.tracks["inbound"].level(500) == pytest.approx(LOUD, rel=0.1)
    assert stream.tracks["outbound"].level(1200) == pytest.approx(LOUD, rel=0.1)
    await studio.board.disconnect("room", "ann", CloseReason.HANGUP)
    studio.run(30)
    assert stream.tracks["inbound"].level(500) < 1 and stream.tracks["outbound"].level(1200) < 1
    await studio.board.disconnect("room", "ben", CloseReason.HANGUP)
    studio.run(10)
    ann = await studio.phone("ann", person("ann"))
    studio.run(50, {"ann": studio.voice(ann, 700)})
    assert stream.tracks["inbound"].level(700) == pytest.approx(LOUD, rel=0.1)
    assert [len(track.frames) for track in stream.tracks.values()] == [150, 150]
    await studio.board.disconnect("room", "s", CloseReason.HANGUP)
    await studio.board.disconnect("room", "ann", CloseReason.HANGUP)
    assert studio.bus.figures().rooms == 0


async def test_a_replaced_leg_s_sound_goes_on_in_the_stream() -> None:
    studio = StreamStudio()
    first = await studio.phone("ann", person("ann"))
    stream = await studio.stream("s", {"inbound": SoloSource("ann")})
    studio.run(20, {"ann": studio.voice(first, 500)})
    second = await studio.phone("ann", person("ann"))
    studio.run(50, {"ann": studio.voice(second, 900)})
    assert stream.tracks["inbound"].level(900) == pytest.approx(LOUD, rel=0.1)
    assert len(stream.tracks["inbound"].frames) == 70


async def test_what_a_service_plays_is_heard_by_its_audience_alone() -> None:
    studio = StreamStudio()
    ann, ben = await studio.phone("ann", person("ann")), await studio.phone("ben", person("ben"))
    stream = await studio.stream("s", {"inbound": SoloSource("ann")}, bidirectional=True,
        heard_by=frozenset(["ann"]),
    )  # fmt: skip
    program = await studio.phone("program")
    stream.queue.play(wire(tone(1000, 2, 8_000, LOUD)))
    studio.run(60)
    assert heard(ann, 1000) == pytest.approx(LOUD, rel=0.1)
    assert heard(ben, 1000) < 10 and heard(program, 1000) < 10


async def test_bots_that_do_not_hear_bots_and_a_role_that_changes() -> None:
    studio = StreamStudio()
    bots = Routing(tags=frozenset(["bot"]), hears_only=frozenset(["person"]))
    ann = await studio.phone("ann", Routing(tags=frozenset(["ann", "person"])))
    one, two = await studio.phone("one", bots), await studio.phone("two", bots)
    voices = {"one": studio.voice(one, 600), "ann": studio.voice(ann, 1500)}
    studio.run(60, voices)
    assert heard(ann, 600) == pytest.approx(LOUD, rel=0.1)
    assert heard(two, 1500) == pytest.approx(LOUD, rel=0.1) and heard(two, 600) < 10
    studio.board.route("room", "one", Routing(tags=frozenset(["bot", "person"])))
    voice = studio.voice(one, 600)
    studio.run(60, {"one": lambda n: voice(n + 60)})
    assert heard(two, 600) == pytest.approx(LOUD, rel=0.1)


async def test_the_leg_and_the_listeners_are_told_what_becomes_of_the_queue() -> None:
    studio = StreamStudio()
    await studio.phone("ann", person("ann"))
    stream = await studio.stream("s", {"inbound": MixSource()}, bidirectional=True, hears_only=None)
    stream.queue.play(wire(tone(1000, 0.1, 8_000, LOUD)))
    stream.queue.mark("hello")
    studio.run(30)
    assert stream.told == ["hello", False]
    stream.queue.play(wire(tone(1000, 0.5, 8_000, LOUD)))
    stream.queue.mark("never")
    studio.run(5)
    stream.queue.clear()
    studio.run(1)
    assert stream.told[2:] == [("never",)]
    studio.board.press("room", "s", "inbound", "7")
    assert stream.told[3:] == [("inbound", "7")]
    stream.port.emit(FellBehind(30))
    assert [event for event in studio.events if isinstance(event, PlayEnded | Behind)] == [
        PlayEnded("room", "s", "played"), PlayEnded("room", "s", "cut"), Behind("room", "s", 30),
    ]  # fmt: skip


async def test_starting_and_ending_streams_is_heard_by_nobody() -> None:
    studio = StreamStudio()
    ann, ben = await studio.phone("ann", person("ann")), await studio.phone("ben", person("ben"))
    voice = studio.voice(ann, 400)
    at = 0

    def speak(_: int) -> None:
        nonlocal at
        voice(at)
        at += 1

    studio.run(50, {"ann": speak})
    for _ in range(4):
        for number in range(12):
            await studio.stream(f"s{number}", {"inbound": SoloSource("ann"), "outbound": HeardSource("ben")},
                bidirectional=number % 3 == 0, heard_by=frozenset(["ann"]),
            )  # fmt: skip
            studio.run(1, {"ann": speak})
        for number in range(12):
            await studio.board.disconnect("room", f"s{number}", CloseReason.HANGUP)
            studio.run(1, {"ann": speak})
    sound = np.concatenate(ben.heard[25:]).astype(np.float32)
    assert click_score(sound, 16_000, 400) < 0.2
    assert level_of(sound, 16_000, 400) == pytest.approx(LOUD, rel=0.05)
