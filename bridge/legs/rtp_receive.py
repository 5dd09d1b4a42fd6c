"""Incoming RTP: whose packet it is, how its stream arrives, and on into the input."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bridge.core.ports import OPUS_RATE_HZ
from bridge.legs.rtp_wire import HEADER, ReportBlock, find_extension

Push = Callable[[bytes, int, int, float], None]
"""`PacketInput.push`: payload, sequence number, timestamp, now."""

MAX_STREAMS = 16
"""SSRCs remembered of one peer; a new one pushes out the one that has been silent longest."""
_MAX_DROPOUT, _MAX_MISORDER = 3000, 100  # RFC 3550 §A.1
_QUIET_S = 10.0


@dataclass(frozen=True, slots=True)
class Expected:
    """A section in which the peer sends."""

    mid: str
    payload_type: int
    ssrcs: tuple[int, ...]
    mid_extension: int | None
    push: Push


class ReceivedStream:
    """Reception statistics of one SSRC (RFC 3550 §6.4.1, §A.3, §A.8), and where its packets go."""

    __slots__ = (
        "_arrived",
        "_bad",
        "_base",
        "_cycles",
        "_expected_before",
        "_highest",
        "_received_before",
        "_timestamp",
        "heard_at",
        "jitter",
        "loss",
        "payload_type",
        "push",
        "received",
        "report_at",
        "report_ntp",
    )

    def __init__(self, payload_type: int, push: Push | None) -> None:
        self.payload_type = payload_type
        self.push = push
        self.received = 0
        self.jitter = 0.0
        """In timestamp units."""
        self.loss = 0.0
        """Share lost lately, 0…1, smoothed over a few reports."""
        self.heard_at = -math.inf
        self.report_ntp = 0
        self.report_at = 0.0
        self._base = self._highest = self._cycles = 0
        self._bad = -1
        self._arrived = 0.0
        self._timestamp = 0
        self._expected_before = self._received_before = 0

    def count(self, sequence_number: int, timestamp: int, now: float) -> None:
        """One packet arrived."""
        if self.received == 0:
            self._begin(sequence_number)
        step = (sequence_number - self._highest) & 0xFFFF
        if step < _MAX_DROPOUT:
            if sequence_number < self._highest:
                self._cycles += 1 << 16
            self._highest = sequence_number
        elif step <= 0x10000 - _MAX_MISORDER:
            # Two in a row far from the others: the sender began anew.
            if sequence_number != self._bad:
                self._bad = (sequence_number + 1) & 0xFFFF
                return
            self._begin(sequence_number)
        if self.received:
            elapsed = (timestamp - self._timestamp) & 0xFFFFFFFF
            if elapsed >= 0x80000000:
                elapsed -= 0x100000000
            late = abs((now - self._arrived) * OPUS_RATE_HZ - elapsed)
            if late < OPUS_RATE_HZ:  # a jump of the timestamp is not jitter
                self.jitter += (late - self.jitter) / 16
        self.received += 1
        self._arrived = self.heard_at = now
        self._timestamp = timestamp

    @property
    def expected(self) -> int:
        """Packets sent to us, as the sequence numbers tell."""
        return self._cycles + self._highest - self._base + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """Packets that never came; negative when some came twice."""
        return self.expected - self.received

    def report(self, ssrc: int, now: float) -> ReportBlock:
        """The block for the next report. Begins a new interval for the fraction lost."""
        expected, received = self.expected - self._expected_before, self.received - self._received_before
        self._expected_before, self._received_before = self.expected, self.received
        missing = max(0, expected - received)
        fraction = min(255, (missing << 8) // expected) if expected > 0 else 0
        self.loss += 0.25 * (fraction / 256 - self.loss)
        return ReportBlock(
            ssrc=ssrc,
            fraction_lost=fraction,
            lost=self.lost,
            highest=self._cycles + self._highest,
            jitter=int(self.jitter),
            last_report=self.report_ntp,
            delay=int((now - self.report_at) * 65536) if self.report_ntp else 0,
        )

    def _begin(self, sequence_number: int) -> None:
        self._base = self._highest = sequence_number
        self._cycles = self.received = self._expected_before = self._received_before = 0
        self._bad = -1


class Receiver:
    """All RTP of one peer. `receive` is the hot path: once for every packet."""

    def __init__(self) -> None:
        self.streams: dict[int, ReceivedStream] = {}
        self._expected: tuple[Expected, ...] = ()
        self.packets = 0
        self.unwanted = 0
        """Packets of no section, or of another codec."""

    def expect(self, sections: Iterable[Expected]) -> None:
        """From now on the peer sends in these sections only; streams known already are kept."""
        self._expected = tuple(sections)
        for stream in self.streams.values():
            stream.push = None
        for section in self._expected:
            for ssrc in section.ssrcs[:2]:
                self._assign(ssrc, section)

    def receive(self, packet: bytes, now: float) -> None:
        """One decrypted RTP packet. Raises struct.error or IndexError on one that is cut short."""
        flags, kind, sequence_number, timestamp, ssrc = HEADER.unpack_from(packet)
        stream = self.streams.get(ssrc)
        if stream is None or stream.push is None:
            stream = self._find(packet, ssrc, kind & 0x7F)
            if stream is None or stream.push is None:
                self.unwanted += 1
                return
        if kind & 0x7F != stream.payload_type:
            self.unwanted += 1
            return
        start = 12
        if flags & 0x1F:
            start += 4 * (flags & 0x0F)
            if flags & 0x10:
                start += 4 + 4 * (packet[start + 2] << 8 | packet[start + 3])
        end = len(packet) - packet[-1] if flags & 0x20 else len(packet)
        self.packets += 1
        stream.count(sequence_number, timestamp, now)
        if start < end:  # else padding only: a probe
            stream.push(packet[start:end], sequence_number, timestamp, now)

    def sender_report(self, ssrc: int, ntp: int, now: float) -> None:
        """A stream said what time it is there: echoed in the next report."""
        stream = self.streams.get(ssrc)
        if stream is not None:
            stream.report_ntp, stream.report_at = (ntp >> 16) & 0xFFFFFFFF, now

    def reports(self, now: float) -> list[ReportBlock]:
        """One block for each stream heard lately."""
        return [
            stream.report(ssrc, now)
            for ssrc, stream in self.streams.items()
            if now - stream.heard_at < _QUIET_S
        ]

    def live(self, now: float) -> Mapping[int, ReceivedStream]:
        """The streams heard lately."""
        return {ssrc: one for ssrc, one in self.streams.items() if now - one.heard_at < _QUIET_S}

    def _assign(self, ssrc: int, section: Expected) -> ReceivedStream:
        stream = self.streams.get(ssrc)
        if stream is None:
            if len(self.streams) >= MAX_STREAMS:
                del self.streams[min(self.streams, key=lambda one: self.streams[one].heard_at)]
            stream = self.streams[ssrc] = ReceivedStream(section.payload_type, section.push)
        stream.payload_type, stream.push = section.payload_type, section.push
        return stream

    def _find(self, packet: bytes, ssrc: int, payload_type: int) -> ReceivedStream | None:
        """Whose an unknown SSRC is: by mid, else by payload type where one section has it (RFC 8843 §9.2)."""
        possible = [section for section in self._expected if section.payload_type == payload_type]
        for section in possible:
            if section.mid_extension is None:
                continue
            mid = find_extension(packet, section.mid_extension)
            if mid is not None:
                if mid.decode("utf-8", "replace") == section.mid:
                    return self._assign(ssrc, section)
                if all(mid != other.mid.encode() for other in possible):
                    return None
        return self._assign(ssrc, possible[0]) if len(possible) == 1 else None
