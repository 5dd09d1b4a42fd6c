"""The live outputs of all rooms, HLS streams and RTMP pushes: one encoder process for each room with any."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection

from bridge.core.ports import HlsSpec, OutputEnd, OutputLook, OutputPort, OutputSpec, PushSpec
from bridge.errors import BadInput, BridgeError
from bridge.outputs.hls_place import sweep
from bridge.outputs.live_branches import NOT_BEGUN, Branch, BranchSettings, HlsBranch, PushBranch
from bridge.outputs.live_encoder import EncoderFigures
from bridge.outputs.room_encoder import RoomEncoder

Rooms = Callable[[str], RoomEncoder]
"""A new encoder for the room of that id."""


class LiveOutputs:
    """An `OutputFactory` for PushSpec and HlsSpec."""

    def __init__(
        self,
        settings: BranchSettings,
        *,
        title: Callable[[str], str] = lambda room: "",
        encoder: Callable[[str, str], RoomEncoder] = RoomEncoder,
    ) -> None:
        """`title`: what stands above the picture of the room of that id."""
        self._settings = settings
        self._title = title
        self._encoder = encoder
        self._rooms: dict[str, RoomEncoder] = {}
        self._streams: dict[str, LiveOutput] = {}
        """Those that can be marked."""
        self._pushes = 0
        self._past = EncoderFigures(0.0, 0, 0, 0, 0, 0)
        """What those that have ended counted."""

    def __call__(self, port: OutputPort, spec: OutputSpec) -> LiveOutput:
        """Raises BadInput for a coding that cannot be."""

        def branch(on_trouble: Callable[[str], None]) -> Branch:
            if isinstance(spec, PushSpec):
                self._pushes += 1
                return PushBranch(f"push {self._pushes}", port.room_id, spec, self._settings, on_trouble)
            assert isinstance(spec, HlsSpec)
            return HlsBranch(spec, self._settings, on_trouble)

        assert isinstance(spec, PushSpec | HlsSpec)
        levels = isinstance(spec, PushSpec) and spec.levels
        return LiveOutput(port, self, branch, spec.stream_id, levels=levels)

    def mark(self, stream_id: str, payload: str, duration_s: float) -> None:
        """Timed metadata in that stream, from now on. Raises BadInput when nobody would get it."""
        output = self._streams.get(stream_id)
        if output is None:
            raise BadInput(NOT_BEGUN)
        output.mark(payload, duration_s)

    def show(self, stream_id: str, output: LiveOutput) -> None:
        """It can be marked."""
        if stream_id:
            self._streams[stream_id] = output

    def hide(self, stream_id: str, output: LiveOutput) -> None:
        """It cannot any more."""
        if self._streams.get(stream_id) is output:
            del self._streams[stream_id]

    async def clean(self, streams: Collection[str]) -> None:
        """Delete what other streams than these left behind when the server died. Raises BridgeError."""
        try:
            await asyncio.to_thread(sweep, self._settings.root, streams)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "no reason given"
            raise BridgeError(f"the directory of live streams cannot be used: {why}") from None

    def figures(self) -> list[EncoderFigures]:
        """Of all encoder processes."""
        return [room.figures() for room in self._rooms.values()]

    def totals(self) -> EncoderFigures:
        """Of all together; counters run since the server began."""
        all_of_them = [*self.figures(), self._past]
        return EncoderFigures(
            sum(one.cpu_s for one in all_of_them),
            sum(one.sound_encoders for one in all_of_them),
            sum(one.picture_encoders for one in all_of_them),
            sum(one.outputs for one in all_of_them),
            sum(one.begun for one in all_of_them),
            sum(one.holes for one in all_of_them),
        )

    def enter(self, room_id: str, name: str, on_trouble: Callable[[str], None]) -> RoomEncoder:
        """The room's encoder, for one more output."""
        room = self._rooms.get(room_id)
        if room is None:
            room = self._rooms[room_id] = self._encoder(room_id, self._title(room_id))
        room.enter(name, on_trouble)
        return room

    async def leave(self, room: RoomEncoder, name: str) -> None:
        """One less; the last one ends the process."""
        room.leave(name)
        if not room.users:
            if self._rooms.get(room.room) is room:  # whoever comes now begins another one
                del self._rooms[room.room]
            await room.stop()
            ended, past = room.figures(), self._past
            self._past = EncoderFigures(
                past.cpu_s + ended.cpu_s, 0, 0, 0, past.begun + ended.begun, past.holes + ended.holes
            )


