"""What a mixer made of a captured call, it makes again: jitter, gaps, drift and all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest

from bridge.core.ports import (
    L16_8K,
    L16_16K,
    ULAW_8K,
    AudioFormat,
    CallStart,
    CaptureOrder,
    LegPort,
    LegSpec,
    SoloSource,
)
from bridge.errors import BadInput
from bridge.harness.capture_reading import Capture
from bridge.harness.sound import encode
from bridge.legs.capture_seams import (
    OWN,
    CapturedInput,
    CapturedPlaySink,
    CapturedQueue,
    CapturedSink,
    OwnTap,
)
from bridge.legs.capture_wire import End, Facts, Frame, Head, Hole, Rate, Record, Tick
from bridge.legs.captures import Capturing, LegCapture
from bridge.replay import assert_replays, replay
from bridge.routing import Routing
from tests.kit.studio import Phone, Studio
from tests.kit.tones import tone

pytestmark = pytest.mark.unit


@dataclass
class Kept:
    """A `CaptureSink` in memory."""

    head: Head
    records: list[Record] = field(default_factory=list)
    reason: str = ""

    def put(self, record: Record) -> None:
        self.records.append(record)

    def end(self, at_ns: int, reason: str, detail: str, facts: Facts) -> None:
        self.reason = reason

    @property
    def capture(self) -> Capture:
        return Capture(Path(f"{self.head.place}.mbcapture"), self.head, self.records, End(0, "closed"))


class House(Studio):
    """Counts ticks, and keeps what legs of it have captured."""

    def __init__(self) -> None:
        super().__init__(factories={Wish: self.factory(KeptCall)})
        self.number = 0
        self.kept: list[Kept] = []

        def open_capture(order: CaptureOrder, head: Head) -> Kept:
            self.kept.append(Kept(head))
            return self.kept[-1]

        self.capturing = Capturing(
            open_capture, self, lambda room: self.board.look(room).rate_hz, lambda: self.now
        )

    def tick(self) -> None:
        self.number += 1
        self.run(1)

    async def call(self, name: str, audio_format: AudioFormat) -> KeptCall:
        await self.board.connect("room", name, Wish(self, audio_format), Routing())  # type: ignore[arg-type]
        leg = self.legs[name]
        assert isinstance(leg, KeptCall)
        return leg


@dataclass(frozen=True)
class Wish:
    """A captured call, as a leg's spec."""

    house: House
    format: AudioFormat


def start(audio_format: AudioFormat) -> CallStart:
    return CallStart("call", "stream", "", ("inbound",), audio_format, {})


class KeptCall(Phone):
    """A call's leg as far as the mixer is concerned, captured."""

    def __init__(self, port: LegPort, spec: LegSpec) -> None:
        super().__init__(port, spec)
        assert isinstance(spec, Wish)
        self.house, self.format = spec.house, spec.format

    async def start(self) -> str | None:
        opened = self.port.open_audio_input("primary", self.format)
        order = CaptureOrder("id", "owner")
        kept = self.house.capturing.begin(order, "call", start(self.format), self.port, phase=opened.phase)
        assert kept is not None
        self.input = CapturedInput(kept, opened, "inbound")
        self.port.open_frame_output(OWN, SoloSource(self.port.participant_id), self.format, OwnTap(kept))
        kept.link("opened")
        return None


def speech(audio_format: AudioFormat, seconds: float) -> np.ndarray:
    """Words of a kind: tones that come and go."""
    sound = tone(180, seconds, audio_format.rate_hz, 7000) + tone(410, seconds, audio_format.rate_hz, 3000)
    steps = np.arange(len(sound)) / audio_format.rate_hz
    sound[(steps % 0.9) > 0.6] = 0
    return sound.astype(np.int16)


def arrivals(seed: int, frames: int, begin: float, drift: float = 1.0) -> Iterator[tuple[float, int]]:
    """When each 20 ms come: jittered, in order, some lost, after a stall all at once."""
    lots = Random(seed)
    last = 0.0
    for number in range(frames):
        if lots.random() < 0.02:
            continue
        at = begin + number * 0.02 * drift + lots.expovariate(1 / 0.02)
        if 150 < number < 160:
            at = begin + 160 * 0.02
        last = max(last, at)
        yield last, number


def drive(house: House, leg: KeptCall, frames: int, seed: int, drift: float = 1.0) -> None:
    sound = speech(leg.format, frames * 0.02)
    size = leg.format.frame_samples
    due = list(arrivals(seed, frames, house.now, drift))
    at = 0
    while at < len(due):
        end = house.now + 0.02
        began = house.now
        while at < len(due) and due[at][0] <= end:
            house.now = max(began, due[at][0])
            number = due[at][1]
            leg.input.push(encode(sound[number * size : (number + 1) * size], leg.format), house.now)
            at += 1
        house.now = began
        house.tick()


@pytest.mark.parametrize("audio_format", [L16_16K, L16_8K, ULAW_8K], ids=lambda one: one.title)
async def test_a_call_over_a_bad_network_replays_to_the_last_bit(audio_format: AudioFormat) -> None:
    house = House()
    warm = await house.call("before", audio_format)
    drive(house, warm, 137, seed=5)
    leg = await house.call("anna", audio_format)
    drive(house, leg, 700, seed=1, drift=0.997)
    look = leg.input.look()
    assert look.corrected > 3 and look.concealed > 3
    capture = house.kept[1].capture
    assert capture.head.phase > 0
    done = replay([capture])
    assert done.same and done.frames["own"] > 600, str(done)

    elsewhen = Capture(
        capture.path, msgspec.structs.replace(capture.head, phase=(capture.head.phase + 61) % 200),
        capture.records, capture.end,
    )  # fmt: skip
    assert not replay([elsewhen]).same  # the phase is no ornament


