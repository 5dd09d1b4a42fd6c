"""A small voice bot on Plivo's audio-stream protocol: it waits until you pause, then says back what it heard.

    python samples/plivo_bot.py --port 9000
    mediabridge call ws://127.0.0.1:9000 --wav samples/caller_16k.wav --record answer.wav

When the caller speaks while the bot is talking, the bot stops at once (`clearAudio`): barge-in. After each
answer it asks to be told when the caller has heard all of it (`checkpoint` → `playedStream`). A key is
answered with so many beeps, and # ends the call. With `--greet` it chimes when it is called. It is tested by
bot_tests/.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json

import numpy as np
from websockets.asyncio.server import ServerConnection, serve

LOUD = 600.0
"""Mean amplitude above which a 20 ms frame counts as speech (of 32,767)."""

PAUSE_FRAMES = 35
"""700 ms without speech: the caller's turn is over."""

CHIME = ((660, 0.15), (550, 0.15), (440, 0.3))
BEEP = ((880, 0.15), (0, 0.1))
"""Tones: their frequency in Hz (0: silence) and how long they last, in seconds."""


class Conversation:
    """One call: collects what the caller says and plays it back after a pause."""

    def __init__(self, socket: ServerConnection, greets: bool = False) -> None:
        self._socket = socket
        self._greets = greets
        self._rate_hz = 8000
        self._encoding = "audio/x-l16"
        self._stream_id = ""
        self._heard: list[bytes] = []
        self._quiet = 0
        self._talking = False
        self._answers = 0

    async def run(self) -> None:
        async for message in self._socket:
            event = json.loads(message)
            match event.get("event"):
                case "start":
                    self._stream_id = event["start"]["streamId"]
                    media_format = event["start"]["mediaFormat"]
                    self._encoding = media_format["encoding"]
                    self._rate_hz = int(media_format["sampleRate"])
                    print(f"call {event['start']['callId']}: {self._encoding} at {self._rate_hz} Hz")
                    if self._greets:
                        await self._play(self._tones(*CHIME), "greeting")
                case "media":
                    await self._listen(base64.b64decode(event["media"]["payload"]))
                case "playedStream":
                    self._talking = False
                    print(f"the caller has heard {event['name']}")
                case "dtmf":
                    print("the caller pressed a key")
                    await self._press(event["dtmf"]["digit"])

    async def _listen(self, frame: bytes) -> None:
        speaking = self._loudness(frame) > LOUD
        if speaking and self._talking:
            await self._say({"event": "clearAudio", "streamId": self._stream_id})
            self._talking = False
        if speaking:
            self._quiet = 0
            self._heard.append(frame)
        elif self._heard:
            self._quiet += 1
            self._heard.append(frame)
            if self._quiet >= PAUSE_FRAMES:
                await self._answer()

    async def _answer(self) -> None:
        phrase = b"".join(self._heard[: -self._quiet])
        self._heard, self._quiet = [], 0
        self._answers += 1
        await self._play(phrase, f"answer {self._answers}")

    async def _press(self, key: str) -> None:
        if key == "#":
            await self._socket.close()
        elif key in "123456789":
            await self._play(self._tones(*[*BEEP] * int(key)), f"key {key}")

    async def _play(self, sound: bytes, name: str) -> None:
        """Say something; we are told with that name when all of it has been heard."""
        self._talking = True
        await self._say(
            {
                "event": "playAudio",
                "media": {
                    "contentType": self._encoding,
                    "sampleRate": self._rate_hz,
                    "payload": base64.b64encode(sound).decode(),
                },
            }
        )
        await self._say({"event": "checkpoint", "streamId": self._stream_id, "name": name})

    def _tones(self, *tones: tuple[float, float]) -> bytes:
        waves = [
            8000 * np.sin(2 * np.pi * hertz / self._rate_hz * np.arange(round(seconds * self._rate_hz)))
            for hertz, seconds in tones
        ]
        samples = np.concatenate(waves).astype("<i2")
        return mulaw(samples) if self._encoding == "audio/x-mulaw" else samples.tobytes()

    def _loudness(self, frame: bytes) -> float:
        if self._encoding == "audio/x-mulaw":
            # The three bits of the segment are a fair measure of loudness on a logarithmic scale.
            segment = 7 - ((np.frombuffer(frame, np.uint8) >> 4) & 7)
            return float(np.mean(190.0 * (2.0**segment - 1)))
        return float(np.abs(np.frombuffer(frame, "<i2").astype(np.float32)).mean())

    async def _say(self, message: dict[str, object]) -> None:
        await self._socket.send(json.dumps(message))


def mulaw(samples: np.ndarray) -> bytes:
    """ITU-T G.711 §3.2 of 16-bit samples."""
    magnitude = np.minimum(np.abs(samples.astype(np.int32)), 32_635) + 132
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    code = (samples < 0) << 7 | segment << 4 | magnitude >> (segment + 3) & 15
    return (~code).astype(np.uint8).tobytes()


async def converse(socket: ServerConnection) -> None:
    await Conversation(socket).run()


async def greet_and_converse(socket: ServerConnection) -> None:
    await Conversation(socket, greets=True).run()


async def main() -> None:
    parser = argparse.ArgumentParser(description="a voice bot on Plivo's audio-stream protocol")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--greet", action="store_true", help="begin with a chime")
    arguments = parser.parse_args()
    answer = greet_and_converse if arguments.greet else converse
    async with serve(answer, "127.0.0.1", arguments.port, compression=None) as server:
        print(f"listening on ws://127.0.0.1:{arguments.port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
