"""Players in a room on a manual clock: with decoders in the test's hand, or real ones in child processes."""

from __future__ import annotations

import asyncio
import io
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.core.ports import L16_48K, PlayerSource, ProgramSource
from bridge.egress.gate import EgressGate, EgressSettings
from bridge.legs.demux_wire import (
    RATE_HZ,
    Began,
    Begin,
    Broken,
    Bytes,
    Grant,
    Over,
    Read,
    Sound,
    decode_for_child,
    encode,
)
from bridge.legs.player_leg import PlayerLeg
from bridge.legs.player_legs import PlayerLegs
from bridge.legs.player_settings import PlayerSettings, Surroundings
from bridge.legs.player_sound import QueuedSound
from bridge.player_parts import GatedRemote, begin_demuxing
from bridge.routing import Routing
from bridge.runtime.http_out import HttpOut
from bridge.runtime.rtmp_play import RtmpPlayer
from bridge.runtime.tls_out import client_context
from bridge.switch_events import LegDown
from tests.kit.services import ManualTimers
from tests.kit.studio import Studio
from tests.kit.tones import click_score, level_of, tone

LOUD = 8000.0


class FakeDemuxer:
    """A child without a process. It decodes bytes by reading each as a piece of 100 ms: b"a" is 400 Hz, b"b"
    500 Hz and so on, b"." silence, b"!" death, b"?" what cannot be decoded.
    """

    made: list[FakeDemuxer] = []

    def __init__(self, on_message: Callable[[bytes], None], on_exit: Callable[[int], None]) -> None:
        self._on_message = on_message
        self._on_exit = on_exit
        self._granted = 0
        self._given = 0
        self._sound: deque[NDArray[np.int16] | str] = deque()
        """Pieces, and what else is to happen."""
        self._asked = False
        self._at = 0
        self._begin: Begin | None = None
        self.alive = False
        self.runs = 0
        FakeDemuxer.made.append(self)

    async def start(self) -> None:
        self.alive = True

    async def stop(self, within_s: float) -> None:
        self.kill()

    def kill(self, code: int = -9) -> None:
        if self.alive:
            self.alive = False
            self._on_exit(code)

    def send(self, message: bytes) -> bool:
        if not self.alive:
            return False
        match decode_for_child(message):
            case Begin() as begin:
                self._begin, self._at, self._given, self._asked = begin, 0, 0, False
                self.runs += 1
            case Grant(samples):
                self._granted += samples
            case Bytes(content):
                self._asked = False
                self._at += len(content)
                self._decode(content)
        self._work()
        return True

    def _end(self, how: str) -> None:
        self._begin = None
        self._sound.clear()
        if how == "!":
            self.kill(-24)
        else:
            self._say(Over(self._given) if how == "over" else Broken("it is broken"))

    def _say(self, message: Any) -> None:
        self._on_message(encode(message))

    def _decode(self, content: bytes) -> None:
        self._sound += [byte if byte in "!?" else piece_of(byte) for byte in content.decode()] or ["over"]

    def _work(self) -> None:
        while self._begin is not None and self._sound:
            piece = self._sound[0]
            if isinstance(piece, str):
                self._end(piece)
                return
            if self._granted < len(piece):
                return
            self._sound.popleft()
            if not self._given:
                self._say(Began("fake", "fake", RATE_HZ, 1))
            self._granted -= len(piece)
            self._given += len(piece)
            self._say(Sound(piece.tobytes()))
        if self._begin is not None and not self._asked:
            self._asked = True
            self._say(Read(self._at, 4))