class Bot:
    """A `PlaySink` that does not care."""

    def played(self, name: str) -> None:
        pass

    def cleared(self, dropped: tuple[str, ...]) -> None:
        pass

    def ran_dry(self, underrun: bool) -> None:
        pass


@dataclass
class KeptStream:
    """A stream's place beside a call, captured."""

    kept: LegCapture
    queue: CapturedQueue


async def stream_on(house: House, audio_format: AudioFormat, of: str) -> KeptStream:
    leg = await house.phone("seat", Routing(hears_only=frozenset(), heard_by=frozenset((of,))))
    port = leg.port
    port.close_input("primary")
    port.close_output("mix")
    kept = house.capturing.begin(CaptureOrder("id", "owner"), "stream", start(audio_format), port, of=of)
    assert kept is not None
    opened = port.open_play_input("primary", audio_format, CapturedPlaySink(kept, Bot()))
    port.open_frame_output(OWN, SoloSource("seat"), audio_format, OwnTap(kept))

    class Nowhere:
        def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
            pass

    port.open_frame_output("inbound", SoloSource(of), audio_format, CapturedSink(kept, Nowhere(), "inbound"))
    kept.link("opened")
    return KeptStream(kept, CapturedQueue(kept, opened))


def converse(house: House, stream: KeptStream, leg: KeptCall, audio_format: AudioFormat) -> None:
    """Marks, an underrun, a clear in mid-sentence, an end without a mark."""
    said = tone(900, 0.5, audio_format.rate_hz, 6000).astype(np.int16)
    for number in range(4):
        stream.queue.play(encode(said, audio_format))
        stream.queue.mark(f"mark {number}")
        drive(house, leg, 15, seed=number)
        if number == 2:
            stream.queue.clear()
            stream.queue.play(encode(said[:777], audio_format))
        drive(house, leg, 25, seed=number)
    stream.queue.play(encode(said[:100], audio_format))
    drive(house, leg, 20, seed=9)


async def test_a_stream_and_its_call_replay_together() -> None:
    house = House()
    leg = await house.call("anna", L16_16K)
    drive(house, leg, 20, seed=2)
    stream = await stream_on(house, L16_16K, "anna")
    converse(house, stream, leg, L16_16K)
    call, streamed = (kept.capture for kept in house.kept)
    alone = replay([streamed])
    assert alone.same and alone.acks == 4, str(alone)
    both = replay([call, streamed])
    assert both.same and both.frames["inbound"] > 100, str(both)


async def test_a_stream_at_another_rate_than_its_room_replays_but_for_rounding() -> None:
    house = House()
    leg = await house.call("anna", L16_16K)
    drive(house, leg, 20, seed=2)
    stream = await stream_on(house, L16_8K, "anna")
    converse(house, stream, leg, L16_8K)
    streamed = house.kept[1].capture
    assert Rate(16_000) in streamed.records
    done = replay([streamed])
    assert done.same, str(done)
    assert done.rounded < 0.01 * 160 * done.frames["own"]


async def test_what_differs_is_told_with_its_tick() -> None:
    house = House()
    leg = await house.call("anna", L16_16K)
    stream = await stream_on(house, L16_16K, "anna")
    converse(house, stream, leg, L16_16K)
    records = house.kept[1].records
    marks = [at for at, record in enumerate(records) if type(record).__name__ == "Ack"]
    tick = next(r.number for r in reversed(records[: marks[1]]) if isinstance(r, Tick))
    del records[marks[1]]
    done = replay([house.kept[1].capture])
    assert not done.same and done.difference is not None
    assert (done.difference.tick, done.difference.row) == (tick, "acks")
    assert "1 checkpoints and 0 clears acknowledged, 0 checkpoints and 0 clears then" in str(done)


async def test_behind_a_hole_nothing_is_compared() -> None:
    house = House()
    leg = await house.call("anna", L16_16K)
    drive(house, leg, 200, seed=2)
    records = house.kept[0].records
    ticks = [at for at, record in enumerate(records) if isinstance(record, Tick)]
    records[ticks[100] : ticks[120]] = [Hole(0, ticks[120] - ticks[100], 20)]
    done = replay([house.kept[0].capture])
    assert done.same and done.frames["own"] == 99
    assert any("missing between tick 100 and 121" in note for note in done.notes)


async def test_captures_that_cannot_be_replayed_say_why(tmp_path: Path) -> None:
    house = House()
    leg = await house.call("anna", L16_16K)
    drive(house, leg, 20, seed=2)
    capture = house.kept[0].capture
    for change, said in (
        ({"place": "caller"}, "never was in a mixer"),
        ({"redacted": ("audio",)}, "audio was replaced"),
    ):
        head = msgspec.structs.replace(capture.head, **change)
        with pytest.raises(BadInput, match=said):
            replay([Capture(capture.path, head, capture.records, capture.end)])
    other = Capture(
        capture.path, msgspec.structs.replace(capture.head, began_ns=capture.head.began_ns + 1000),
        capture.records, None,
    )  # fmt: skip
    with pytest.raises(BadInput, match="not of one server"):
        replay([capture, other])
    empty = [record for record in capture.records if not isinstance(record, Frame)]
    nothing = replay([Capture(capture.path, capture.head, empty, capture.end)])
    assert not nothing.same and str(nothing) == "nothing could be compared"
    with pytest.raises(BadInput, match="no capture"):
        (tmp_path / "x").write_bytes(b"something else")
        assert_replays(tmp_path / "x")
