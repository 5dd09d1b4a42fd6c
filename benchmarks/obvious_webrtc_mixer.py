"""The obvious WebRTC mixer, to measure against: aiortc used as its examples use it.

`track.recv()` for every participant, NumPy arrays out of its frames, a loop over participants every 20 ms,
and an `AudioFrame` track for each listener. `POST /<app>/<room>/` with `{"sdp": offer}` answers `{"sdp": …}`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fractions
import time
from collections import defaultdict, deque

import numpy as np
import uvicorn
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from fastapi import FastAPI, Request

FRAME = 960


class Listener(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.mixes: asyncio.Queue[np.ndarray] = asyncio.Queue(10)
        self._pts = 0

    async def recv(self) -> AudioFrame:
        mix = await self.mixes.get()
        frame = AudioFrame.from_ndarray(mix.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 48_000
        frame.time_base = fractions.Fraction(1, 48_000)
        frame.pts = self._pts
        self._pts += FRAME
        return frame


class Participant:
    def __init__(self) -> None:
        self.heard: deque[np.ndarray] = deque(maxlen=10)
        self.listener = Listener()


ROOMS: dict[str, list[Participant]] = defaultdict(list)
PEERS: set[RTCPeerConnection] = set()
TASKS: set[asyncio.Task[None]] = set()


async def listen(track: MediaStreamTrack, participant: Participant) -> None:
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        stereo = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
        participant.heard.append(stereo.mean(axis=1).astype(np.float32))


async def mix() -> None:
    silence = np.zeros(FRAME, np.float32)
    due = time.monotonic()
    while True:
        due += 0.02
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        for room in list(ROOMS.values()):
            frames = [person.heard.popleft() if person.heard else silence for person in room]
            if not frames:
                continue
            total = np.sum(frames, axis=0)
            for person, own in zip(room, frames, strict=True):
                heard = np.clip(total - own, -32768, 32767).astype(np.int16)
                if not person.listener.mixes.full():
                    person.listener.mixes.put_nowait(heard)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI):  # type: ignore[no-untyped-def]
    mixing = asyncio.create_task(mix())
    yield
    mixing.cancel()


app = FastAPI(lifespan=lifespan)


@app.post("/{application}/{room}/")
async def join(application: str, room: str, request: Request) -> dict[str, str]:
    offer = await request.json()
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    PEERS.add(peer)
    participant = Participant()

    @peer.on("track")
    def on_track(track: MediaStreamTrack) -> None:
        task = asyncio.create_task(listen(track, participant))
        TASKS.add(task)

    peer.addTrack(participant.listener)
    await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    ROOMS[room].append(participant)
    return {"sdp": peer.localDescription.sdp}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", loop="uvloop")


if __name__ == "__main__":
    main()
