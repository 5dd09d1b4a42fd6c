"""Captured calls and streams through a mixer of their own, tick by tick, on the clock of then.

What is done to the mixer is done again in its order: audio is pushed, queued, marked and cleared between the
same ticks, and every tick is given the same `now`. Slots are named as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bridge.core.events import MarkPlayed, QueueCleared
from bridge.core.mixbus import PROGRAM, CoreSettings, MixBus, TickResult
from bridge.core.ports import L16_16K, TICK_S, AudioFormat, AudioInput, PlayInput
from bridge.harness.capture_reading import Capture
from bridge.legs.capture_wire import Ack, Frame, Hole, Link, Media, Queued, Rate, Tick

OWN, MIX = "own", "mix"
PHASES = 200
"""Ticks after which the playout buffers' windows repeat."""

Verb = Callable[["Seat"], None]


@dataclass(slots=True)
class Step:
    """One tick of one capture: what was done before it, and what came of it."""

    number: int
    now: float
    verbs: list[Verb]
    frames: dict[str, bytes] = field(default_factory=dict)
    """By row; an empty one is silence."""
    acks: list[str | None] = field(default_factory=list)
    holed: bool = False
    """Something is missing before it."""
    rate_hz: int = 0
    """Of the room, where it was looked at."""


def steps_of(capture: Capture) -> Iterator[Step]:
    """A capture's ticks, in their order."""
    head = capture.head
    verbs: list[Verb] = []
    holed = False
    last_payload = b""
    step: Step | None = None
    for record in capture.records:
        match record:
            case Tick(number, at_ns):
                if step is not None:
                    yield step
                step = Step(number, (head.began_ns + at_ns) / 1e9, verbs, holed=holed)
                verbs, holed = [], False
            case Frame(row, payload) if step is not None:
                step.frames[row] = payload
            case Ack(name=name) if step is not None:
                step.acks.append(name)
            case Rate(rate_hz) if step is not None:
                step.rate_hz = rate_hz
            case Hole():
                holed = True
            case Media(side="call", at_ns=at_ns, payload=payload):
                verbs.append(_push(payload, (head.began_ns + at_ns) / 1e9))
            case Media(payload=payload):
                last_payload = payload
            case Queued(payload=None, name=None):
                verbs.append(Seat.clear)
            case Queued(payload=payload, name=None):
                verbs.append(_play(payload or last_payload))
            case Queued(name=name):
                verbs.append(_mark(name or ""))
            case Link(what="opened"):
                verbs.append(Seat.open)
            case _:
                pass
    if step is not None:
        yield step


def _push(payload: bytes, now: float) -> Verb:
    return lambda seat: seat.push(payload, now)


def _play(payload: bytes) -> Verb:
    return lambda seat: seat.play(payload)


def _mark(name: str) -> Verb:
    return lambda seat: seat.mark(name)


class Seat:
    """What one capture was kept of: its slot, its input, and what is heard there."""

    def __init__(self, mix: ReplayMix, capture: Capture) -> None:
        head = capture.head
        self._mix = mix
        self._phase = head.phase
        self._is_call = head.place == "call"
        self.format: AudioFormat = head.audio_format
        self.room = head.about.get("room", "room")
        self.slot = head.about.get("participant", head.stream_id)
        self.of = head.about.get("of", "")
        """Of a stream on one call: whose it is."""
        self.outlets: dict[int, str] = {}
        """What comes out by number → the row it is to be compared with."""
        self._live: AudioInput | None = None
        self._queue: PlayInput | None = None

    def open(self) -> None:
        """Its input, and the tap on it."""
        bus = self._mix.bus
        if self._live is not None or self._queue is not None:
            return
        self._mix.slot(self.room, self.slot)
        if self._is_call:
            self._mix.begin_in_phase(self.format, self._phase)
            self._live = bus.open_playout(self.room, self.slot, self.format)
            heard = bus.open_frame_outlet(self.room, self.slot, self.format)
            self.outlets[heard] = MIX
        else:
            self._queue = bus.open_queue(self.room, self.slot, self.format)
            self._mix.seat_of(self.room, self.slot, self.of)
        self.outlets[bus.open_frame_outlet(self.room, self.slot, self.format, solo=True)] = OWN

    def listen(self, tracks: tuple[str, ...]) -> None:
        """Hear what the stream was given, from the call it is a stream of, if that is captured too."""
        bus = self._mix.bus
        if not self.of or not self._mix.has_slot(self.room, self.of):
            return
        for track in tracks:
            outlet = bus.open_frame_outlet(self.room, self.of, self.format, solo=track == "inbound")
            self.outlets[outlet] = track

    def push(self, payload: bytes, now: float) -> None:
        """Audio came in."""
        if self._live is not None:
            self._live.push(payload, now)

    def play(self, payload: bytes) -> None:
        """Audio was queued."""
        if self._queue is not None:
            self._queue.play(payload)

    def mark(self, name: str) -> None:
        """A mark was queued."""
        if self._queue is not None:
            self._queue.mark(name)

    def clear(self) -> None:
        """The queue was cleared."""
        if self._queue is not None:
            self._queue.clear()


