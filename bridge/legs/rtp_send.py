"""Outgoing RTP: one stream's numbering and time, kept straight for as long as its section lives."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from time import monotonic

from bridge.core.ports import OPUS_RATE_HZ
from bridge.legs.rtp_wire import HEADER, SenderReport, extension_block

_TICK_SAMPLES = OPUS_RATE_HZ // 50
_TALK_SPURT_SAMPLES = 6 * _TICK_SAMPLES


class PacketSender:
    """The `PacketSink` of one section. Its SSRC, sequence numbers and timestamps outlive any source.

    `send(packet)` protects and sends, False when there is no way out; it must not raise. `clock` gives s.
    """

    __slots__ = (
        "_clock",
        "_extension",
        "_flags",
        "_payload_type",
        "_send",
        "_sequence_number",
        "_timestamp",
        "active",
        "dropped",
        "octets",
        "packets",
        "sent_at",
        "ssrc",
    )

    def __init__(self, send: Callable[[bytes], bool], clock: Callable[[], float] = monotonic) -> None:
        self.ssrc = secrets.randbelow(0xFFFFFFFE) + 1
        self.active = False
        """False: what comes is dropped."""
        self.packets = 0
        self.octets = 0
        self.dropped = 0
        self.sent_at: float | None = None
        self._send = send
        self._clock = clock
        # In the lower half: a receiver that misses the first packets then cannot misjudge the roll-over
        # counter of SRTP (RFC 3711 §3.3.1).
        self._sequence_number = secrets.randbelow(0x8000)
        self._timestamp = secrets.randbits(32)
        self._payload_type = 0
        self._flags, self._extension = 0x80, b""

    def begin(self, payload_type: int, mid: str, mid_extension: int | None) -> None:
        """Send from now on, as negotiated. After a pause the timestamp catches up with the clock."""
        self._payload_type = payload_type
        self._flags, self._extension = 0x80, b""
        if mid_extension is not None and 0 < len(mid.encode()) <= 16:
            self._flags, self._extension = 0x90, extension_block(mid_extension, mid.encode())
        if not self.active and self.sent_at is not None:
            ticks = round((self._clock() - self.sent_at) * 50)
            self._timestamp = (self._timestamp + max(0, ticks - 1) * _TICK_SAMPLES) & 0xFFFFFFFF
        self.active = True

    def end(self) -> None:
        """Send nothing until `begin`."""
        self.active = False

    def send_packet(self, payload: bytes, advance: int) -> None:
        """One Opus packet, `advance` samples of 48 kHz after the one before it."""
        if not self.active:
            self.dropped += 1
            return
        self._timestamp = timestamp = (self._timestamp + advance) & 0xFFFFFFFF
        # The marker tells the first packet after a silence (RFC 7587 §4.1).
        kind = self._payload_type
        if advance >= _TALK_SPURT_SAMPLES or not self.packets:
            kind |= 0x80
        header = HEADER.pack(self._flags, kind, self._sequence_number, timestamp, self.ssrc)
        if not self._send(header + self._extension + payload):
            self.dropped += 1
            return
        self._sequence_number = (self._sequence_number + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        self.sent_at = self._clock()

    def report(self, ntp: int, now: float) -> SenderReport | None:
        """What to tell about it at the moment `ntp`; None before the first packet."""
        if self.sent_at is None:
            return None
        timestamp = self._timestamp + round((now - self.sent_at) * OPUS_RATE_HZ)
        return SenderReport(self.ssrc, ntp, timestamp & 0xFFFFFFFF, self.packets, self.octets)
