"""What legs tell a capture, which is opened when a leg is started and ended with it.

Everything is called on the loop's thread; `CaptureSink` neither blocks nor raises. What is put between a leg
and the mixer for it is in `capture_seams`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from bridge.core.ports import (
    CallStart,
    CaptureOrder,
    LegPort,
)
from bridge.legs.capture_wire import (
    VERSION,
    Ack,
    Facts,
    Frame,
    Head,
    Key,
    Link,
    Media,
    Message,
    Place,
    Queued,
    Rate,
    Record,
    Side,
    Tick,
)
from bridge.legs.plivo_play_wire import PlayAudio, read_from_service
from bridge.legs.plivo_wire import WireError

LOOK_EVERY = 50
"""Ticks between two looks at the room's rate."""


class CaptureSink(Protocol):
    """Where the records of one capture go."""

    def put(self, record: Record) -> None: ...

    def end(self, at_ns: int, reason: str, detail: str, facts: Facts) -> None:
        """Nothing follows."""


class Ticks(Protocol):
    """The tick that is being delivered, or was last."""

    @property
    def number(self) -> int: ...

    @property
    def now(self) -> float:
        """As the mixer was told."""


@dataclass(frozen=True, slots=True)
class Capturing:
    """What captures are made with."""

    open: Callable[[CaptureOrder, Head], CaptureSink | None]
    """None when it cannot be written now."""
    ticks: Ticks
    room_rate_hz: Callable[[str], int]
    """0 when it is not known."""
    now: Callable[[], float] = time.monotonic
    """The clock that the ticks go by."""
    wall: Callable[[], float] = time.time

    def begin(
        self,
        order: CaptureOrder | None,
        place: Place,
        call: CallStart,
        port: LegPort,
        *,
        phase: int = 0,
        track: str | None = None,
        of: str = "",
    ) -> LegCapture | None:
        """None where none was asked for, or none can be had.

        `call`'s headers may be secret and are left out. `track`: the only one of the call's that is captured;
        `of`: the participant that a stream is a stream of.
        """
        if order is None:
            return None
        now = self.now()
        about = {"room": port.room_id, "participant": port.participant_id, "by": "mediabridge"}
        if of:
            about["of"] = of
        head = Head(
            VERSION,
            place,
            call.stream_id,
            call.call_id,
            call.audio_format.encoding.value,
            call.audio_format.rate_hz,
            call.tracks if track is None else (track,),
            round(self.wall() * 1000),
            round(now * 1e9),
            about=about,
            phase=phase,
        )
        sink = self.open(order, head)
        return None if sink is None else LegCapture(sink, head, self, lambda: self.room_rate_hz(port.room_id))


class LegCapture:
    """One leg's."""

    def __init__(
        self, sink: CaptureSink, head: Head, capturing: Capturing, room_rate_hz: Callable[[], int]
    ) -> None:
        self._sink = sink
        self._began_ns = head.began_ns
        self._ticks = capturing.ticks
        self._clock = capturing.now
        self._room_rate_hz = room_rate_hz
        self._number = 0
        self._look_in = 1
        self._rate_hz = 0
        self._last_payload = b""
        self._ended = False

    # --- what happens ---

    def frame(self, row: str, payload: bytes, silent: bool, fate: int = 0) -> None:
        """20 ms of this tick."""
        if self._ticks.number > self._number:
            self._begin_tick()
        self._sink.put(Frame(row, b"" if silent else payload, fate))

    def media(self, side: Side, track: str, payload: bytes, now: float) -> None:
        """Audio came from the far side."""
        self._sink.put(Media(self._ns(now), side, track, payload))

    def service_said(self, message: bytes, is_text: bool) -> None:
        """A message of the service, understood or not."""
        at_ns = self._ns(self._clock())
        try:
            said = read_from_service(message)
        except WireError:
            said = None
        if isinstance(said, PlayAudio):
            media = said.media
            self._last_payload = media.payload
            self._sink.put(
                Media(
                    at_ns, "service", "", media.payload, media.content_type, media.sample_rate,
                    len(message), is_text,
                )
            )  # fmt: skip
        else:
            self._sink.put(Message(at_ns, message, is_text))

    def own_message(self, message: bytes) -> None:
        """The bridge, being the service, said something that is no audio."""
        self._sink.put(Message(self._ns(self._clock()), message))

    def key(self, track: str, digit: str) -> None:
        """The caller pressed a key."""
        self._sink.put(Key(self._ns(self._clock()), track, digit))

    def ack(self, name: str | None) -> None:
        """`playedStream`, or with None `clearedAudio`."""
        self._sink.put(Ack(self._ns(self._clock()), name))

    def link(self, what: Literal["opened", "lost", "resumed", "emptied"]) -> None:
        """The connection."""
        self._sink.put(Link(self._ns(self._clock()), what))

    def queued(self, payload: bytes | None = None, name: str | None = None) -> None:
        """Something went into the play queue."""
        if payload and payload == self._last_payload:
            payload = b""
        self._sink.put(Queued(self._ns(self._clock()), payload, name))

    def end(self, reason: str, detail: str = "", facts: Facts | None = None) -> None:
        """The leg is over; may be called again."""
        if not self._ended:
            self._ended = True
            self._sink.end(self._ns(self._clock()), reason, detail, facts or {})

    # --- inside ---

    def _begin_tick(self) -> None:
        ticks = self._ticks
        self._number = ticks.number
        self._sink.put(Tick(ticks.number, self._ns(ticks.now)))
        self._look_in -= 1
        if not self._look_in:
            self._look_in = LOOK_EVERY
            rate_hz = self._room_rate_hz()
            if rate_hz and rate_hz != self._rate_hz:
                self._rate_hz = rate_hz
                self._sink.put(Rate(rate_hz))

    def _ns(self, now: float) -> int:
        return round(now * 1e9) - self._began_ns
