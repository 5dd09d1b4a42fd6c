"""A switchboard on a real mixer and a manual clock, with legs that remember what they heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bridge.core.events import LegConnected
from bridge.core.mixbus import MixBus
from bridge.core.ports import (
    L16_16K,
    CallTrack,
    CloseReason,
    LegFactory,
    LegLook,
    LegPort,
    LegSpec,
    MixSource,
    SoloSource,
    WebRtcOffer,
)
from bridge.core.settings import CoreSettings
from bridge.dispatch import Dispatch
from bridge.errors import BadOffer
from bridge.routing import Routing
from bridge.switch_events import SwitchEvent
from bridge.switchboard import Switchboard
from mediacodecs.opus import OpusDecoder, OpusEncoder, OpusSettings
from tests.kit.tones import level_of, tone

LOUD = 8000.0


class Phone:
    """A leg with a 16 kHz input and the mix as frames; what it heard is in `heard`."""

    kind = "phone"

    def __init__(self, port: LegPort, spec: LegSpec) -> None:
        self.port = port
        self.heard: list[np.ndarray] = []
        self.texts: list[str] = []
        self.closed: CloseReason | None = None

    async def start(self) -> str | None:
        self.input = self.port.open_audio_input("primary", L16_16K)
        self.port.open_frame_output("mix", MixSource(), L16_16K, self)
        self.port.emit(LegConnected())
        return None

    async def renegotiate(self, spec: LegSpec) -> str | None:
        return None

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        self.heard.append(np.frombuffer(frame, "<i2"))

    def press(self, track: str, digit: str) -> None:
        raise AssertionError("nobody streams this leg's tracks")

    def send(self, text: str) -> None:
        self.texts.append(text)

    async def close(self, reason: CloseReason) -> None:
        self.closed = self.closed or reason

    def look(self) -> LegLook:
        return LegLook(self.kind, "connected")


class Browser(Phone):
    """A leg with packets both ways; the offer says what it wants to hear, by label."""

    kind = "browser"

    def __init__(self, port: LegPort, spec: LegSpec) -> None:
        super().__init__(port, spec)
        assert isinstance(spec, WebRtcOffer)
        self._offer = spec.sdp
        self._decoder = OpusDecoder(48_000)
        self.advances: list[int] = []
        self.packets: list[bytes] = []

    async def start(self) -> str | None:
        if self._offer == "bad":
            raise BadOffer("not SDP")
        self.input = self.port.open_packet_input("primary")
        self._subscribe()
        self.port.emit(LegConnected())
        return "answer"

    async def renegotiate(self, spec: LegSpec) -> str | None:
        if isinstance(spec, WebRtcOffer) and spec.sdp.startswith("same"):
            self._offer = spec.sdp
            self._subscribe()
            return "again"
        return None

    def _subscribe(self) -> None:
        who = self._offer.rpartition(":")[2] if ":" in self._offer else ""
        self.port.open_packet_output("5", SoloSource(who) if who else MixSource(), self)

    def send_packet(self, payload: bytes, advance: int) -> None:
        pcm = np.zeros(960, np.int16)
        self._decoder.decode_into(payload, pcm)
        self.heard.append(pcm)
        self.advances.append(advance)
        self.packets.append(payload)


class Studio:
    """A switchboard on a real mixer, a manual clock, and everything that happened."""

    def __init__(
        self,
        max_legs: int = 100,
        phone: type[Phone] = Phone,
        factories: Mapping[type, LegFactory] | None = None,
    ) -> None:
        self.bus = MixBus(CoreSettings())
        self.dispatch = Dispatch()
        self.legs: dict[str, Phone] = {}
        self.events: list[SwitchEvent] = []
        self.now = 100.0
        self.board = Switchboard(
            self.bus,
            self.dispatch,
            {CallTrack: self.factory(phone), WebRtcOffer: self.factory(Browser), **(factories or {})},
            max_legs=max_legs,
        )
        self.board.subscribe(self.events.append)
        self.board.open_room("room")

    def factory(self, kind: type[Phone]) -> Callable[[LegPort, LegSpec], Phone]:
        def make(port: LegPort, spec: LegSpec) -> Phone:
            leg = kind(port, spec)
            self.legs[port.participant_id] = leg
            return leg

        return make

    async def phone(self, name: str, routing: Routing | None = None) -> Phone:
        await self.board.connect("room", name, CallTrack(None, "inbound"), routing or Routing())  # type: ignore[arg-type]
        return self.legs[name]

    async def browser(self, name: str, offer: str = "new", routing: Routing | None = None) -> Browser:
        await self.board.connect("room", name, WebRtcOffer(offer), routing or Routing())
        leg = self.legs[name]
        assert isinstance(leg, Browser)
        return leg

    def run(self, ticks: int, say: dict[str, Callable[[int], None]] | None = None) -> None:
        for n in range(ticks):
            for speak in (say or {}).values():
                speak(n)
            self.now += 0.02
            result = self.bus.tick(self.now)
            self.dispatch.deliver_frames(result, False)
            for event in result.events:
                self.board.core_event(event)
            for job in result.encodes:
                self.dispatch.deliver_packets(job.outlets, job.run(), self.now)

    def voice(self, leg: Phone, frequency_hz: int) -> Callable[[int], None]:
        """Speaks a tone into a leg's input, 20 ms a call."""
        if isinstance(leg, Browser):
            sound = tone(frequency_hz, 10, 48_000, LOUD).astype(np.int16)
            encoder = OpusEncoder(48_000, OpusSettings(bitrate=64_000))

            def packet(n: int) -> None:
                payload = encoder.encode(np.ascontiguousarray(sound[960 * n : 960 * (n + 1)]))
                leg.input.push(payload, n & 0xFFFF, 960 * n, self.now)

            return packet
        spoken = tone(frequency_hz, 10, 16_000, LOUD).astype("<i2")

        def frame(n: int) -> None:
            leg.input.push(spoken[320 * n : 320 * (n + 1)].tobytes(), self.now)

        return frame


def heard(leg: Phone, frequency_hz: int) -> float:
    rate = 48_000 if isinstance(leg, Browser) else 16_000
    return level_of(np.concatenate(leg.heard[-25:]).astype(np.float32), rate, frequency_hz)
