"""RTCP of one peer: what we report every second, and what its reports tell (RFC 3550 §6)."""

from __future__ import annotations

from collections.abc import Collection

from bridge.legs.rtp_receive import Receiver
from bridge.legs.rtp_send import PacketSender
from bridge.legs.rtp_wire import (
    MAX_BLOCKS,
    ReportBlock,
    SenderReport,
    goodbye,
    middle_32,
    ntp_time,
    read_rtcp,
    receiver_report,
    sender_report,
    source_description,
)

RECEIVER_SSRC = 1
"""Under which a leg reports that sends nothing itself."""
_ALPHA = 0.25


class Reports:
    """Times: `now` is monotonic, `wall` Unix time, both in seconds."""

    def __init__(self, receiver: Receiver, cname: str) -> None:
        self._receiver = receiver
        self._cname = cname
        self._far_loss: dict[int, float] = {}
        self.round_trip_s: float | None = None
        """Smoothed; None until a peer has echoed a report of ours."""
        self.sent = 0
        self.received = 0

    @property
    def far_loss(self) -> float:
        """Share of our packets lost on the way to the peer: the worst stream's, 0…1."""
        return max(self._far_loss.values(), default=0.0)

    def due(self, senders: Collection[PacketSender], now: float, wall: float) -> list[bytes]:
        """What to send now: one compound packet for each active sender, or one without any."""
        ntp = ntp_time(wall)
        reports = [
            report for sender in senders if sender.active and (report := sender.report(ntp, now)) is not None
        ]
        blocks = self._receiver.reports(now)[:MAX_BLOCKS]
        compounds = []
        for report in reports:
            compounds.append(sender_report(report, blocks) + source_description(report.ssrc, self._cname))
            blocks = []
        if blocks:
            ssrc = next((sender.ssrc for sender in senders), RECEIVER_SSRC)
            compounds.append(receiver_report(ssrc, blocks) + source_description(ssrc, self._cname))
        self.sent += len(compounds)
        return compounds

    def last(self, senders: Collection[PacketSender]) -> bytes | None:
        """The goodbye of everything we sent; None when there was nothing."""
        ssrcs = [sender.ssrc for sender in senders if sender.packets][:MAX_BLOCKS]
        if not ssrcs:
            return None
        return receiver_report(ssrcs[0], []) + source_description(ssrcs[0], self._cname) + goodbye(ssrcs)

    def receive(self, compound: bytes, senders: Collection[PacketSender], now: float, wall: float) -> None:
        """One decrypted RTCP packet; whatever it holds, nothing is raised."""
        self.received += 1
        for item in read_rtcp(compound):
            if isinstance(item, SenderReport):
                self._receiver.sender_report(item.ssrc, item.ntp, now)
            elif isinstance(item, ReportBlock) and any(sender.ssrc == item.ssrc for sender in senders):
                before = self._far_loss.get(item.ssrc, 0.0)
                self._far_loss[item.ssrc] = before + _ALPHA * (item.fraction_lost / 256 - before)
                if item.last_report:
                    self._round_trip(item, wall)

    def _round_trip(self, block: ReportBlock, wall: float) -> None:
        elapsed = (middle_32(ntp_time(wall)) - block.last_report - block.delay) & 0xFFFFFFFF
        if elapsed >= 0x80000000:  # the clocks' grain can make it fall below nothing
            elapsed = 0
        seconds = elapsed / 65536
        if seconds > 60:  # an echo of nothing we sent
            return
        if self.round_trip_s is None:
            self.round_trip_s = seconds
        else:
            self.round_trip_s += _ALPHA * (seconds - self.round_trip_s)
