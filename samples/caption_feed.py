"""Who speaks when in a conference, and, of a few words, what: a service for audio_track=participants.

Start it, then stream a conference to it (see fork_call.sh). It needs websockets and numpy, and pocketsphinx
for --words:

    python samples/caption_feed.py --port 8091 [--words "yes,no,garden,window"]
    sh samples/fork_call.sh CONFERENCE ws://127.0.0.1:8091 participants 60

Every participant has a socket of their own, with their id, name and role in extra_headers. Times are those
of the sound itself, the same for all of them, whenever it arrives.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from datetime import datetime
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

RATE_HZ = 16_000
FRAME_MS = 20
LOUD_DB = -45.0
"""Of a full-scale sine: what is louder is speech."""
PAUSE_MS = 300
"""A shorter pause belongs to what is said."""
MARGIN_MS = 100
"""Kept before the first loud frame, for words that begin softly."""


class Words:
    """Finds a few words in a piece of sound; one for each speaker, as it gets used to a voice."""

    def __init__(self, vocabulary: list[str]) -> None:
        from pocketsphinx import Decoder  # an extra: only those who want words need it

        self._decoder = Decoder(lm=None, samprate=RATE_HZ, loglevel="FATAL")
        words = " | ".join(vocabulary)
        self._decoder.add_jsgf_string("words", f"#JSGF V1.0; grammar words; public <said> = ({words})+;")
        self._decoder.activate_search("words")

    def find(self, samples: NDArray[np.int16]) -> str:
        """The words in int16 [n], with spaces between."""
        quiet = np.zeros(RATE_HZ // 4, np.int16)
        sound = np.concatenate((quiet, samples, quiet))
        air = np.random.default_rng(0).normal(0, 40, len(sound))  # it was trained on rooms with air in them
        self._decoder.start_utt()
        heard = (sound + air).clip(-32768, 32767).astype(np.int16)
        self._decoder.process_raw(heard.tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return str(found.hypstr) if found else ""


class Speaker:
    """One participant's sound, cut into what is said between pauses."""

    def __init__(self, name: str, role: str, words: Words | None) -> None:
        self.name = name
        self._role = role
        self._words = words
        self._frames: list[NDArray[np.int16]] = []
        self._from_ms = 0
        self._quiet_ms = 0
        self._speaking = False

    async def take(self, at_ms: int, samples: NDArray[np.int16]) -> None:
        """20 ms of sound that was said at `at_ms`."""
        loud = level_db(samples) > LOUD_DB
        if not self._speaking:
            self._frames = [*self._frames, samples][-MARGIN_MS // FRAME_MS :]
            if loud:
                self._speaking = True
                self._from_ms = at_ms
            return
        self._frames.append(samples)
        self._quiet_ms = 0 if loud else self._quiet_ms + FRAME_MS
        if self._quiet_ms >= PAUSE_MS:
            await self.finish(at_ms + FRAME_MS - self._quiet_ms)

    async def finish(self, to_ms: int) -> None:
        """Tell what was said, if anything was."""
        if not self._speaking:
            return
        sound, self._frames = np.concatenate(self._frames), []
        self._speaking, self._quiet_ms = False, 0
        text = await asyncio.to_thread(self._words.find, sound) if self._words else ""
        print(f"{clock(self._from_ms)}–{clock(to_ms)} {self.name} ({self._role}): {text or '…'}", flush=True)


def level_db(samples: NDArray[np.int16]) -> float:
    """0 for a sine as loud as can be."""
    power = float(np.mean(samples.astype(np.float64) ** 2))
    return 10 * float(np.log10(max(power, 1e-9) / (32767**2 / 2)))


def clock(at_ms: int) -> str:
    """A time of day."""
    return datetime.fromtimestamp(at_ms / 1000).strftime("%H:%M:%S.%f")[:-3]


def read_headers(written: str) -> dict[str, str]:
    """`key=value;key=value`, percent-encoded."""
    pairs = (pair.partition("=") for pair in written.split(";"))
    return {unquote(key): unquote(value) for key, _, value in pairs}


async def listen(socket: ServerConnection, vocabulary: list[str]) -> None:
    """One participant, from their first sound to their last."""
    speaker: Speaker | None = None
    at_ms = 0
    try:
        async for message in socket:
            told = json.loads(message)
            if told["event"] == "start":
                media = told["start"]["mediaFormat"]
                if (media["encoding"], media["sampleRate"]) != ("audio/x-l16", RATE_HZ):
                    await socket.close(1003, "content_type must be audio/x-l16;rate=16000")
                    return
                about = read_headers(told["extra_headers"])
                words = Words(vocabulary) if vocabulary else None
                speaker = Speaker(about.get("name") or "somebody", about.get("role", "?"), words)
                print(f"{speaker.name} is here", flush=True)
            elif told["event"] == "media" and speaker is not None:
                at_ms = int(told["media"]["timestamp"])
                payload = base64.b64decode(told["media"]["payload"])
                await speaker.take(at_ms, np.frombuffer(payload, "<i2"))
    except ConnectionClosed:
        pass
    if speaker is not None:
        await speaker.finish(at_ms)
        print(f"{speaker.name} is gone", flush=True)


async def run(port: int, vocabulary: list[str]) -> None:
    """Until it is interrupted."""
    async with serve(lambda socket: listen(socket, vocabulary), "127.0.0.1", port, compression=None):
        print(f"listening on ws://127.0.0.1:{port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=8091)
    parser.add_argument("--words", default="", help="words to look for, with commas between")
    options = parser.parse_args()
    wanted = [word.strip().lower() for word in options.words.split(",") if word.strip()]
    try:
        asyncio.run(run(options.port, wanted))
    except KeyboardInterrupt:
        pass
