"""What the seams rely on inside aiortc and aioice: fails when a new version of them changes it."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import socket
import threading

import pytest
from aiortc import rtp as independent
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtcrtpsender import RTCRtpSender

from bridge.core.events import LegClosed
from bridge.legs.aiortc_seams import MAX_WAITING_DATAGRAMS, MediaTransport
from bridge.legs.rtp_wire import HEADER
from bridge.legs.webrtc_settings import IceServer
from bridge.runtime.loop import Loop
from tests.kit.browser_peer import Tone
from tests.kit.opus_sound import decoded, play, tone_packets
from tests.kit.peer_on_leg import PeerOnLeg
from tests.kit.tones import find_tones

pytestmark = pytest.mark.e2e


def peers_sender(pair: PeerOnLeg) -> RTCRtpSender:
    return pair.peer.pc.getSenders()[0]


def peers_receiver(pair: PeerOnLeg) -> RTCRtpReceiver:
    return pair.peer.pc.getReceivers()[0]


async def report_of(pair: PeerOnLeg, kind: str) -> object:
    """The first statistics of that kind at the peer; they come with the next RTCP report."""
    async with asyncio.timeout(5):
        while True:
            for report in (await pair.peer.pc.getStats()).values():
                if report.type == kind:
                    return report
            await asyncio.sleep(0.1)  # aiortc tells nobody when a report has come


def test_versions_are_those_the_seams_were_written_for() -> None:
    assert importlib.metadata.version("aiortc").startswith("1.16.")
    assert importlib.metadata.version("aioice").startswith("0.13.")


async def test_receiver_reports_go_out_with_loss_and_jitter() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440), "sendonly")
        await pair.connected()
        sender, count, dropped = peers_sender(pair), 0, 0
        send = sender.transport._send_rtp

        async def lossy(data: bytes) -> None:
            nonlocal count, dropped
            if not independent.is_rtcp(data):
                count += 1
                if count % 5 == 0:
                    dropped += 1
                    return
            await send(data)

        sender.transport._send_rtp = lossy
        await pair.port.inputs["primary"].next(60)
        report = await report_of(pair, "remote-inbound-rtp")
        assert 0 < report.packetsLost <= dropped
        assert report.fractionLost > 0
        assert 0 <= report.jitter < 4800
        (stream,) = pair.leg.media.receiver.streams.values()
        assert stream.lost == pytest.approx(dropped, abs=1)


async def test_sender_reports_go_out_with_the_right_counts() -> None:
    async with PeerOnLeg() as pair:
        mid = await pair.peer.join_plain(None, "recvonly")
        await pair.connected()
        packets = tone_packets(440, 3.0)
        await play(pair.port.outputs[mid][1], packets)
        remote = await report_of(pair, "remote-outbound-rtp")
        (sender,) = pair.leg.media.senders
        assert remote.ssrc == sender.ssrc
        assert 0 < remote.packetsSent <= sender.packets == 150
        mean = sum(map(len, packets)) / len(packets)
        assert remote.bytesSent == pytest.approx(remote.packetsSent * mean, rel=0.1)
        received = await report_of(pair, "inbound-rtp")
        assert (received.packetsReceived, received.packetsLost) == (150, 0)


async def test_no_thread_is_started_for_a_peer_that_sends() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440), "sendonly")
        packets = await pair.port.inputs["primary"].next(50)
        names = [thread.name for thread in threading.enumerate()]
        assert len(packets) == 50
        assert not [name for name in names if "decoder" in name]


async def test_garbage_from_anywhere_does_not_close_the_transport(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440), "sendonly")
        await pair.connected()
        candidate = next(one for one in pair.leg.transport.local.candidates if one.address == "127.0.0.1")
        pair_in_use = pair.leg.transport._nominated[1]
        where = [("127.0.0.1", candidate.port), pair_in_use.local_addr]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for address in where:
                for first in (0, 1, 3, 20, 22, 63, 64, 127, 128, 144, 191, 192, 255):
                    for length in (0, 1, 2, 11, 12, 19, 20, 40, 200, 1400):
                        datagram = bytes((first,)) + os.urandom(length) if length else b""
                        stranger.sendto(datagram, address)
                # STUN with a broken attribute: aioice raises struct.error on it.
                broken = b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x00\x24\x00\x03abc\x00"
                stranger.sendto(broken, address)
                # Well-formed RTP and RTCP that nobody has protected.
                stranger.sendto(HEADER.pack(0x80, 111, 1, 2, 3) + b"payload", address)
                stranger.sendto(bytes(independent.RtcpByePacket(sources=[1])), address)
        packets = await pair.port.inputs["primary"].next(40)
        assert list(find_tones(decoded(one[0] for one in packets)[9600:], 48_000)) == [440]
        assert pair.leg.state == "connected"
        assert pair.leg.transport.unreadable > 20
        assert not [event for event in pair.port.events if isinstance(event, LegClosed)]


async def test_garbage_inside_the_protected_stream_is_counted() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440), "sendonly")
        await pair.connected()
        dtls = peers_sender(pair).transport
        before = pair.leg.transport.unreadable
        for packet in (
            HEADER.pack(0x80, 5, 1, 2, 3),
            HEADER.pack(0x80, 111, 1, 2, 12345),
            HEADER.pack(0x80, 0xC8, 1, 2, 3)[:8] + bytes(8),
        ):
            await dtls._send_rtp(packet)
        await pair.port.inputs["primary"].next(30)
        assert pair.leg.state == "connected"
        assert pair.leg.media.receiver.unwanted + pair.leg.transport.unreadable - before >= 1


async def test_datagrams_before_the_handshake_are_held_within_a_bound() -> None:
    transport = MediaTransport(
        (),
        loopback=True,
        receive_rtp=lambda packet, now: None,
        receive_rtcp=lambda packet, now: None,
        changed=lambda: None,
    )
    await transport.gather()
    protocol = transport._connection._protocols[0]
    for _ in range(10 * MAX_WAITING_DATAGRAMS):
        protocol.datagram_received(b"\x16" + bytes(50), ("127.0.0.1", 9))
        protocol.datagram_received(b"\x80" + bytes(50), ("127.0.0.1", 9))
    assert transport._connection._queue.qsize() == MAX_WAITING_DATAGRAMS
    assert transport.unreadable == 19 * MAX_WAITING_DATAGRAMS
    await transport.close()


async def test_peer_may_announce_a_channel_under_the_number_that_stands_already() -> None:
    # As the DTLS server a peer numbers its own channels 1, 3, …: the negotiated channel has number 1.
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440), channel=True)
        assert pair.peer.channel is not None and pair.peer.channel.id == 1
        pair.leg.send("over the one both have")
        assert await pair.peer.text() == "over the one both have"
        second = pair.peer.pc.createDataChannel("another")
        opened = asyncio.Event()
        second.on("open", opened.set)
        async with asyncio.timeout(5):
            await opened.wait()
        assert pair.leg.state == "connected"


async def test_malformed_text_ends_neither_channel_nor_leg() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_as_sdk()
        assert pair.peer.channel is not None
        sctp = pair.peer.channel.transport
        sctp._data_channel_queue.append((pair.peer.channel, 51, b"\xff\xfe not utf-8"))
        await sctp._data_channel_flush()
        pair.peer.send_text("still here")
        await pair.port.event(lambda event: getattr(event, "text", "") == "still here")
        assert pair.leg.state == "connected"


async def test_timestamps_at_the_peer_never_go_back_when_the_source_is_switched() -> None:
    async with PeerOnLeg() as pair:
        mid = await pair.peer.join_plain(None, "recvonly")
        sender = pair.port.outputs[mid][1]
        for frequency_hz in (440, 1000, 440):
            await play(sender, tone_packets(frequency_hz, 0.6))
        pts = pair.peer.heard[mid].pts
        assert len(pts) > 60
        assert [b - a for a, b in zip(pts, pts[1:], strict=False)] == [960] * (len(pts) - 1)


async def test_round_trip_is_known_from_the_first_check_on() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_as_sdk()
        assert pair.leg.reports.round_trip_s is None, "nothing was sent that a report could echo"
        round_trip_ms = pair.leg.look().round_trip_ms
        assert round_trip_ms is not None and 0 < round_trip_ms < 500


async def test_unreachable_stun_server_holds_up_no_longer_than_its_timeout() -> None:
    transport = MediaTransport(
        (IceServer(("stun:192.0.2.1:3478",)),),
        loopback=True,
        receive_rtp=lambda packet, now: None,
        receive_rtcp=lambda packet, now: None,
        changed=lambda: None,
    )
    async with asyncio.timeout(4):
        await transport.gather()
    assert any(one.address == "127.0.0.1" for one in transport.local.candidates)
    await transport.close()


def test_everything_works_on_our_own_event_loop_within_its_port_range() -> None:
    async def call() -> None:
        async with PeerOnLeg() as pair:
            mid = await pair.peer.join_plain(Tone(440))
            ports = {one.port for one in pair.leg.transport.local.candidates}
            assert ports and all(42_000 <= port <= 42_099 for port in ports)
            playing = asyncio.create_task(play(pair.port.outputs[mid][1], tone_packets(1000, 1.2)))
            sound = await pair.peer.heard[mid].next(0.4, skip=0.3)
            assert list(find_tones(sound, 48_000)) == [1000]
            packets = await pair.port.inputs["primary"].next(30)
            assert list(find_tones(decoded(one[0] for one in packets)[9600:], 48_000)) == [440]
            await playing

    with asyncio.Runner(loop_factory=lambda: Loop((42_000, 42_099))) as runner:
        runner.run(call())
