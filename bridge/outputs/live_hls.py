"""A live HLS output in the server: what the encoder makes goes to the shelf, and to a storage if asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from bridge.outputs.hls_publisher import HlsPublisher
from bridge.outputs.hls_shelf import HlsShelf
from bridge.outputs.hls_stream import HlsStream
from bridge.outputs.live_wire import (
    AddHls,
    CaptionsMade,
    Closed,
    Event,
    Opened,
    PartMade,
    SegmentMade,
    Trouble,
)

log = logging.getLogger(__name__)


class LiveHls:
    """Keeps one stream's playlists and files. `finish` when the encoder is told to end it."""

    def __init__(
        self,
        stream_id: str,
        stream: HlsStream,
        directory: Path,
        shelf: HlsShelf,
        *,
        token: bytes | None = None,
        publisher: HlsPublisher | None = None,
        on_trouble: Callable[[str], None] = lambda why: None,
    ) -> None:
        """`directory` exists and is this stream's alone. `token`: digest of what viewers must show.

        `on_trouble` is told what is wrong, and "" when it is over.
        """
        self.stream_id, self.stream, self.directory = stream_id, stream, directory
        self.publisher = publisher
        self.closed = asyncio.Event()
        self._trouble = ""
        self._goes_on = False
        self._shelf = shelf
        self._on_trouble = on_trouble
        self._sweeping: asyncio.Future[None] | None = None
        shelf.put(stream_id, stream, directory, token, None if publisher is None else publisher.mark)

    def order(self) -> AddHls:
        """For the encoder."""
        return self.stream.resumed(self.stream_id, str(self.directory))

    def told(self, event: Event) -> None:
        """What the encoder says."""
        match event:
            case Trouble():
                self._say(event.why)
                return
            case Opened() | PartMade() | SegmentMade() | CaptionsMade() | Closed():
                self.stream.told(event)
                if self.publisher is not None and not (self._goes_on and isinstance(event, Closed)):
                    self.publisher.told(event)
            case _:
                return
        if isinstance(event, Closed):
            if event.why:
                self._say(event.why)
            self.closed.set()
        elif isinstance(event, SegmentMade):
            self._sweep()

    @property
    def trouble(self) -> str:
        """Of now; empty: none."""
        return self._trouble or ("" if self.publisher is None else self.publisher.trouble)

    def interrupt(self) -> None:
        """It goes on in the server's next run: nobody is told that it is over. `finish` follows."""
        self._goes_on = True
        self._shelf.remove(self.stream_id)

    async def finish(self, within_s: float) -> None:
        """Wait for what is still to come and to be published; nothing follows then. It stays on the shelf."""
        try:
            async with asyncio.timeout(within_s):
                await self.closed.wait()
                if self.publisher is not None and not self._goes_on:
                    await self.publisher.finished()
        except TimeoutError:
            log.warning("x the stream %s was not finished within %.1f s", self.stream_id, within_s)
        if self.publisher is not None:
            await self.publisher.cancel()
        if not self.stream.ended:
            self.stream.end()

    def _sweep(self) -> None:
        """Delete what nobody may ask for any more."""
        gone = self.stream.expired()
        if gone:
            self._shelf.forget(self.directory, gone)
            loop = asyncio.get_running_loop()
            self._sweeping = loop.run_in_executor(None, _delete, self.directory, gone)

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                log.error("x the stream %s: %s", self.stream_id, trouble)
            self._on_trouble(trouble)


def _delete(directory: Path, files: list[str]) -> None:
    for file in files:
        try:
            (directory / file).unlink(missing_ok=True)
        except OSError as error:
            log.warning("x a segment cannot be deleted: %s", error.strerror)
