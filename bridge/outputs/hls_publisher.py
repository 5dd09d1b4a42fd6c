"""A live HLS stream on a storage: files go there first, then the playlists that name them.

Apart from the playlists this server gives out itself: a slow storage delays its own viewers only. Nobody can
wait on a storage for what comes, so there are no parts and no blocking reloads.

A few files go at a time, and no try takes long. A file of a sliding stream that does not get through while
later ones do is a gap in the storage's playlist, as is one that has left this server's own playlist; of a
stream that is kept whole, nothing is left out. What is late is trouble until it is there or given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bridge.outputs.back_off import BackOff, Failures
from bridge.outputs.date_range import DateRange
from bridge.outputs.hls_names import CAPTIONS, MASTER, MEDIA
from bridge.outputs.hls_stream import HlsStream, Told
from bridge.outputs.live_wire import CaptionsMade, Closed, HlsSpec, Opened, PartMade, SegmentMade
from bridge.outputs.place_tries import PlaceTries, StreamPlace

log = logging.getLogger(__name__)

MAX_WAITING: Final = 5_000
"""Files that wait for the storage: hours, and only of a stream that is kept whole. Then it is given up."""
AT_A_TIME: Final = 3
_AHEAD: Final = 64
"""Files that may be there before one that hangs."""
_LEAST_TRY_S: Final = 5.0
_TRY_TARGETS: Final = 2
"""A try takes so many target durations at the most."""
_LATE_TARGETS: Final = 3
"""So far from the end players play (RFC 8216 §6.3.3): what is later than that is missed already."""


@dataclass(slots=True)
class _Going:
    number: int
    event: Told
    bringing: asyncio.Task[bool] | None
    """None: it has no file."""
    since: float
    """On the loop's clock."""