class ReplayMix:
    """The mixer of a replay."""

    def __init__(self, settings: CoreSettings | None = None) -> None:
        self.bus = MixBus(settings or CoreSettings())
        self._rooms: dict[str, dict[str, str]] = {}
        """Room → slot → the only slot that hears it, or nothing."""
        self._now = 0.0
        self._phased: set[AudioFormat] = set()

    def raise_rate(self, room: str, rate_hz: int) -> None:
        """Mix the room at that rate at least."""
        self._open_room(room)
        if rate_hz >= 16_000:
            self.bus.open_frame_outlet(room, PROGRAM, L16_16K)
        if rate_hz > 16_000:
            self.slot(room, "/rate")
            self.bus.open_packets(room, "/rate")

    def slot(self, room: str, slot: str) -> None:
        """Have that slot, if it is not there."""
        self._open_room(room)
        slots = self._rooms[room]
        if slot not in slots:
            self.bus.open_slot(room, slot)
            slots[slot] = ""
            for other, only in slots.items():
                if only and only != slot and other != slot:
                    self.bus.set_gain(room, slot, other, 0.0)

    def has_slot(self, room: str, slot: str) -> bool:
        """Whether it is there."""
        return slot in self._rooms.get(room, {})

    def seat_of(self, room: str, slot: str, of: str) -> None:
        """A stream on one call is heard by that call, and hears nobody as others do."""
        if not of:
            return
        slots = self._rooms[room]
        slots[slot] = of
        for other in slots:
            if other not in (slot, of):
                self.bus.set_gain(room, other, slot, 0.0)
            if other != slot:
                self.bus.set_gain(room, slot, other, 0.0)

    def begin_in_phase(self, audio_format: AudioFormat, phase: int) -> None:
        """Let the buffers of that format count ticks until they are where they were then."""
        if audio_format in self._phased:
            return
        self._phased.add(audio_format)
        self.bus.open_room("/phase")
        self.bus.open_slot("/phase", "/phase")
        waiting = self.bus.open_playout("/phase", "/phase", audio_format)
        first = self._now - (PHASES + 1) * TICK_S
        count = 0
        while waiting.phase != phase and count < PHASES:
            count += 1
            self.bus.tick(first + count * TICK_S)
        self.bus.close_room("/phase")

    def tick(self, now: float) -> TickResult:
        """One tick."""
        self._now = now
        return self.bus.tick(now)

    def about_to_tick(self, now: float) -> None:
        """What is done next is done before the tick of that time."""
        self._now = now

    def _open_room(self, room: str) -> None:
        if room not in self._rooms:
            self.bus.open_room(room)
            self._rooms[room] = {}


def acks_in(result: TickResult, room: str, slot: str) -> list[str | None]:
    """What a slot's service is told of a tick: names of marks, None for a clear."""
    told: list[str | None] = []
    for event in result.events:
        if isinstance(event, MarkPlayed | QueueCleared) and (event.room, event.slot) == (room, slot):
            told.append(event.name if isinstance(event, MarkPlayed) else None)
    return told
