"""Rooms with live outputs, on a clock that runs as fast as a test wants, and with relays as the server's."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import FrameSink, OutputEnd, OutputSpec
from bridge.egress.gate import EgressGate, EgressSettings
from bridge.outputs.back_off import BackOff
from bridge.outputs.hls_shelf import HlsShelf
from bridge.outputs.live_branches import BranchSettings
from bridge.outputs.live_encoder import LiveEncoder
from bridge.outputs.live_outputs import LiveOutput, LiveOutputs
from bridge.outputs.published_streams import PublishedStream
from bridge.runtime.rtmp_relay import Relay, RelayLimits
from bridge.runtime.tls_out import client_context
from tests.kit.tones import tone

RATE = 48_000
FRAME = 960
TONE_HZ = 600
IMPATIENT = RelayLimits(taken_s=2.0, connected_s=2.0, answered_s=2.0, stalled_s=2.0)
SOON = BackOff(first_s=0.2, most_s=1.0, forget_s=30.0)


class Port:
    """A room as one output hears it: an `OutputPort`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.room_id = room.name
        self.program: FrameSink | None = None
        self.reports: list[str] = []

    def tick(self) -> int:
        return self._room.position

    def sound_ms(self) -> int:
        return round(time.time() * 1_000)

    def open_program(self, sink: FrameSink) -> None:
        self.program = sink

    def open_participant(self, participant_id: str, sink: FrameSink) -> None:
        raise AssertionError("live outputs hear the program")

    def close_participant(self, participant_id: str) -> None:
        raise AssertionError("live outputs hear the program")

    def levels(self) -> Mapping[str, int]:
        return dict(self._room.loudness)

    def report(self, trouble: str) -> None:
        self.reports.append(trouble)


class Room:
    """Ticks with a tone in them; `run` makes them pass. Outputs are told who is there as the desk does it."""

    def __init__(self, outputs: LiveOutputs, name: str = "room") -> None:
        self.name = name
        self.position = 1_000
        self.ports: dict[LiveOutput, Port] = {}
        self.loudness: dict[str, int] = {}
        self._outputs = outputs
        self._people: dict[str, str] = {}
        self._sound = tone(TONE_HZ, 1.0, RATE).astype("<i2")
        self._began = self.position
        self._ticking: asyncio.Task[None] | None = None

    async def start(self, spec: OutputSpec) -> LiveOutput:
        port = Port(self)
        output = self._outputs(port, spec)
        self.ports[output] = port
        await output.start()
        for person, name in self._people.items():
            output.joined(person, name)
        return output

    async def stop(self, output: LiveOutput, why: OutputEnd = "stopped") -> None:
        """Its port is closed first, as the desk does."""
        self.ports[output].program = None
        await output.stop(why)
        del self.ports[output]

    def join(self, person: str, name: str) -> None:
        self._people[person] = name
        for output in self.ports:
            output.joined(person, name)

    def talk(self, person: str, talking: bool) -> None:
        for output in self.ports:
            output.talked(person, talking, 0)

    def tick(self) -> None:
        self.position += 1
        at = self.position * FRAME % RATE
        frame = self._sound[at : at + FRAME].tobytes()
        for port in self.ports.values():
            if port.program is not None:
                port.program.send_frame(frame, False, False)

    async def run(self, seconds: float, speed: float = 5.0) -> None:
        """So much time of the room passes."""
        for _ in range(round(seconds * 50)):
            self.tick()
            await asyncio.sleep(0.02 / speed)

    async def run_until(self, holds: Callable[[], bool], within_s: float = 15.0, speed: float = 5.0) -> None:
        """Time of the room passes until `holds`; `within_s` is real."""
        async with asyncio.timeout(within_s):
            while not holds():
                await self.run(0.1, speed)


class LiveHouse:
    """Everything that live outputs need."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: RelayLimits = IMPATIENT,
        tls: ssl.SSLContext | None = None,
        h264: bool = True,
        back_off: BackOff = SOON,
        stalled_s: float = 3.0,
        lingers_s: float = 0.0,
        publish: Callable[[str, str, bool], PublishedStream] | None = None,
    ) -> None:
        self.gate = EgressGate(EgressSettings(allow_private=True), _look_up)
        self.shelf = HlsShelf()
        self.root = folder / "live"
        self.relays: list[Relay] = []
        self._tls = tls or client_context()
        self._limits = limits
        self.outputs = LiveOutputs(
            BranchSettings(
                self.root,
                self.shelf,
                self._relay,
                h264,
                back_off,
                stalled_s,
                publish=publish,
                lingers_s=lingers_s,
            ),
            title=lambda room: "A room",
        )
        self.rooms: list[Room] = []

    def encoder(self, room: str = "room") -> LiveEncoder:
        """That of a room with live outputs."""
        return self.outputs._rooms[room].encoder

    def room(self, name: str = "room") -> Room:
        room = Room(self.outputs, name)
        self.rooms.append(room)
        return room

    async def swept(self, within_s: float = 5.0) -> None:
        """Until no stream has a directory."""
        async with asyncio.timeout(within_s):
            while [*self.root.iterdir()]:  # noqa: ASYNC110 - nobody tells of a deleted file
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        """End what a test left."""
        for room in self.rooms:
            for output in [*room.ports]:
                await room.stop(output)
        self.shelf.close()

    def _relay(self, url: str) -> Relay:
        relay = Relay(self.gate, url, self._tls, self._limits)
        self.relays.append(relay)
        return relay


@asynccontextmanager
async def tls_in_front(port: int, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """TLS on a port of its own, plain to `port`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        one = asyncio.ensure_future(_copy(reader, inner_writer))
        other = asyncio.ensure_future(_copy(inner_reader, writer))
        await asyncio.wait((one, other), return_when="FIRST_COMPLETED")
        for task in (one, other):
            task.cancel()
        await asyncio.gather(one, other, return_exceptions=True)
        for end in (writer, inner_writer):
            end.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


def heard_in(file: Path) -> tuple[NDArray[np.float32], int]:
    """The sound of a file at int16 scale (its first channel), and its rate."""
    with av.open(str(file)) as container:
        frames = list(container.decode(container.streams.audio[0]))
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)
    if frames[0].format.name.startswith("flt"):
        sound *= 32_768
    return sound, frames[0].sample_rate


def times_in(file: Path) -> dict[str, list[float]]:
    """The times of a file's packets in seconds, by the kind of their stream, and of key pictures as `key`."""
    times: dict[str, list[float]] = {"audio": [], "video": [], "key": []}
    with av.open(str(file)) as container:
        for packet in container.demux():
            if packet.pts is None:
                continue
            at = float(packet.pts * packet.time_base)
            times[packet.stream.type].append(at)
            if packet.stream.type == "video" and packet.is_keyframe:
                times["key"].append(at)
    return times


async def _look_up(host: str) -> list[str]:
    return ["127.0.0.1"]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 14):
        writer.write(piece)
        await writer.drain()
