"""A live HLS stream as an output of a room: from its taps to the shelf where players find it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bridge.core.ports import HlsSpec as HlsOrder
from bridge.core.ports import OutputEnd, OutputLook, OutputPort, OutputSpec, OutputState
from bridge.errors import BridgeError
from bridge.outputs.hls_shelf import HlsShelf
from bridge.outputs.hls_stream import HlsStream
from bridge.outputs.live_hls import LiveHls
from bridge.outputs.live_rooms import LiveFeed, LiveRooms
from bridge.outputs.live_wire import CaptionSpec, HlsSpec, PictureSpec, SoundSpec

log = logging.getLogger(__name__)

LAST_WORDS_S: Final = 5.0
"""How long the end of a stream waits for what was said before it."""
LINGER_S: Final = 60.0
"""An ended stream can be seen to its end for so long; then its files are deleted."""


class RoomStreams:
    """Makes live HLS outputs; an `OutputFactory`. `close` when the server goes down."""

    def __init__(
        self,
        rooms: LiveRooms,
        shelf: HlsShelf,
        root: Path,
        *,
        linger_s: float = LINGER_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`root` exists; below it each stream has a directory, which goes with it. `now`: Unix seconds."""
        self.rooms, self.shelf, self.root = rooms, shelf, root
        self.now = now
        self._linger_s = linger_s
        self._lingering: dict[asyncio.Task[None], LiveHls] = {}

    def __call__(self, port: OutputPort, spec: OutputSpec) -> RoomHls:
        """Raises BadInput for what cannot be."""
        assert isinstance(spec, HlsOrder)
        return RoomHls(port, spec, self)

    def linger(self, live: LiveHls) -> None:
        """It is over; those behind see it to its end."""
        task = asyncio.get_running_loop().create_task(self._see_off(live))
        self._lingering[task] = live
        task.add_done_callback(self._lingering.pop)

    async def see_off(self, live: LiveHls) -> None:
        """Take it away now."""
        await live.close(0.0)
        await asyncio.to_thread(shutil.rmtree, live.directory, True)

    async def hurry(self, stream_id: str) -> None:
        """One of that name is to begin: the one before goes at once."""
        for task, live in [*self._lingering.items()]:
            if live.stream_id == stream_id:
                task.cancel()
                await self.see_off(live)

    async def close(self) -> None:
        """Nobody sees anything any more."""
        for task, live in [*self._lingering.items()]:
            task.cancel()
            await self.see_off(live)
        self.shelf.close()

    async def _see_off(self, live: LiveHls) -> None:
        await asyncio.sleep(self._linger_s)
        await self.see_off(live)


class RoomHls:
    """One stream: an `Output`."""

    kind = "hls"

    def __init__(self, port: OutputPort, order: HlsOrder, outputs: RoomStreams) -> None:
        self._port, self._order, self._outputs = port, order, outputs
        self._spec = _spec_of(order)
        self._state: OutputState = "starting"
        self._feed: LiveFeed
        self._live: LiveHls

    async def start(self) -> None:
        """Begin. Raises BridgeError when there is no place for its files, or no process."""
        stream_id = self._order.stream_id
        await self._outputs.hurry(stream_id)
        directory = self._outputs.root / stream_id
        # Numbers go on from those of a stream of that name before, whatever became of the server meanwhile:
        # a segment lasts a second at least.
        sequence = int(self._outputs.now())
        stream = HlsStream(self._spec, lambda: self._outputs.now() * 1_000, sequence=sequence)
        token = bytes.fromhex(self._order.token_hash) or None
        try:
            await asyncio.to_thread(_fresh, directory)
            self._feed = await self._outputs.rooms.enter(self._port)
        except OSError as error:
            raise BridgeError(f"the stream cannot begin: {error.strerror}") from error
        self._live = LiveHls(
            stream_id, stream, directory, self._outputs.shelf, token=token, on_trouble=self._port.report
        )
        self._feed.encoder.add(stream_id, self._live)
        self._state = "running"

    def joined(self, participant_id: str, name: str) -> None:
        """Shown from now on."""
        self._feed.joined(participant_id, name)

    def left(self, participant_id: str) -> None:
        """Not shown any more."""
        self._feed.left(participant_id)

    def named(self, participant_id: str, name: str) -> None:
        """Shown with another name."""
        self._feed.named(participant_id, name)

    def talked(self, participant_id: str, talking: bool, ago_ms: int) -> None:
        """Marked as talking, or not any more."""
        self._feed.talked(participant_id, talking)

    async def stop(self, why: OutputEnd) -> None:
        """Back when the last words are in the playlist, and the playlist says that nothing follows."""
        if self._state in ("starting", "ending", "ended"):
            return
        self._state = "ending"
        self._feed.flush()
        self._feed.encoder.remove(self._order.stream_id)
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self._live.closed.wait()
        except TimeoutError:
            log.error("x the last words of the stream %s are not in it", self._order.stream_id)
            self._live.stream.end()
        await self._outputs.rooms.leave(self._feed, self._port)
        self._outputs.linger(self._live)
        self._state = "ended"

    def look(self) -> OutputLook:
        """With how late it is, and who waits."""
        if self._state == "starting":
            return OutputLook(self.kind, self._state)
        figures = self._live.stream.figures()
        shown: dict[str, float] = {
            "segments": figures.segments,
            "bytes": figures.bytes,
            "waiting_requests": figures.waiting,
        }
        if figures.delay_p50_ms is not None and figures.delay_p99_ms is not None:
            shown |= {"delay_p50_ms": figures.delay_p50_ms, "delay_p99_ms": figures.delay_p99_ms}
        trouble = self._live.trouble or self._feed.trouble
        state: OutputState = "troubled" if trouble and self._state == "running" else self._state
        return OutputLook(self.kind, state, trouble, shown)


def _spec_of(order: HlsOrder) -> HlsSpec:
    """As the encoder is told. Raises BadInput."""
    sound, picture = order.sound, order.picture
    return HlsSpec(
        order.container,
        SoundSpec(sound.codec, sound.bitrate, sound.channels, sound.rate_hz),
        None if picture is None else PictureSpec(picture.width, picture.height, picture.fps, picture.bitrate),
        order.segment_s,
        order.part_s,
        "event" if order.whole else "live",
        order.window,
        CaptionSpec() if order.captions else None,
    )


def _fresh(directory: Path) -> None:
    """Made anew: what a killed server left belongs to nobody."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
