"""Delay that the bridge adds between two participants: Plivo → WebRTC, WebRTC → Plivo, WebRTC → WebRTC.

    python benchmarks/delay.py [--pairs 10] [--bursts 30] [--json FILE] [--plot FILE.png]

In each of several conferences one participant sends short bursts of a tone, another listens. What counts is
the time from handing the burst's first sample to the network to having it back from the network, both taken
at the sample's place in its frame: look-ahead, buffers, waiting for the tick and coding are in it; filling
the speaker's own frame is not. Every pair has its own phase against the bridge's ticks. Clients run in a
process of their own, no network jitter is added.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import uvloop
from call_load import Call, frame_of
from measure import report
from processes import pinned, running_bridge
from webrtc_load import Participant

from mediacodecs.opus import OpusDecoder, OpusEncoder, OpusSettings

TONE_HZ = 1000
LOUD = 8000.0
BURST_FRAMES = 5
EVERY_FRAMES = 30
AUDIBLE = 1500.0
PATHS = (("plivo", "webrtc"), ("webrtc", "plivo"), ("webrtc", "webrtc"))


class Ear:
    """Finds the first loud sample of every burst; `heard` are times on the clock of `time.monotonic`."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._quiet_since = 0.0
        self.heard: list[float] = []

    def hear(self, samples: np.ndarray, at: float) -> None:
        loud = np.flatnonzero(np.abs(samples) > AUDIBLE)
        if not len(loud):
            return
        if at - self._quiet_since > 0.2:
            self.heard.append(at + loud[0] / self._rate_hz)
        self._quiet_since = at


class Mouth:
    """Frames with a burst in some of them; `spoken` are the times of the bursts' first loud samples."""

    def __init__(self, rate_hz: int, seed: int) -> None:
        self._rate_hz = rate_hz
        self._frame = rate_hz // 50
        self._random = random.Random(seed)
        self._left = 0
        self._until = 40 + self._random.randrange(EVERY_FRAMES)
        self.spoken: list[float] = []

    def hold(self) -> None:
        """Say nothing at all."""
        self._until = 1 << 60

    def next(self, at: float) -> np.ndarray:
        n = np.arange(self._frame)
        frame = LOUD * np.cos(2 * np.pi * TONE_HZ * n / self._rate_hz)
        if self._left:
            self._left -= 1
            return frame
        self._until -= 1
        if self._until:
            return np.zeros(self._frame)
        start = self._random.randrange(self._frame)
        frame[:start] = 0
        first = start + int(np.flatnonzero(np.abs(frame[start:]) > AUDIBLE)[0])
        self.spoken.append(at + first / self._rate_hz)
        self._left = BURST_FRAMES
        self._until = EVERY_FRAMES + self._random.randrange(10)
        return frame


class PhoneEnd(Call):
    """A phone that can be spoken into and listened to."""

    def __init__(self, target: str, seed: int) -> None:
        super().__init__(target, [], 0)
        self._text = bytearray()
        self.mouth = Mouth(16_000, seed)
        self.ear = Ear(16_000)

    def speak(self) -> None:
        samples = self.mouth.next(time.monotonic())
        payload = base64.b64encode(samples.astype("<i2").tobytes()).decode()
        self.transport.write(frame_of(json.dumps({"event": "media", "media": {"payload": payload}})))

    def data_received(self, received: bytes) -> None:
        if not self.upgraded.done():
            super().data_received(received)
            return
        at = time.monotonic()
        self._text += received
        while len(self._text) >= 2:
            length, head = self._text[1] & 127, 2
            if length == 126:
                if len(self._text) < 4:
                    return
                length, head = struct.unpack_from("!H", self._text, 2)[0], 4
            if len(self._text) < head + length:
                return
            message = bytes(self._text[head : head + length])
            del self._text[: head + length]
            if b"playAudio" in message:
                payload = base64.b64decode(json.loads(message)["media"]["payload"])
                self.ear.hear(np.frombuffer(payload, "<i2"), at)


class BrowserEnd(Participant):
    """A browser that can be spoken into and listened to."""

    def __init__(self, seed: int) -> None:
        super().__init__([b""], 0)
        settings = OpusSettings(application="lowdelay", bitrate=64_000)
        self._encoder = OpusEncoder(48_000, settings)
        self._decoder = OpusDecoder(48_000)
        self._pcm = np.zeros(960, np.int16)
        self.mouth = Mouth(48_000, seed)
        self.ear = Ear(48_000)

    def speak(self) -> None:
        samples = self.mouth.next(time.monotonic())
        self._packets = [self._encoder.encode(samples.astype(np.int16))]
        self.send()

    def packet_received(self, packet: bytes) -> None:
        at = time.monotonic()
        plain = self.unprotect(packet)
        head = 12 + 4 * (plain[0] & 15)
        if plain[0] & 16:
            head += 4 + 4 * struct.unpack_from("!H", plain, head + 2)[0]
        self._decoder.decode_into(plain[head:], self._pcm)
        self.ear.hear(self._pcm, at)


