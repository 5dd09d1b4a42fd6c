"""A voice bot that costs next to nothing: answers every message with 20 ms of sound, and looks at none.

Runs in a process of its own: `python benchmarks/talking_sink.py [--codec l16-16k]`. Prints its port. It talks
for two seconds and is silent for two, over and over, and sends a frame for each one it gets all the while.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import signal
import struct

import numpy as np
import uvloop
from stream_sink import Stream

from bridge.harness.sound import CODECS, encode
from bridge.legs.plivo_format import format_name

TALK_FRAMES = 100
FRAMES: list[bytes] = []
"""What is sent, one after another: WebSocket frames of `playAudio` messages."""


class Talking(Stream):
    """One call."""

    def _take(self, opcode: int, mask: bytes, payload: bytes) -> None:
        super()._take(opcode, mask, payload)
        if opcode == 1:
            self.transport.write(FRAMES[self.messages % len(FRAMES)])


def frames_of(codec: str) -> list[bytes]:
    """Two seconds of a tone and two of silence, 20 ms each."""
    audio_format = CODECS[codec]
    samples = np.arange(TALK_FRAMES * audio_format.frame_samples)
    tone = np.rint(8_000 * np.sin(2 * np.pi * 440 / audio_format.rate_hz * samples)).astype(np.int16)
    frames = []
    for sound in np.concatenate((tone, np.zeros_like(tone))).reshape(2 * TALK_FRAMES, -1):
        media = {
            "contentType": format_name(audio_format),
            "sampleRate": audio_format.rate_hz,
            "payload": base64.b64encode(encode(sound, audio_format)).decode(),
        }
        text = json.dumps({"event": "playAudio", "media": media}).encode()
        frames.append(struct.pack("!BBH", 0x81, 126, len(text)) + text)
    return frames


async def main(codec: str) -> None:
    FRAMES.extend(frames_of(codec))
    streams: list[Stream] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Talking(streams), "127.0.0.1", 0, backlog=1024)
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--codec", choices=CODECS, default="l16-16k")
    uvloop.run(main(parser.parse_args().codec))
