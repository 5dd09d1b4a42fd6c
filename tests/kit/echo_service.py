"""A voice service written with the vendor's own SDK, for calls to talk to."""

from __future__ import annotations

import asyncio

from plivo_stream.types import DtmfEvent, MediaEvent, PlayedStreamEvent, StartEvent
from plivo_stream.websockets import PlivoWebsocketStreamingHandler


class EchoService(PlivoWebsocketStreamingHandler):  # type: ignore[misc]
    """A service written with the vendor's SDK: says back what it hears, and keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.start: StartEvent
        self.pressed = ""
        self.reached: list[str] = []
        self.cleared = asyncio.Event()
        self.errors: list[Exception] = []
        self.frames = 0
        self.half_a_second = asyncio.Event()
        self.on_start(self._begin)
        self.on_media(self._echo)
        self.on_dtmf(self._press)
        self.on_played_stream(self._reach)
        self.on_cleared_audio(self._clear)
        self.on_error(self._fail)

    async def _begin(self, event: StartEvent) -> None:
        self.start = event

    async def _echo(self, event: MediaEvent) -> None:
        media_format = self.start.start.media_format
        self.frames += 1
        await self.send_media(event.get_raw_media(), media_format.encoding, media_format.sample_rate)
        if self.frames == 10:
            await self.send_checkpoint("ten frames")
        if self.frames == 25:
            self.half_a_second.set()

    async def _press(self, event: DtmfEvent) -> None:
        self.pressed += event.dtmf.digit

    async def _reach(self, event: PlayedStreamEvent) -> None:
        self.reached.append(event.name)

    async def _clear(self, event: object) -> None:
        self.cleared.set()

    async def _fail(self, error: Exception) -> None:
        self.errors.append(error)