def piece_of(byte: str) -> NDArray[np.int16]:
    """100 ms whose tone begins and ends at zero."""
    if byte == ".":
        return np.zeros(RATE_HZ // 10, np.int16)
    return tone(frequency_of(byte), 0.1, RATE_HZ, LOUD).astype(np.int16)


def frequency_of(byte: str) -> int:
    return 400 + 100 * (ord(byte) - ord("a"))


def fake_demuxer(
    arguments: Mapping[str, object],
    *,
    on_message: Callable[[bytes], None],
    on_exit: Callable[[int], None],
) -> FakeDemuxer:
    return FakeDemuxer(on_message, on_exit)


class NoRemote:
    """Nobody is reached."""

    def get(self, url: str, headers: Mapping[str, str]) -> Any:
        raise AssertionError("nothing is fetched")

    def play(self, url: str) -> Any:
        raise AssertionError("nothing is played")


class Listening:
    """The room's program, at 48 kHz."""

    def __init__(self) -> None:
        self.frames: list[NDArray[np.int16]] = []

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        self.frames.append(np.frombuffer(frame, "<i2"))

    @property
    def sound(self) -> NDArray[np.int16]:
        return np.concatenate(self.frames) if self.frames else np.zeros(0, np.int16)

    def since(self, tick: int) -> NDArray[np.int16]:
        return np.concatenate(self.frames[tick:])


class PlayerHouse(Studio):
    """A studio with players, whose program is listened to."""

    def __init__(
        self,
        *,
        begin: Any = fake_demuxer,
        remote: Any = None,
        directories: tuple[Path, ...] = (),
        settings: PlayerSettings | None = None,
        open_supply: Any = None,
    ) -> None:
        self.timers = ManualTimers()
        around = Surroundings(lambda: self.now, self.timers.call_later, lambda: 0.5)
        self.players = PlayerLegs(begin, remote or NoRemote(), directories, settings, around)
        if open_supply is not None:
            self.players._supplies = open_supply
        self.made: dict[str, PlayerLeg] = {}

        def make(port: Any, spec: Any) -> PlayerLeg:
            leg = self.made[port.participant_id] = self.players(port, spec)
            return leg

        super().__init__(factories={PlayerSource: make})
        self.program = Listening()

    async def listen(self) -> None:
        """Somebody takes part without a word, and takes the program down."""
        ear = await self.phone("ear")
        ear.port.open_frame_output("program", ProgramSource(), L16_48K, self.program)

    async def player(self, name: str = "player", **what: Any) -> PlayerLeg:
        await self.change(name, **what)
        return self.made[name]

    async def change(self, name: str = "player", **what: Any) -> None:
        """Begin it, or change it."""
        await self.board.connect("room", name, PlayerSource(**what), Routing())

    async def go(self, ticks: int) -> None:
        """Time passes, and everybody does what is to be done meanwhile."""
        for _ in range(ticks):
            self.timers.advance(0.02)
            self.run(1)
            for _ in range(12):
                await asyncio.sleep(0)

    async def wait(self, seconds: float) -> None:
        """Time passes of which nobody hears anything."""
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            self.timers.advance(0.1)
            for _ in range(8):
                await asyncio.sleep(0)

    async def go_in_time(self, ticks: int) -> None:
        """The same at the pace of the clock on the wall, for what others do in their own time."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for n in range(ticks):
            self.timers.advance(0.02)
            self.run(1)
            await asyncio.sleep(max(begin + 0.02 * (n + 1) - loop.time(), 0))

    async def go_fast(self, ticks: int, leg: PlayerLeg, stop: Callable[[], bool] = lambda: False) -> None:
        """As fast as the player has something to play, so that it never runs dry for want of time."""
        for _ in range(ticks):
            if stop():
                return
            async with asyncio.timeout(15):
                while not self._ready(leg):  # noqa: ASYNC110 - another process fills it
                    await asyncio.sleep(0.002)
            self.timers.advance(0.02)
            self.run(1)
            await asyncio.sleep(0)

    @staticmethod
    def _ready(leg: PlayerLeg) -> bool:
        sound = leg._sound
        if leg.state == "closed" or not isinstance(sound, QueuedSound):
            return leg.state == "closed"
        return sound._playing_out is not None or leg._source.paused or sound.look().depth_ms > 500

    async def until(self, holds: Callable[[], bool], within_s: float = 10.0) -> None:
        """Run in time until it holds."""
        async with asyncio.timeout(within_s):
            while not holds():
                await self.go_in_time(1)

    async def close(self) -> None:
        await self.board.close()


@asynccontextmanager
async def player_house(**what: Any) -> AsyncIterator[PlayerHouse]:
    house = PlayerHouse(**what)
    await house.listen()
    try:
        yield house
    finally:
        await house.close()


@asynccontextmanager
async def remote_house(
    gate: EgressGate | None = None, settings: PlayerSettings | None = None
) -> AsyncIterator[PlayerHouse]:
    """Real children, and others' servers through a gate; as a rule, one that lets local ones pass."""
    gate = gate or local_gate()
    http = HttpOut(gate)
    remote = GatedRemote(http, RtmpPlayer(gate, client_context()))
    try:
        async with player_house(begin=begin_demuxing, remote=remote, settings=settings) as house:
            yield house
    finally:
        await http.close()


async def connected(house: PlayerHouse, leg: PlayerLeg) -> int:
    """The tick in which it was."""
    await house.until(lambda: leg.state != "connecting")
    assert leg.state == "connected", leg.cause
    return len(house.program.frames)


async def ended(house: PlayerHouse, leg: PlayerLeg | None = None, within_s: float = 15.0) -> str:
    """Why the player left; with `leg`, played as fast as that goes."""

    def over() -> bool:
        return any(isinstance(event, LegDown) for event in house.events)

    if leg is not None:
        await house.go_fast(round(within_s / 0.02), leg, over)
    await house.until(over, within_s)
    return next(event.cause for event in house.events if isinstance(event, LegDown))


def local_gate(**names: str) -> EgressGate:
    """Lets through what is on this machine; every name is."""

    async def look_up(host: str) -> list[str]:
        return [names.get(host, "127.0.0.1")]

    return EgressGate(EgressSettings(allow_private=True), look_up)


def coded(sound: NDArray[Any], container: str, codec: str, rate_hz: int = RATE_HZ, **options: str) -> bytes:
    """A file. `sound`: float or int [samples] at int16 scale, at `rate_hz`."""
    made = io.BytesIO()
    with av.open(made, "w", format=container, container_options=options) as output:
        stream = cast("Any", output.add_stream(codec, rate=rate_hz, layout="mono"))
        if codec not in ("flac", "pcm_s16le"):
            stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(sound.astype(np.int16)[None, :], format="s16", layout="mono")
        frame.sample_rate = rate_hz
        frame.pts = 0
        sample_format, frame_size = stream.codec_context.format, stream.frame_size or 1024
        resampler = av.AudioResampler(
            format=sample_format, layout="mono", rate=rate_hz, frame_size=frame_size
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return made.getvalue()


async def heard_through(house: PlayerHouse, url: str, frequency_hz: int) -> NDArray[np.int16]:
    """What is heard of a tone that is played to its end: one without a seam, for 3.2 s at least."""
    leg = await house.player(url=url)
    begin = await connected(house, leg)
    assert await ended(house, leg) == "played to its end"
    middle = house.program.since(begin + 10)[: 3 * 48_000].astype(np.float64)
    assert click_score(middle, 48_000, frequency_hz) < 0.3
    assert level_of(middle, 48_000, frequency_hz) == pytest.approx(LOUD, rel=0.03)
    return house.program.since(begin - 1)
