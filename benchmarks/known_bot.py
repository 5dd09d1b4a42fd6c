"""A voice bot that knows how fast it was: it answers and clears after set times, and writes down when.

Runs in a process of its own: `python benchmarks/known_bot.py --answers MS … --clears MS …`. Prints its
port, and at SIGTERM one JSON line: for each call, its answers and its clears as [set, true] in ms. The
times of a call are the next of those given, and up to 20 ms more by lot. True is what passed from the
caller's last loud sample to the answer (from the first one to the clear, where the caller speaks over the
bot), by this process's own clock: a frame's last sample is taken to be said when the frame arrives.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import random
import signal
import time
from typing import Any

import numpy as np
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bridge.core.ports import AudioFormat
from bridge.harness.sound import decode, encode
from bridge.legs.plivo_format import format_name, read_format

LOUD = 1_000
ANSWER_S = {False: 0.3, True: 5.0}
"""The answer of a bot that is not to be spoken over, and of one that is."""
QUIET_FRAMES = 3

Times = list[tuple[float, float]]


class Call:
    """One call. `answer_ms` and `clear_ms` are what it is set to; without the latter it answers briefly."""

    def __init__(self, socket: ServerConnection, answer_ms: float, clear_ms: float | None) -> None:
        self._socket = socket
        self._answer_ms = answer_ms
        self._clear_ms = clear_ms
        self._lots = random.Random(str(socket.remote_address))
        self._format: AudioFormat
        self._stream_id = ""
        self._quiet = QUIET_FRAMES
        self._ended_at = 0.0
        """When the caller's last loud sample was said."""
        self._talking = False
        self._tasks: asyncio.TaskGroup
        self.call_id = ""
        self.answers: Times = []
        self.clears: Times = []

    async def run(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async with asyncio.TaskGroup() as self._tasks:
                async for message in self._socket:
                    self._take(json.loads(message), time.monotonic())

    def _take(self, event: dict[str, Any], now: float) -> None:
        if event["event"] == "start":
            start = event["start"]
            audio_format = read_format(start["mediaFormat"]["encoding"], start["mediaFormat"]["sampleRate"])
            assert audio_format is not None
            self._format, self._stream_id, self.call_id = audio_format, start["streamId"], start["callId"]
        elif event["event"] == "media":
            self._hear(base64.b64decode(event["media"]["payload"]), now)
        elif event["event"] == "playedStream":
            self._talking = False

    def _hear(self, payload: bytes, now: float) -> None:
        samples = decode(payload, self._format)
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
        if not len(loud):
            self._quiet += 1
            if self._quiet == QUIET_FRAMES:
                self._tasks.create_task(self._answer(self._ended_at))
            return
        if self._quiet >= QUIET_FRAMES and self._talking and self._clear_ms is not None:
            onset = now - (len(samples) - loud[0]) / self._format.rate_hz
            self._tasks.create_task(self._clear(onset, self._clear_ms))
        self._quiet = 0
        self._ended_at = now - (len(samples) - 1 - loud[-1]) / self._format.rate_hz

    async def _answer(self, asked_at: float) -> None:
        await asyncio.sleep(asked_at + self._with_lot(self._answer_ms) / 1000 - time.monotonic())
        seconds = ANSWER_S[self._clear_ms is not None]
        samples = np.arange(round(seconds * self._format.rate_hz))
        sound = np.rint(8_000 * np.cos(2 * np.pi * 500 / self._format.rate_hz * samples)).astype(np.int16)
        media = {
            "contentType": format_name(self._format),
            "sampleRate": self._format.rate_hz,
            "payload": base64.b64encode(encode(sound, self._format)).decode(),
        }
        message = json.dumps({"event": "playAudio", "media": media})
        self._talking = True
        self.answers.append((self._answer_ms, 1000 * (time.monotonic() - asked_at)))
        await self._socket.send(message)
        await self._say("checkpoint", name=f"answer {len(self.answers)}")

    async def _clear(self, onset: float, clear_ms: float) -> None:
        await asyncio.sleep(onset + self._with_lot(clear_ms) / 1000 - time.monotonic())
        self._talking = False
        self.clears.append((clear_ms, 1000 * (time.monotonic() - onset)))
        await self._say("clearAudio")

    async def _say(self, event: str, **rest: str) -> None:
        await self._socket.send(json.dumps({"event": event, "streamId": self._stream_id, **rest}))

    def _with_lot(self, set_ms: float) -> float:
        return set_ms + self._lots.uniform(0, 20)


async def main(answers: list[float], clears: list[float]) -> None:
    calls: list[Call] = []

    async def answer(socket: ServerConnection) -> None:
        number = len(calls)
        clear_ms = clears[number % len(clears)] if clears else None
        call = Call(socket, answers[number % len(answers)], clear_ms)
        calls.append(call)
        await call.run()

    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with serve(answer, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await over.wait()
        known = {call.call_id: {"answers": call.answers, "clears": call.clears} for call in calls}
    print(json.dumps(known), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=float, nargs="+", required=True)
    parser.add_argument("--clears", type=float, nargs="*", default=[])
    given = parser.parse_args()
    uvloop.run(main(given.answers, given.clears))