def own_coding_s() -> float:
    """What a browser's own encoder and decoder add, which is not the bridge's doing."""
    encoder = OpusEncoder(48_000, OpusSettings(application="lowdelay", bitrate=64_000))
    decoder, mouth, ear = OpusDecoder(48_000), Mouth(48_000, 1), Ear(48_000)
    pcm = np.zeros(960, np.int16)
    for n in range(3000):
        at = n * 0.02
        decoder.decode_into(encoder.encode(mouth.next(at).astype(np.int16)), pcm)
        ear.hear(pcm, at)
    return float(np.median(_delays(mouth.spoken, ear.heard)))


def _delays(spoken: list[float], heard: list[float]) -> list[float]:
    """The first thing heard after each burst, where there is one within half a second."""
    ears = np.array(heard)
    found = []
    for at in spoken:
        after = ears[(ears > at - 0.005) & (ears < at + 0.5)]
        if len(after):
            found.append(float(after[0]) - at)
    return found


async def connect(
    kind: str, base: str, token: str, http: httpx.AsyncClient, seed: int
) -> PhoneEnd | BrowserEnd:
    if kind == "webrtc":
        browser = BrowserEnd(seed)
        await browser.connect(http, base, token)
        return browser
    parts = urlsplit(base)
    target = f"{parts.path}/plivo?access_token={token}"
    loop = asyncio.get_running_loop()
    _, phone = await loop.create_connection(lambda: PhoneEnd(target, seed), parts.hostname, parts.port)
    await phone.upgraded
    return phone


async def talk(speak: Callable[[], None], until: float, phase: float) -> None:
    due = time.monotonic() + phase
    while due < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        speak()
        due += 0.02


async def measure(path: tuple[str, str], pairs: list[list[str]], bursts: int) -> dict[str, object]:
    """All delays in ms over one path; `pairs` are [URI, token, token]."""
    ends = []
    async with httpx.AsyncClient(timeout=20) as http:
        for seed, (uri, one, other) in enumerate(pairs):
            speaker = await connect(path[0], uri, one, http, seed)
            listener = await connect(path[1], uri, other, http, seed + 1000)
            ends.append((speaker, listener))
    until = time.monotonic() + 3 + bursts * (EVERY_FRAMES + 5 + BURST_FRAMES) * 0.02
    phases = random.Random(7)
    async with asyncio.TaskGroup() as group:
        for speaker, listener in ends:
            group.create_task(talk(speaker.speak, until, phases.random() * 0.02))
            # The listener is silent, as a muted client is.
            listener.mouth.hold()
            group.create_task(talk(listener.speak, until, phases.random() * 0.02))
    for end in (end for pair in ends for end in pair):
        if isinstance(end, BrowserEnd):
            await end.peer.close()
    own = own_coding_s() if path[0] == "webrtc" else 0.0
    delays = [
        1000 * (delay - own)
        for speaker, listener in ends
        for delay in _delays(speaker.mouth.spoken, listener.ear.heard)
    ]
    spoken = sum(len(speaker.mouth.spoken) for speaker, _ in ends)
    return {"delays": delays, "spoken": spoken}


def client(arguments: argparse.Namespace) -> None:
    """The process of the clients: reads the pairs, prints what it measured."""
    given = json.loads(sys.stdin.read())
    path = (given["path"][0], given["path"][1])
    print(json.dumps(uvloop.run(measure(path, given["pairs"], arguments.bursts))))


def plot(results: dict[str, list[float]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.2))
    for label, delays in results.items():
        ordered = np.sort(delays)
        axes.plot(ordered, np.linspace(0, 100, len(ordered)), label=label)
    axes.set(xlabel="added delay, ms", ylabel="bursts heard, %", xlim=(0, 60))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--bursts", type=int, default=30)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--client", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        client(arguments)
        return
    rows, results = [], {}
    for path in PATHS:
        with running_bridge() as bridge:
            pairs = []
            for _ in range(arguments.pairs):
                conference = bridge.open_conference()
                uri = f"http://127.0.0.1:{bridge.port}/{bridge.application}/{conference}"
                pairs.append([uri, bridge.invite(conference), bridge.invite(conference)])
            done = subprocess.run(
                [*pinned(1), sys.executable, __file__, "--client", "--bursts", str(arguments.bursts)],
                input=json.dumps({"path": path, "pairs": pairs}), capture_output=True, text=True, check=True,
            )  # fmt: skip
        found = json.loads(done.stdout)
        label = f"{path[0]} → {path[1]}"
        results[label] = found["delays"]
        p50, p99 = np.percentile(found["delays"], [50, 99])
        share = len(found["delays"]) / max(1, found["spoken"])
        rows.append({"path": label, "p50 ms": p50, "p99 ms": p99, "bursts": found["spoken"], "heard": share})
    report("Delay added between two participants, no network jitter", rows, arguments.json)
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
