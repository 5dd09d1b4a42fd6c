"""A live HLS stream on a storage: files go there first, then the playlists that name them.

Apart from the playlists this server gives out itself: a slow storage delays its own viewers only. Nobody can
wait on a storage for what comes, so there are no parts and no blocking reloads.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec

from bridge.errors import BridgeError
from bridge.outputs.back_off import BackOff, Failures
from bridge.outputs.date_range import DateRange
from bridge.outputs.hls_names import CAPTIONS, MASTER, MEDIA, content_type
from bridge.outputs.hls_stream import HlsStream, Told
from bridge.outputs.live_wire import CaptionsMade, Closed, HlsSpec, Opened, PartMade, SegmentMade

log = logging.getLogger(__name__)

Publish = Callable[[Path], Awaitable[None]]
"""Brings a file to where it is given out from; back when it is there. Raises OSError when it is not,
FileNotFoundError when the file itself is gone."""

MAX_WAITING = 5_000
"""Segments that wait for the storage: hours. Then it is given up."""


class HlsPublisher:
    """Takes the encoder's events; works by itself from when it is made. On the event loop's thread."""

    def __init__(
        self,
        spec: HlsSpec,
        directory: Path,
        publish: Publish,
        now_ms: Callable[[], float],
        *,
        sequence: int = 0,
        on_trouble: Callable[[str], None] = lambda why: None,
        back_off: BackOff | None = None,
    ) -> None:
        """The playlists are written to `directory`/published, and given to `publish` from there.

        `sequence`: see `HlsStream`.
        """
        whole = msgspec.structs.replace(spec, part_s=None)
        self.stream = HlsStream(whole, now_ms, static=True, sequence=sequence)
        self.given_up = False
        self._directory, self._publish = directory, publish
        self._on_trouble = on_trouble
        self._failures = Failures(back_off or BackOff())
        self.trouble = ""
        """Of now; empty: none."""
        self._events: asyncio.Queue[Told] = asyncio.Queue(MAX_WAITING)
        self._header: str | None = None
        self._working = asyncio.get_running_loop().create_task(self._work())

    def told(self, event: Told) -> None:
        """What the encoder says; parts are passed over."""
        if isinstance(event, PartMade) or self.given_up:
            return
        if isinstance(event, Opened):
            event = msgspec.structs.replace(event, part_target_s=None)
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            self.given_up = True
            self._say("the storage did not take anything for so long that it is given up")

    def mark(self, date_range: DateRange) -> None:
        """Timed metadata; goes out with the next segment."""
        self.stream.mark(date_range)

    @property
    def waiting(self) -> int:
        """What is still to be published."""
        return self._events.qsize()

    async def finished(self) -> None:
        """Until everything is there."""
        await asyncio.shield(self._working)

    async def cancel(self) -> None:
        """Leave the rest."""
        self._working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._working

    async def _work(self) -> None:
        while True:
            event = await self._events.get()
            gap = False
            if isinstance(event, SegmentMade):
                if event.header is not None and event.header != self._header:
                    gap = not await self._bring(self._directory / event.header)
                    self._header = event.header
                gap = not await self._bring(self._directory / event.file) or gap
            elif isinstance(event, CaptionsMade):
                gap = not await self._bring(self._directory / event.file)
            self.stream.told(event, gap=gap)
            if not isinstance(event, Opened):
                await self._bring_playlists()
            if isinstance(event, Closed):
                return

    async def _bring(self, path: Path) -> bool:
        """Until it is there: nothing may be named that is not. False when it was deleted meanwhile."""
        while True:
            try:
                await self._publish(path)
            except FileNotFoundError:
                return False
            except OSError as error:
                self._say(f"the storage does not take it: {error.strerror or 'no reason given'}")
                await asyncio.sleep(self._failures.failed())
            else:
                self._failures.in_a_row = 0
                self._say("")
                return True

    async def _bring_playlists(self) -> None:
        folder = self._directory / "published"
        texts: dict[str, str] = {}
        for name in (MEDIA, CAPTIONS):
            playlist = self.stream.playlist(name)
            if playlist is not None and playlist.segments:
                texts[name] = playlist.text()
        master = self.stream.master()
        if texts and master is not None:
            texts[MASTER] = master.text()
        for name, text in texts.items():
            await asyncio.to_thread(_write, folder, name, text)
            await self._bring(folder / name)

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            if trouble:
                log.error("x a live stream's %s", trouble)
            self._on_trouble(trouble)


class Place(Protocol):
    """`bridge.outputs.storage.Storage`, as far as it is used."""

    async def put(self, path: Path, key: str, media_type: str) -> object:
        """Back when the file is there. Raises BridgeError, FileNotFoundError."""


def published(place: Place, stream_id: str) -> Publish:
    """Brings a stream's files to `place`, below `hls/` and its id. What leaves the playlist stays there."""

    async def publish(path: Path) -> None:
        try:
            await place.put(path, f"hls/{stream_id}/{path.name}", content_type(path.name))
        except BridgeError as failed:
            raise OSError(errno.EIO, str(failed)) from None

    return publish


def _write(folder: Path, name: str, text: str) -> None:
    """Whole or not at all, for the owner only."""
    folder.mkdir(mode=0o700, exist_ok=True)
    unfinished = folder / f".{name}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as opened:
        opened.write(text)
    unfinished.rename(folder / name)
