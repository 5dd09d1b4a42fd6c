"""A live HLS stream from sound to shelf, in the test's process and on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

from bridge.outputs.back_off import BackOff
from bridge.outputs.hls_publisher import HlsPublisher
from bridge.outputs.hls_shelf import HlsShelf, token_digest
from bridge.outputs.hls_stream import HlsStream
from bridge.outputs.live_hls import LiveHls
from bridge.outputs.live_wire import Event, HlsSpec, Remove, Spent
from bridge.outputs.place_tries import StreamPlace
from tests.kit.hls_reader import ReadPlaylist, read
from tests.kit.live_room import BEGAN_MS, RATE, LiveStudio
from tests.kit.tones import tone


class Stand:
    """A `StreamPlace` in memory; refuses while `refuses` says why, and never answers for files of `stuck`."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.order: list[str] = []
        self.refuses = ""
        self.stuck: set[str] = set()
        self.tried: list[str] = []
        self.at_once = self.most_at_once = 0
        self.named: list[tuple[set[str], float]] = []
        """What the playlists there named, and how long others are still asked for."""

    async def put(self, path: Path) -> None:
        self.tried.append(path.name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            if path.name in self.stuck:
                await asyncio.Event().wait()
            if self.refuses:
                raise OSError(5, self.refuses)
            self.stored[path.name] = await asyncio.to_thread(path.read_bytes)
            self.order.append(path.name)
        finally:
            self.at_once -= 1

    def shown(self, files: Collection[str], grace_s: float) -> None:
        self.named.append((set(files), grace_s))


class HlsHouse:
    """`hear` makes time pass; what the encoder says goes to the stream at once, `late_ms` later."""

    def __init__(
        self,
        directory: Path,
        spec: HlsSpec,
        *,
        token: str | None = None,
        place: StreamPlace | None = None,
        late_ms: float = 0.0,
        try_s: float | None = None,
        late_s: float | None = None,
    ) -> None:
        """`place`: where it is published to as well."""
        self.late_ms = late_ms
        self.troubles: list[str] = []
        self.studio = LiveStudio(directory)
        self.studio.room._tell = self._told  # what the child would send goes straight to the server's side
        self.shelf = HlsShelf(self.now_ms)
        folder = directory / "live"
        folder.mkdir(mode=0o700)
        self.stream = HlsStream(spec, self.now_ms)
        publisher = None
        if place is not None:
            publisher = HlsPublisher(
                spec,
                folder,
                place,
                self.now_ms,
                back_off=BackOff(0.001, 0.002),
                on_trouble=self.troubles.append,
                try_s=try_s,
                late_s=late_s,
            )
        self.live = LiveHls(
            "live", self.stream, folder, self.shelf,
            token=None if token is None else token_digest(token),
            publisher=publisher, on_trouble=self.troubles.append,
        )  # fmt: skip
        self.studio.command(self.live.order())

    def now_ms(self) -> float:
        return BEGAN_MS + self.studio.tick * 20 + self.late_ms

    def hear(self, seconds: float) -> None:
        self.studio.hear(tone(600, seconds, RATE))

    def end(self) -> None:
        self.studio.command(Remove("live"))

    async def get(self, path: str, **query: str) -> tuple[int, str]:
        answer = await self.shelf.answer("live", path, query)
        return answer.status, answer.body.decode(errors="replace")

    async def media(self, before: ReadPlaylist | None = None, **query: str) -> ReadPlaylist:
        status, text = await self.get("media.m3u8", **query)
        assert status == 200, text
        return read(text, before)

    def _told(self, event: Event) -> None:
        self.studio.events.append(event)
        if not isinstance(event, Spent):
            self.live.told(event)
