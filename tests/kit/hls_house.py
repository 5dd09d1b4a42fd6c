"""A live HLS stream from sound to shelf, in the test's process and on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge.outputs.back_off import BackOff
from bridge.outputs.hls_publisher import HlsPublisher
from bridge.outputs.hls_shelf import HlsShelf, token_digest
from bridge.outputs.hls_stream import HlsStream
from bridge.outputs.live_hls import LiveHls
from bridge.outputs.live_wire import Event, HlsSpec, Remove, Spent
from tests.kit.hls_reader import ReadPlaylist, read
from tests.kit.live_room import BEGAN_MS, RATE, LiveStudio
from tests.kit.tones import tone


class HlsHouse:
    """`hear` makes time pass; what the encoder says goes to the stream at once, `late_ms` later."""

    def __init__(
        self,
        directory: Path,
        spec: HlsSpec,
        *,
        token: str | None = None,
        publish: Callable[[Path], Awaitable[None]] | None = None,
        late_ms: float = 0.0,
    ) -> None:
        self.late_ms = late_ms
        self.troubles: list[str] = []
        self.studio = LiveStudio(directory)
        self.studio.room._tell = self._told  # what the child would send goes straight to the server's side
        self.shelf = HlsShelf(self.now_ms)
        folder = directory / "live"
        folder.mkdir(mode=0o700)
        self.stream = HlsStream(spec, self.now_ms)
        publisher = None
        if publish is not None:
            publisher = HlsPublisher(
                spec,
                folder,
                publish,
                self.now_ms,
                back_off=BackOff(0.001, 0.002),
                on_trouble=self.troubles.append,
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
