"""The far side of `webrtc_packets`: a process that reads commands and answers, in lines of JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

import numpy as np
import uvloop
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from bridge.legs.rtp_wire import HEADER
from mediacodecs.opus import OpusEncoder, OpusSettings

FRAME = 960
CONFIGURATION = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)


def packets_of_sound() -> list[bytes]:
    """One second of a tone."""
    encoder = OpusEncoder(48_000, OpusSettings())
    sound = (8000 * np.sin(2 * np.pi * 440 / 48_000 * np.arange(48_000))).astype(np.int16)
    return [encoder.encode(sound[at : at + FRAME]) for at in range(0, 48_000, FRAME)]


async def every_20_ms(work: Callable[[int], object], seconds: float) -> None:
    """Call `work(n)` on time."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(round(seconds * 50)):
        work(number)
        await asyncio.sleep(began + (number + 1) * 0.02 - loop.time())


async def far_side() -> None:
    """Peers that offer, then send raw packets or count those that come."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    peers: list[RTCPeerConnection] = []
    packets = packets_of_sound()

    def say(**answer: object) -> None:
        print(json.dumps(answer), flush=True)

    async for line in reader:
        command = json.loads(line)
        if command["do"] == "offer":
            for _ in range(command["peers"]):
                peer = RTCPeerConnection(CONFIGURATION)
                peer.addTransceiver("audio", command["direction"])
                await peer.setLocalDescription(await peer.createOffer())
                peers.append(peer)
            say(offers=[peer.localDescription.sdp for peer in peers])
        elif command["do"] == "answer":
            for peer, answer in zip(peers, command["answers"], strict=True):
                await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            while any(peer.connectionState != "connected" for peer in peers):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            for peer in peers:
                count_only(peer)
            say(connected=len(peers))
        elif command["do"] == "send":
            for peer in peers:
                # Its task looks for a track 50 times a second. Stopping it would say goodbye to the receiver.
                peer.getTransceivers()[0].sender._RTCRtpSender__rtp_task.cancel()  # type: ignore[attr-defined]
            lines = [raw_line(peer) for peer in peers]

            def tick(number: int) -> None:
                for line in lines:  # noqa: B023
                    line(number, packets[number % 50])

            await every_20_ms(tick, command["seconds"])
            say(sent=len(peers) * round(command["seconds"] * 50))
        elif command["do"] == "count":
            say(came=sum(peer.came for peer in peers))  # type: ignore[attr-defined]
        else:
            for peer in peers:
                await peer.close()
            peers.clear()
            say(closed=True)


def count_only(peer: RTCPeerConnection) -> None:
    """Authenticate what comes and look no further."""
    transport = peer.getTransceivers()[0].receiver.transport
    peer.came = 0  # type: ignore[attr-defined]

    async def handle_rtp_data(data: bytes, arrival_time_ms: int) -> None:
        peer.came += 1  # type: ignore[attr-defined]

    transport._handle_rtp_data = handle_rtp_data  # type: ignore[method-assign]


def raw_line(peer: RTCPeerConnection) -> Callable[[int, bytes], None]:
    """Protect and send, no more."""
    transceiver = peer.getTransceivers()[0]
    dtls = transceiver.sender.transport
    pair = dtls.transport._connection._nominated[1]
    ssrc, payload_type = transceiver.sender._ssrc, transceiver._codecs[0].payloadType

    def send(number: int, payload: bytes) -> None:
        header = HEADER.pack(0x80, payload_type, number & 0xFFFF, number * FRAME, ssrc)
        pair.protocol.transport.sendto(dtls._tx_srtp.protect(header + payload), pair.remote_addr)

    return send


if __name__ == "__main__":
    uvloop.run(far_side())