class LiveOutput:
    """One of them: an `Output`."""

    def __init__(
        self,
        port: OutputPort,
        outputs: LiveOutputs,
        branch: Callable[[Callable[[str], None]], Branch],
        stream_id: str = "",
        *,
        levels: bool = False,
    ) -> None:
        """`branch` makes what is this output's own; it is given who hears of trouble.

        `levels`: the encoder is told how loud everybody is.
        """
        self._port = port
        self._stream_id, self._levels = stream_id, levels
        self._outputs = outputs
        self._branch = branch(self._changed)
        self._room: RoomEncoder | None = None
        self._hears = self._stopped = False
        self._reported = ""
        self._beginning = asyncio.Lock()

    @property
    def kind(self) -> str:
        """`hls` or `rtmp`."""
        return self._branch.kind

    async def start(self) -> None:
        """Begin to hear. Raises BridgeError when it cannot."""
        name = self._branch.name
        async with self._beginning:
            if self._stopped:
                raise BridgeError("it was ended before it began")
            room = self._room = self._outputs.enter(self._port.room_id, name, self._changed)
            try:
                await room.start(self._port)
                self._port.open_program(room.program)
                self._hears = True
                if self._levels:
                    room.watch_levels(name, self._port.levels)
                await self._branch.begin(room.encoder)
                self._outputs.show(self._stream_id, self)
            except BaseException:
                self._room = None
                await self._outputs.leave(room, name)
                raise

    def joined(self, participant_id: str, name: str) -> None:
        """Shown in the picture."""
        if self._room is not None and self._hears:
            self._room.joined(participant_id, name)

    def left(self, participant_id: str) -> None:
        """Not shown any more."""
        if self._room is not None and self._hears:
            self._room.left(participant_id)

    def named(self, participant_id: str, name: str) -> None:
        """They are called something else."""
        if self._room is not None and self._hears:
            self._room.named(participant_id, name)

    def talked(self, participant_id: str, talking: bool, ago_ms: int) -> None:
        """They began or ceased to talk."""
        if self._room is not None and self._hears:
            self._room.talked(participant_id, talking)

    async def stop(self, why: OutputEnd) -> None:
        """Back when all that was heard is sent or in the playlist, or that takes too long."""
        async with self._beginning:  # what has just begun has something to end
            room, stopped, self._stopped = self._room, self._stopped, True
            self._outputs.hide(self._stream_id, self)
            if room is None or stopped:
                return
            room.flush()
            try:
                await self._branch.end(why)
            finally:
                await self._outputs.leave(room, self._branch.name)

    def mark(self, payload: str, duration_s: float) -> None:
        """Timed metadata from now on. Raises BadInput when nobody would get it."""
        if self._room is None:
            raise BadInput(NOT_BEGUN)
        self._branch.mark(self._room.tick, payload, duration_s)

    def look(self) -> OutputLook:
        """How it goes."""
        look = self._branch.look()
        if self._room is not None and self._room.trouble and look.state in ("starting", "running"):
            return OutputLook(look.kind, "troubled", self._room.trouble, look.figures)
        return look

    def _changed(self, why: str) -> None:
        """Something is wrong with the encoder or the branch, or is not any more."""
        room = self._room
        trouble = (room.trouble if room is not None else "") or self._branch.trouble
        if trouble != self._reported:
            self._reported = trouble
            self._port.report(trouble)
