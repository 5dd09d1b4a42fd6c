"""From outlets to sinks: who gets which frame or packet of a tick."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from bridge.core.mixbus import TickResult
from bridge.core.ports import OPUS, OPUS_RATE_HZ, PTIME_MS, FrameSink, PacketSink

log = logging.getLogger(__name__)

FRAME_ADVANCE = OPUS.frame_samples
_ENCODER = -1
"""In place of a relayed packet's timestamp: the last packet came from an encoder."""


class PacketTrunk:
    """One sender's way out, whatever its source is switched to: keeps its RTP time running straight.

    Fed by exactly one source at a time, an encoder (20 ms at a time) or relayed packets.
    """

    __slots__ = ("_last_at", "_last_timestamp", "dropped", "sink")

    def __init__(self, sink: PacketSink) -> None:
        self.sink = sink
        self.dropped = 0
        self._last_at: float | None = None
        self._last_timestamp: int | None = None

    def switch(self) -> None:
        """The next packet comes from another source: its time is taken from the clock."""
        self._last_timestamp = None

    def send_encoded(self, payload: bytes, now: float) -> None:
        """The next 20 ms of an encoder."""
        continuous = self._last_timestamp == _ENCODER
        advance = FRAME_ADVANCE if continuous else self._elapsed(now)
        self._last_timestamp = _ENCODER
        self._last_at = now
        self.sink.send_packet(payload, advance)

    def relay(self, payload: bytes, timestamp: int, now: float) -> None:
        """A packet of another participant, with its source's RTP timestamp; late ones are dropped."""
        last = self._last_timestamp
        if last is None or last == _ENCODER:
            advance = self._elapsed(now)
        else:
            advance = (timestamp - last) & 0xFFFFFFFF
            if advance == 0 or advance >= 0x80000000:
                self.dropped += 1
                return
            if advance > 60 * OPUS_RATE_HZ:  # the source began anew
                advance = self._elapsed(now)
        self._last_timestamp = timestamp
        self._last_at = now
        self.sink.send_packet(payload, advance)

    def _elapsed(self, now: float) -> int:
        if self._last_at is None:
            return FRAME_ADVANCE
        frames = round((now - self._last_at) * 1000 / PTIME_MS)
        return FRAME_ADVANCE * max(1, frames)


class Dispatch:
    """Outlet number → sink. A sink that raises is disconnected and reported, nobody else notices."""

    def __init__(self) -> None:
        self._frames: dict[int, FrameSink] = {}
        self._packets: dict[int, PacketTrunk] = {}
        self.frames_out = 0
        self.packets_out = 0
        self.broken = 0

    def attach_frames(self, outlet: int, sink: FrameSink) -> None:
        """Give `sink` the frames of `outlet`."""
        self._frames[outlet] = sink

    def attach_packets(self, outlet: int, trunk: PacketTrunk) -> None:
        """Give `trunk` the packets of `outlet`."""
        trunk.switch()
        self._packets[outlet] = trunk

    def detach(self, outlet: int) -> None:
        """Nothing more for whoever had `outlet`."""
        self._frames.pop(outlet, None)
        self._packets.pop(outlet, None)

    def deliver_frames(self, result: TickResult, late: bool) -> None:
        """Hand out a tick's raw frames; `late`: another tick follows at once."""
        sinks = self._frames
        for batch in result.frames:
            for outlet, payload, silent in zip(batch.outlets, batch.payloads, batch.silent, strict=True):
                sink = sinks.get(outlet)
                if sink is None:
                    continue
                try:
                    sink.send_frame(payload, silent, late)
                except Exception:
                    self._break(outlet)
                else:
                    self.frames_out += 1

    def deliver_packets(self, outlets: Sequence[int], packets: list[bytes], now: float) -> None:
        """Hand out what an encoder made."""
        trunks = self._packets
        for outlet in outlets:
            trunk = trunks.get(outlet)
            if trunk is None:
                continue
            try:
                for payload in packets:
                    trunk.send_encoded(payload, now)
            except Exception:
                self._break(outlet)
            else:
                self.packets_out += len(packets)

    def _break(self, outlet: int) -> None:
        self.broken += 1
        self.detach(outlet)
        log.exception("x a sink failed and gets nothing more")
