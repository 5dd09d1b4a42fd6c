"""A cheap crowd of WebRTC participants: aiortc connects them, then raw packets, so the server is measured.

Runs in a process of its own: `python benchmarks/webrtc_load.py FILE --room 25 --sounding 7 --seconds S`;
FILE holds a line `URI TOKEN` for each participant. Everybody sends 50 packets a second from an own starting
point; the first `--sounding` of each room send speech-like noise in Opus, the others coded silence, as a
muted browser does. Prints `ready`, then one JSON line with what came back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
from typing import Any

import httpx
import numpy as np
import uvloop
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from pace import send_in_turn

from mediacodecs.opus import OpusEncoder, OpusSettings


def opus_packets(sounding: bool, seed: int) -> list[bytes]:
    """Two seconds at 48 kHz and 32 kbit/s; what sounds is noise in the rhythm of speech."""
    noise = np.random.default_rng(seed)
    encoder = OpusEncoder(48_000, OpusSettings(application="voip", bitrate=32_000))
    packets = []
    for n in range(100):
        loud = 3000 * abs(np.sin(n / 7)) if sounding else 0
        pcm = np.convolve(noise.normal(0, 1, 975), np.ones(16) / 4, "valid") * loud
        packets.append(encoder.encode(pcm.clip(-32768, 32767).astype(np.int16)))
    return packets


class Participant:
    """One connected participant."""

    def __init__(self, packets: list[bytes], offset: int) -> None:
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self.peer = RTCPeerConnection(configuration)
        self.packets_in = 0
        self.bytes_in = 0
        self._packets = packets
        self._next = offset
        self._sequence = 0

    async def connect(self, http: httpx.AsyncClient, uri: str, token: str) -> None:
        connected = asyncio.Event()
        peer = self.peer

        @peer.on("connectionstatechange")
        def changed() -> None:
            if peer.connectionState == "connected":
                connected.set()

        sender = peer.addTrack(AudioStreamTrack())
        sender._enabled = False
        await peer.setLocalDescription(await peer.createOffer())
        response = await http.post(
            uri + "/",
            json={"sdp": peer.localDescription.sdp},
            headers={"Authorization": f"Bearer {token}"},
        )
        response.raise_for_status()
        sender.replaceTrack(None)
        await peer.setRemoteDescription(RTCSessionDescription(response.json()["sdp"], "answer"))
        async with asyncio.timeout(20):
            await connected.wait()
        self._take_over(sender)

    def _take_over(self, sender: Any) -> None:
        """From here on packets go to and from the UDP socket directly."""
        dtls = sender.transport
        pair = dtls.transport._connection._nominated[1]
        self._protect = dtls._tx_srtp.protect
        self.unprotect = dtls._rx_srtp.unprotect
        self._udp = pair.protocol.transport
        self._address = pair.remote_addr
        self._ssrc = sender._ssrc
        self._payload_type = self.peer.getTransceivers()[0]._codecs[0].payloadType
        under = pair.protocol.datagram_received

        def received(packet: bytes, address: tuple[str, int]) -> None:
            if 127 < packet[0] < 192 and packet[1] & 0x7F < 64 or packet[1] & 0x7F > 95:
                self.packet_received(packet)
            else:
                under(packet, address)

        pair.protocol.datagram_received = received

    def packet_received(self, packet: bytes) -> None:
        self.packets_in += 1
        self.bytes_in += len(packet)

    def send(self) -> None:
        header = struct.pack(
            "!BBHII", 0x80, self._payload_type, self._sequence & 0xFFFF,
            self._sequence * 960 & 0xFFFFFFFF, self._ssrc,
        )  # fmt: skip
        packet = self._protect(header + self._packets[self._next % len(self._packets)])
        self._udp.sendto(packet, self._address)
        self._sequence += 1
        self._next += 1


async def run(lines: list[str], room: int, sounding: int, seconds: float) -> dict[str, float]:
    noisy = [opus_packets(True, seed) for seed in range(8)]
    quiet = opus_packets(False, 0)
    participants = []
    async with httpx.AsyncClient(timeout=20) as http:
        for n, line in enumerate(lines):
            uri, token = line.split()
            packets = noisy[n % 8] if n % room < sounding else quiet
            participant = Participant(packets, n)
            await participant.connect(http, uri, token)
            participants.append(participant)
    print("ready", flush=True)
    sent, late = await send_in_turn(participants, seconds)
    figures = {
        "sent": sent,
        "packets_in": sum(participant.packets_in for participant in participants),
        "bytes_in": sum(participant.bytes_in for participant in participants),
        "worst_lateness_s": late,
    }
    await asyncio.gather(*(participant.peer.close() for participant in participants))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("participants")
    parser.add_argument("--room", type=int, default=25)
    parser.add_argument("--sounding", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    with open(arguments.participants) as listed:
        lines = [line for line in listed.read().splitlines() if line.strip()]
    figures = uvloop.run(run(lines, arguments.room, arguments.sounding, arguments.seconds))
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
