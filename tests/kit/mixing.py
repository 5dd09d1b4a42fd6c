"""A mixer on a manual clock, with everything that comes out of it kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from bridge.core.events import CoreEvent
from bridge.core.mixbus import CoreSettings, MixBus
from bridge.core.ports import L16_8K, AudioFormat, Encoding, PlayInput
from mediacodecs.g711 import ulaw_decode, ulaw_encode
from mediacodecs.opus import OpusDecoder
from tests.kit.clock import ManualClock


class Desk:
    """`run` ticks; what outlets gave is in `frames`, `silent` and `packets`, by their numbers."""

    def __init__(self, settings: CoreSettings | None = None, room: str = "room") -> None:
        self.bus = MixBus(settings or CoreSettings())
        self.clock = ManualClock()
        self.room = room
        self.bus.open_room(room)
        self.frames: dict[int, list[bytes]] = defaultdict(list)
        self.silent: dict[int, list[bool]] = defaultdict(list)
        self.packets: dict[int, list[bytes]] = defaultdict(list)
        self.events: list[CoreEvent] = []
        self.encodes: list[int] = []
        """Encoders at work in each tick."""
        self.before_tick: Callable[[], None] = lambda: None
        self._formats: dict[int, AudioFormat] = {}

    def seat(
        self, slot: str, audio_format: AudioFormat = L16_8K, silent_for: Collection[str] = ()
    ) -> PlayInput:
        """Open a slot with a play queue."""
        self.bus.open_slot(self.room, slot, silent_for)
        return self.bus.open_queue(self.room, slot, audio_format)

    def listen(self, slot: str, audio_format: AudioFormat = L16_8K, *, solo: bool = False) -> int:
        """Open a raw outlet."""
        outlet = self.bus.open_frame_outlet(self.room, slot, audio_format, solo=solo)
        self._formats[outlet] = audio_format
        return outlet

    def receive(self, slot: str, *, solo: bool = False) -> int:
        """Open a packet outlet."""
        return self.bus.open_packet_outlet(self.room, slot, solo=solo)

    def run(self, ticks: int) -> None:
        for now in self.clock.ticks(ticks):
            self.before_tick()
            result = self.bus.tick(now)
            for batch in result.frames:
                for outlet, payload, silent in zip(batch.outlets, batch.payloads, batch.silent, strict=True):
                    self.frames[outlet].append(payload)
                    self.silent[outlet].append(silent)
            self.encodes.append(sum(job.encoder is not None for job in result.encodes))
            for job in result.encodes:
                for packet in job.run():
                    for outlet in job.outlets:
                        self.packets[outlet].append(packet)
            self.events += result.events

    def heard(self, outlet: int) -> NDArray[np.int16]:
        """All samples of a raw outlet so far."""
        payload = b"".join(self.frames[outlet])
        if self._formats[outlet].encoding is Encoding.ULAW:
            return ulaw_decode(np.frombuffer(payload, np.uint8)).astype(np.int16)
        return np.frombuffer(payload, np.int16)

    def decoded(self, outlet: int, rate_hz: int = 48_000) -> NDArray[np.int16]:
        """All samples of a packet outlet so far, as a client would hear them."""
        decoder = OpusDecoder(rate_hz)
        frame = np.zeros(rate_hz // 50, dtype=np.int16)
        sound = []
        for packet in self.packets[outlet]:
            assert decoder.decode_into(packet, frame) == len(frame)
            sound.append(frame.copy())
        return np.concatenate(sound) if sound else np.zeros(0, dtype=np.int16)


def wire(sound: NDArray[np.float32], audio_format: AudioFormat = L16_8K) -> bytes:
    """Wire bytes of float samples."""
    samples = np.rint(sound).astype(np.int16)
    return ulaw_encode(samples).tobytes() if audio_format.encoding is Encoding.ULAW else samples.tobytes()
