"""CPU of one received and one sent Opus packet: the WebRTC leg's own RTP beside aiortc as it comes.

Each way of doing it runs alone, on the same loop and with the same far side: `--peers` connected peers in
another process, 50 packets a second for each. No mixing, and for the leg no decoding: what aiortc does on top
(it decodes, encodes) is said in each row.

    python benchmarks/webrtc_packets.py [--peers 20] [--seconds 4] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import json
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import av
import numpy as np
import uvloop
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from measure import Row, compared, report
from webrtc_far_side import CONFIGURATION, FRAME, every_20_ms, packets_of_sound

from bridge.core.ports import CloseReason, PacketSink, WebRtcOffer
from bridge.legs.webrtc_leg import WebRtcLeg
from bridge.legs.webrtc_settings import WebRtcSettings

FAR_SIDE = Path(__file__).resolve().parent / "webrtc_far_side.py"


class Far:
    """The far side as the measured one talks to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def do(self, do: str, **more: object) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        await self._process.stdin.drain()
        return dict(json.loads(await self._process.stdout.readline()))


class CountingPort:
    """A room that takes packets and does nothing with them."""

    room_id, participant_id = "bench", "peer"

    def __init__(self) -> None:
        self.came = 0
        self.sinks: list[PacketSink] = []

    def open_packet_input(self, name: str) -> CountingPort:
        return self

    def push(self, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        self.came += 1

    def open_packet_output(self, key: str, source: object, sink: PacketSink) -> None:
        self.sinks.append(sink)

    def close_input(self, name: str) -> None: ...

    def close_output(self, key: str) -> None: ...

    def emit(self, event: object) -> None: ...


class OwnRtp:
    """Our legs."""

    def __init__(self) -> None:
        self.ports: list[CountingPort] = []
        self.legs: list[WebRtcLeg] = []

    async def answer(self, sdp: str) -> str:
        port = CountingPort()
        leg = WebRtcLeg(port, WebRtcOffer(sdp), WebRtcSettings())  # type: ignore[arg-type]
        self.ports.append(port)
        self.legs.append(leg)
        return await leg.start()

    @property
    def came(self) -> int:
        return sum(port.came for port in self.ports)

    async def send(self, seconds: float) -> None:
        packets = packets_of_sound()
        sinks = [sink for port in self.ports for sink in port.sinks]

        def tick(number: int) -> None:
            for sink in sinks:
                sink.send_packet(packets[number % 50], FRAME)

        await every_20_ms(tick, seconds)

    async def close(self) -> None:
        for leg in self.legs:
            await leg.close(CloseReason.FAILED)


class Sound(MediaStreamTrack):
    """One packet or frame every 20 ms, the same for everybody."""

    kind = "audio"

    def __init__(self, encoded: bool) -> None:
        super().__init__()
        self._packets = packets_of_sound() if encoded else []
        self._frame = np.repeat((8000 * np.sin(np.arange(FRAME) / 20)).astype(np.int16), 2)[np.newaxis]
        self._number = 0
        self._began: float | None = None

    async def recv(self) -> Any:
        now = time.monotonic()
        self._began = self._began or now
        await asyncio.sleep(self._began + self._number * 0.02 - now)
        if self._packets:
            sound: Any = av.Packet(self._packets[self._number % 50])
        else:
            sound = av.AudioFrame.from_ndarray(self._frame, layout="stereo")
            sound.sample_rate = 48_000
        sound.pts, sound.time_base = self._number * FRAME, fractions.Fraction(1, 48_000)
        self._number += 1
        return sound


class Stock:
    """aiortc as it comes; `encoded`: its tracks give packets instead of frames."""

    def __init__(self, encoded: bool = False) -> None:
        self._encoded = encoded
        self.peers: list[RTCPeerConnection] = []
        self.readers: list[asyncio.Task[None]] = []
        self.came = 0

    async def answer(self, sdp: str) -> str:
        peer = RTCPeerConnection(CONFIGURATION)

        @peer.on("track")
        def track(track: MediaStreamTrack) -> None:
            self.readers.append(asyncio.create_task(self._read(track)))

        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        self.peers.append(peer)
        if "a=recvonly" in sdp:
            peer.getTransceivers()[0].direction = "sendonly"
        await peer.setLocalDescription(await peer.createAnswer())
        return peer.localDescription.sdp

    async def _read(self, track: MediaStreamTrack) -> None:
        while True:
            await track.recv()
            self.came += 1

    async def send(self, seconds: float) -> None:
        for peer in self.peers:
            peer.getSenders()[0].replaceTrack(Sound(self._encoded))
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        for reader in self.readers:
            reader.cancel()
        for peer in self.peers:
            await peer.close()


async def measure(
    far: Far, side: OwnRtp | Stock, way: str, peers: int, seconds: float
) -> tuple[float, float]:
    """CPU µs of a packet, and the share of packets that came through."""
    direction = "sendonly" if way == "receive" else "recvonly"
    offers = (await far.do("offer", peers=peers, direction=direction))["offers"]
    await far.do("answer", answers=[await side.answer(offer) for offer in offers])
    await asyncio.sleep(1.0)
    wanted = peers * round(seconds * 50)
    began = time.process_time()
    before = side.came if way == "receive" else (await far.do("count"))["came"]
    work: Awaitable[object] = far.do("send", seconds=seconds) if way == "receive" else side.send(seconds)
    await work
    spent = time.process_time() - began
    after = side.came if way == "receive" else (await far.do("count"))["came"]
    await side.close()
    await far.do("close")
    return spent / max(after - before, 1) * 1e6, (after - before) / wanted


async def run(peers: int, seconds: float) -> list[Row]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(FAR_SIDE),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip
    far, rows = Far(process), []
    try:
        received, share = await measure(far, OwnRtp(), "receive", peers, seconds)
        stock, stock_share = await measure(far, Stock(), "receive", peers, seconds)
        size = f"{peers} peers"
        rows.append(compared("received, undecoded", size, received, "µs", "aiortc's recv(), decoded", stock))
        print(f"received {share:.1%}, stock {stock_share:.1%}", file=sys.stderr)
        sent, share = await measure(far, OwnRtp(), "send", peers, seconds)
        packets, packet_share = await measure(far, Stock(encoded=True), "send", peers, seconds)
        frames, frame_share = await measure(far, Stock(), "send", peers, seconds)
        rows.append(compared("sent, encoded before", size, sent, "µs", "aiortc, a track of packets", packets))
        rows.append(compared("sent, encoded before", size, sent, "µs", "aiortc, a track of frames", frames))
        print(f"sent {share:.1%}, stock {packet_share:.1%}, {frame_share:.1%}", file=sys.stderr)
    finally:
        process.kill()
        await process.wait()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU of a WebRTC packet, received and sent")
    parser.add_argument("--peers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    rows = uvloop.run(run(arguments.peers, arguments.seconds))
    report("A WebRTC packet, CPU on the bridge's side", rows, arguments.json)


if __name__ == "__main__":
    main()