class HlsPublisher:
    """Takes the encoder's events; works by itself from when it is made. On the event loop's thread."""

    def __init__(
        self,
        spec: HlsSpec,
        directory: Path,
        place: StreamPlace,
        now_ms: Callable[[], float],
        *,
        sequence: int = 0,
        on_trouble: Callable[[str], None] = lambda why: None,
        back_off: BackOff | None = None,
        try_s: float | None = None,
        late_s: float | None = None,
    ) -> None:
        """The playlists are written to `directory`/published, and given to `place` from there.

        `sequence`: see `HlsStream`. `try_s`, `late_s`: in place of what follows from the target duration.
        """
        whole = msgspec.structs.replace(spec, part_s=None)
        self.stream = HlsStream(whole, now_ms, static=True, sequence=sequence)
        self.given_up = False
        self.missed = 0
        """Files that did not get there in time, or not at all."""
        self.waiting = 0
        """What is still to be published."""
        self._directory, self._place = directory, place
        self._slides = spec.kind == "live"
        self._given = try_s, late_s
        self._late_s = math.inf
        self._tries = PlaceTries(place, try_s or _LEAST_TRY_S, on_trouble, back_off)
        self._events: asyncio.Queue[Told] = asyncio.Queue(MAX_WAITING)
        self._going: asyncio.Queue[_Going] = asyncio.Queue(_AHEAD)
        self._newest = -1
        """The number of the last file that is there."""
        self._news = asyncio.Event()
        """Set, and another one taken, whenever a file is there."""
        self._changed = asyncio.Event()
        self._over = False
        self._longest_s = 0.0
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
            self._give_up("the storage did not take anything for so long that it is given up")
        else:
            self.waiting += 1

    def mark(self, date_range: DateRange) -> None:
        """Timed metadata; goes out with the next segment. More than a playlist holds is left out."""
        with contextlib.suppress(ValueError):  # its own viewers have it; this one is behind
            self.stream.mark(date_range)

    @property
    def trouble(self) -> str:
        """Of now; empty: none."""
        return self._tries.trouble

    async def finished(self) -> None:
        """Until everything is there."""
        await asyncio.shield(self._working)

    async def cancel(self) -> None:
        """Leave the rest."""
        self._working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._working

    # --- inside ---

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as work:
                work.create_task(self._begin_all(work))
                work.create_task(self._tell_all())
                work.create_task(self._show_all())
        except Exception:  # the outer edge: its own viewers and the recording know nothing of it
            log.exception("x a live stream is not published any more")
            self._give_up("it is not published any more: something broke")

    async def _begin_all(self, work: asyncio.TaskGroup) -> None:
        """Files are on their way in their order, a few at a time."""
        turns = asyncio.Semaphore(AT_A_TIME)
        header: tuple[str, asyncio.Task[bool]] | None = None
        number = 0
        while True:
            event = await self._events.get()
            bringing: asyncio.Task[bool] | None = None
            if isinstance(event, Opened):
                self._set_pace(event.target_s)
            elif isinstance(event, SegmentMade | CaptionsMade):
                before = None
                if isinstance(event, SegmentMade) and event.header is not None:
                    if header is None or header[0] != event.header:
                        await turns.acquire()
                        header = (
                            event.header,
                            work.create_task(self._tries.bring(self._directory / event.header)),
                        )
                        header[1].add_done_callback(lambda done: turns.release())
                    before = header[1]
                await turns.acquire()
                bringing = work.create_task(self._bring_after(before, event.file, number))
                bringing.add_done_callback(lambda done: turns.release())
            await self._going.put(_Going(number, event, bringing, asyncio.get_running_loop().time()))
            number += 1
            if isinstance(event, Closed):
                return

    async def _tell_all(self) -> None:
        """The stream hears of each file in order, when it is there or given up."""
        while True:
            going = await self._going.get()
            gap = going.bringing is not None and not await self._is_there(going, going.bringing)
            self.missed += gap
            self.stream.told(going.event, gap=gap)
            if self._slides:
                self.stream.expired()  # forgotten there; what lies at the place is the place's to remove
            self.waiting -= 1
            self._over = isinstance(going.event, Closed)
            if not isinstance(going.event, Opened):
                self._changed.set()
            if self._over:
                return

    async def _show_all(self) -> None:
        """The playlists as they are by now, until the last ones are there."""
        failures = Failures(self._tries.back_off)
        while True:
            await self._changed.wait()
            self._changed.clear()
            last = self._over
            if await self._show():
                failures.in_a_row = 0
                if last:
                    return
            else:  # what has come meanwhile goes with the next try
                await asyncio.sleep(failures.failed())
                self._changed.set()

    def _set_pace(self, target_s: float) -> None:
        try_s, late_s = self._given
        self._tries.try_s = try_s or max(_LEAST_TRY_S, _TRY_TARGETS * target_s)
        if self._slides:
            self._late_s = late_s or _LATE_TARGETS * target_s

    async def _is_there(self, going: _Going, bringing: asyncio.Task[bool]) -> bool:
        """False when it never will be, or when it is late and it is not the storage that is."""
        loop = asyncio.get_running_loop()
        if math.isfinite(self._late_s):
            await asyncio.wait({bringing}, timeout=max(0.0, going.since + self._late_s - loop.time()))
            while not bringing.done():
                if self._newest > going.number:
                    log.warning("x a file of a live stream did not get to its storage in time")
                    bringing.cancel()
                    await asyncio.wait({bringing})
                    break
                news = loop.create_task(self._news.wait())
                await asyncio.wait({bringing, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        else:
            await asyncio.wait({bringing})
        return not bringing.cancelled() and bringing.result()

    async def _bring_after(self, header: asyncio.Task[bool] | None, file: str, number: int) -> bool:
        # Whoever is given up must not take the header away from the others.
        if header is not None and not await asyncio.shield(header):
            return False
        if not await self._tries.bring(self._directory / file):
            return False
        self._newest = max(self._newest, number)
        self._news.set()
        self._news = asyncio.Event()
        return True

    async def _show(self) -> bool:
        """Whether the storage has the playlists as they are now."""
        folder = self._directory / "published"
        texts: dict[str, str] = {}
        named: set[str] = set()
        for name in (MEDIA, CAPTIONS):
            playlist = self.stream.playlist(name)
            if playlist is not None and playlist.segments:
                texts[name] = playlist.text()
                named.update(uri for one in playlist.segments for uri in (one.uri, one.map_uri) if uri)
                self._longest_s = max(self._longest_s, sum(one.duration_s for one in playlist.segments))
        master, media = self.stream.master(), self.stream.media
        if texts and master is not None:
            texts[MASTER] = master.text()
        for name, text in texts.items():
            try:
                await asyncio.to_thread(_write, folder, name, text)
                if not await self._tries.try_once(folder / name):
                    return False
            except OSError as error:
                self._tries.say(name, f"the playlist cannot be written: {error.strerror}")
                return False
        if texts and media is not None:
            # As long as the longest playlist, and a segment longer (RFC 8216 §6.2.2); and what players lag.
            self._place.shown(named, self._longest_s + (1 + _LATE_TARGETS) * media.playlist().target_s)
        return True

    def _give_up(self, why: str) -> None:
        self.given_up = True
        self._tries.say("", why)


def _write(folder: Path, name: str, text: str) -> None:
    """Whole or not at all, for the owner only."""
    folder.mkdir(mode=0o700, exist_ok=True)
    unfinished = folder / f".{name}"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as opened:
        opened.write(text)
    unfinished.rename(folder / name)
