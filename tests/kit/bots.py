"""Voice bots for tests of the harness: one that does all as it should, and others that do one thing wrong.

Every `Bot` is a WebSocket server's handler of one call. A bot hears the caller's tone, and answers a pause of
`PAUSE_FRAMES` with a tone of its own, `delay_s` after the frame in which the caller fell silent.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from bridge.harness import serving
from mediacodecs.g711 import ulaw_decode, ulaw_encode
from tests.kit.tones import tone

BOT_HZ = 1_000
CALLER_HZ = 440
LOUD = 500


class Bot:
    """Answers `delay_s` after the caller's last loud frame, clears when the caller speaks over it."""

    delay_s = 0.25
    answer_s = 0.4
    clears = True

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.rate_hz = 16_000
        self.encoding = "audio/x-l16"
        self.stream_id = ""
        self.speaking = False
        """The caller was loud in the last frame."""
        self.talking = False
        """What was sent last has not been played to its end."""
        self.turns = 0
        self.tasks = asyncio.TaskGroup()

    async def converse(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async with self.tasks:
                async for message in self.socket:
                    await self.hear(json.loads(message))

    async def hear(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "start":
                self.rate_hz = event["start"]["mediaFormat"]["sampleRate"]
                self.encoding = event["start"]["mediaFormat"]["encoding"]
                self.stream_id = event["start"]["streamId"]
                await self.greet()
            case "media":
                payload = base64.b64decode(event["media"]["payload"])
                mulaw = self.encoding == "audio/x-mulaw"
                frame = (
                    ulaw_decode(np.frombuffer(payload, np.uint8)) if mulaw else np.frombuffer(payload, "<i2")
                )
                loud = bool(np.abs(frame.astype(np.int32)).mean() > LOUD)
                if loud and not self.speaking:
                    await self.onset()
                if self.speaking and not loud:
                    self.tasks.create_task(self.later())
                self.speaking = loud
            case "playedStream":
                self.talking = False
            case "dtmf":
                await self.press(event["dtmf"]["digit"])

    async def greet(self) -> None:
        """The call has begun."""

    async def onset(self) -> None:
        """The caller begins to speak."""
        if self.talking and self.clears:
            await self.clear()

    async def press(self, key: str) -> None:
        """The caller presses a key."""

    async def later(self) -> None:
        """The caller has just fallen silent: their last loud frame came 20 ms ago."""
        await asyncio.sleep(self.delay_s - 0.02)
        with contextlib.suppress(ConnectionClosed):
            await self.answer()

    async def answer(self) -> None:
        self.turns += 1
        await self.play(self.answer_s)
        await self.mark(f"answer {self.turns}")

    # --- messages ---

    async def play(self, seconds: float, **media: Any) -> None:
        self.talking = True
        samples = tone(BOT_HZ, seconds, self.rate_hz).astype("<i2")
        sound = (ulaw_encode(samples) if self.encoding == "audio/x-mulaw" else samples).tobytes()
        await self.say("playAudio", media=self.media(sound) | media)

    def media(self, sound: bytes) -> dict[str, Any]:
        payload = base64.b64encode(sound).decode()
        return {"contentType": self.encoding, "sampleRate": self.rate_hz, "payload": payload}

    async def mark(self, name: str) -> None:
        await self.say("checkpoint", streamId=self.stream_id, name=name)

    async def clear(self) -> None:
        self.talking = False
        await self.say("clearAudio", streamId=self.stream_id)

    async def say(self, event: str, **rest: Any) -> None:
        await self.socket.send(json.dumps({"event": event, **rest}))


class Late(Bot):
    delay_s = 0.57


class Deaf(Bot):
    """Greets, and never answers."""

    async def greet(self) -> None:
        await self.play(0.2)

    async def onset(self) -> None:
        pass

    async def later(self) -> None:
        pass


class Talkative(Bot):
    """Says a lot, and clears when the caller speaks over it."""

    answer_s = 4.5


class NeverClearing(Talkative):
    clears = False


class ClearingTooMuch(Bot):
    """Cuts its own answers short, and clears when there is nothing to clear."""

    async def answer(self) -> None:
        await super().answer()
        await asyncio.sleep(1.2)
        await self.play(0.6)
        await asyncio.sleep(0.2)
        await self.clear()
        await self.clear()


class WrongRate(Bot):
    def media(self, sound: bytes) -> dict[str, Any]:
        return super().media(sound) | {"sampleRate": 8000}


class WrongCodec(Bot):
    def media(self, sound: bytes) -> dict[str, Any]:
        return super().media(sound) | {"contentType": "audio/x-mulaw", "sampleRate": 8000}


class TalkingOver(Bot):
    """Begins 0.3 s after the caller has begun."""

    async def onset(self) -> None:
        self.tasks.create_task(self._interrupt())

    async def _interrupt(self) -> None:
        await asyncio.sleep(0.3)
        await self.play(1.2)


class ClosingMidPhrase(Bot):
    async def answer(self) -> None:
        await self.play(2.0)
        await asyncio.sleep(0.3)
        await self.socket.close(1000, "bye")


class Failing(Bot):
    async def answer(self) -> None:
        await self.socket.close(1011, "out of order")


class Vanishing(Bot):
    async def answer(self) -> None:
        self.socket.transport.abort()


class MarkingEarly(Bot):
    """Marks an answer before it sends it, so that it takes it for heard at once."""

    async def answer(self) -> None:
        await self.mark("answer")
        await self.play(self.answer_s)


class AcknowledgingItself(Bot):
    """Tells the other side, at once, that its answer has been heard."""

    async def answer(self) -> None:
        await super().answer()
        await self.say("playedStream", streamId=self.stream_id, name=f"answer {self.turns}")


class Stumbling(Bot):
    """Lets the caller wait in mid-speech, twice."""

    async def answer(self) -> None:
        for _ in range(3):
            await self.play(0.2)
            await asyncio.sleep(0.3)


class Flooding(Bot):
    async def answer(self) -> None:
        for _ in range(13):
            await self.play(5.0)


class Menu(Bot):
    """Reads out a menu; a key leads to another one, and # confirms what was keyed in and begins anew."""

    again_s = 1.5

    async def greet(self) -> None:
        await self.read()

    async def read(self) -> None:
        await self.play(1.0)
        await self.mark("menu")

    async def press(self, key: str) -> None:
        if self.talking:
            await self.clear()
        if key != "#":
            await self.read()
            return
        await self.play(0.3)
        await self.mark("confirmed")
        self.tasks.create_task(self._again())

    async def _again(self) -> None:
        await asyncio.sleep(self.again_s)
        with contextlib.suppress(ConnectionClosed):
            await self.read()

    async def later(self) -> None:
        pass


class DeafToKeys(Menu):
    async def press(self, key: str) -> None:
        pass


def holding(most: int) -> type[Bot]:
    """A bot that answers everybody a second later while more than `most` calls are there."""
    present: set[Bot] = set()

    class Holding(Bot):
        async def converse(self) -> None:
            present.add(self)
            try:
                await super().converse()
            finally:
                present.discard(self)

        async def later(self) -> None:
            if len(present) > most:
                await asyncio.sleep(1.0)
            await super().later()

    return Holding


def saying(*messages: str | bytes, then: bool = True) -> type[Bot]:
    """A bot that says those as they are when the call begins, and then answers like any other."""

    class Saying(Bot):
        async def greet(self) -> None:
            for message in messages:
                await self.socket.send(message)

        async def later(self) -> None:
            if then:
                await super().later()

    return Saying


@contextlib.asynccontextmanager
async def listening(bot: Callable[[ServerConnection], Bot]) -> AsyncIterator[str]:
    """The address of a server on which every call gets a bot of its own."""

    async def handle(socket: ServerConnection) -> None:
        await bot(socket).converse()

    async with serving(handle, max_size=None) as url:
        yield url
