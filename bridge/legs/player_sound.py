"""A player's sound on its way into the room: queued as it is played, or live."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from bridge.core.ports import L16_48K, InputLook, LegPort
from bridge.legs.demux_wire import NO_END, RATE_HZ, SAMPLE_BYTES

QUEUED_CHUNK = RATE_HZ // 10
LIVE_CHUNK = RATE_HZ // 50
_FADE = RATE_HZ // 200
_RISE = ((np.arange(_FADE, dtype=np.float32) + 1) / (_FADE + 1)).astype(np.float32)


class PlayerSound(Protocol):
    """Takes what was decoded."""

    chunk: int
    """Samples that are best given at once."""
    hurried: bool
    """It is best given at once, without looking far ahead."""

    def take(self, pcm: bytes) -> None: ...

    def pause(self) -> None:
        """Silence from the next tick on."""

    def resume(self) -> None: ...

    async def played_out(self) -> None:
        """Returns when all that was taken has been heard."""

    def look(self) -> InputLook: ...


class QueuedSound:
    """Through a play queue, which is never filled far ahead: it grants as much as was played.

    Also a `PlaySink`. What is paused is taken out of the queue, and put in again.
    """

    chunk = QUEUED_CHUNK
    hurried = False

    def __init__(
        self, port: LegPort, ahead: int, grant: Callable[[int], None], dry: Callable[[], None]
    ) -> None:
        """`ahead`: samples that are welcome before their time. `dry` is told when nothing is left."""
        self._queue = port.open_play_input("primary", L16_48K, self)
        self._ahead = ahead
        self._grant = grant
        self._dry = dry
        self._open = 0
        """Granted, and not come yet."""
        self._recent: deque[bytes] = deque()
        """What lies in the queue, and perhaps a bit before that."""
        self._held: list[bytes] | None = None
        """While paused: what is to be played."""
        self._marks = 0
        """Of the pieces in the queue, how many are not half heard."""
        self._takes = 0
        """Part of the marks' names: those of before a pause are not taken for those after it."""
        self._playing_out: asyncio.Event | None = None
        self.underruns = 0
        self._ask()

    def take(self, pcm: bytes) -> None:
        """Decoded sound, in its turn."""
        self._open -= len(pcm) // SAMPLE_BYTES
        if self._held is not None:
            self._held.append(pcm)
        else:
            self._play(pcm)

    def pause(self) -> None:
        """Take back what was not played; the last 5 ms of it are heard once more, as a fade."""
        if self._held is not None:
            return
        left = self._left
        recent = b"".join(self._recent)
        self._held = [recent[-left * SAMPLE_BYTES :]] if left else []
        self._recent.clear()
        self._marks = 0
        self._takes += 1
        if left:
            self._queue.clear()

    def resume(self) -> None:
        """Go on where it was."""
        held, self._held = self._held, None
        if held is None:
            return
        sound = _rising(b"".join(held))
        step = self.chunk * SAMPLE_BYTES
        for at in range(0, len(sound), step):
            self._play(sound[at : at + step])
        if self._playing_out is not None:
            self._queue.mark(self._end)
        self._ask()

    async def played_out(self) -> None:
        """Also when nothing was taken."""
        self._playing_out = asyncio.Event()
        if self._held is None:
            self._queue.mark(self._end)
        await self._playing_out.wait()
        self._playing_out = None

    def look(self) -> InputLook:
        """Of the queue; what is held counts too."""
        return self._queue.look()

    # --- PlaySink ---

    def played(self, name: str) -> None:
        """Half of a piece has been heard, or all there is."""
        if name == self._end and self._playing_out is not None:
            self._playing_out.set()
        elif name == self._half:
            # The piece before the one that is being played is not needed any more.
            while len(self._recent) > self._marks:
                self._recent.popleft()
            self._marks -= 1
            self._ask()

    def cleared(self, dropped: tuple[str, ...]) -> None:
        """By us."""

    def ran_dry(self, underrun: bool) -> None:
        """There was nothing to play."""
        if self._held is None and self._playing_out is None:
            self.underruns += 1
            self._dry()

    # --- inside ---

    @property
    def _half(self) -> str:
        return f"half {self._takes}"

    @property
    def _end(self) -> str:
        return f"end {self._takes}"

    @property
    def _left(self) -> int:
        """Samples in the queue."""
        return round(self._queue.look().depth_ms * RATE_HZ / 1000)

    def _play(self, pcm: bytes) -> None:
        # The mark is in the middle: a queue that ends at a mark is taken to have ended on purpose.
        half = len(pcm) // SAMPLE_BYTES // 2 * SAMPLE_BYTES
        self._queue.play(pcm[:half])
        self._queue.mark(self._half)
        self._queue.play(pcm[half:])
        self._recent.append(pcm)
        self._marks += 1

    def _ask(self) -> None:
        held = sum(map(len, self._held or ())) // SAMPLE_BYTES
        wanted = self._ahead - self._left - held - self._open
        if wanted >= min(self.chunk, self._ahead):
            self._open += wanted
            self._grant(wanted)


class LiveSound:
    """Through a live playout buffer, which follows what comes; while paused it goes by unheard."""

    chunk = LIVE_CHUNK
    hurried = True

    def __init__(self, port: LegPort, now: Callable[[], float], grant: Callable[[int], None]) -> None:
        self._input = port.open_audio_input("primary", L16_48K)
        self._now = now
        self._paused = False
        grant(NO_END)

    def take(self, pcm: bytes) -> None:
        """Decoded sound, as it comes."""
        if not self._paused:
            self._input.push(pcm, self._now())

    def pause(self) -> None:
        """Take no notice of what comes."""
        self._paused = True

    def resume(self) -> None:
        """Play what comes from now on."""
        self._paused = False

    async def played_out(self) -> None:
        """It has no end of its own."""

    def look(self) -> InputLook:
        """Of the buffer."""
        return self._input.look()


def _rising(pcm: bytes) -> bytes:
    """The same with 5 ms of a ramp at its beginning."""
    sound = np.frombuffer(pcm, "<i2").astype(np.float32)
    count = min(len(sound), _FADE)
    sound[:count] *= _RISE[:count]
    return np.rint(sound).astype("<i2").tobytes()
