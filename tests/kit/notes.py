"""Outputs that only write down what they are told, and rooms to make them in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bridge.core.ports import OutputEnd, OutputLook, OutputPort, OutputSpec
from bridge.dispatch import Dispatch
from bridge.errors import NoSuchRoom
from bridge.patch import RoomPatch
from bridge.room_taps import RoomTaps
from tests.kit.studio import Studio
from tests.kit.switchboards import FakeSwitchboard


class Notes:
    """An output that writes down what it is told, looks as it is said, and with `hold` does not end."""

    kind = "notes"

    def __init__(self, port: OutputPort, spec: OutputSpec) -> None:
        self.port = port
        self.told: list[tuple[object, ...]] = []
        self.fails: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.hold_start: asyncio.Event | None = None
        self.shown: OutputLook | None = None

    async def start(self) -> None:
        if self.hold_start is not None:
            await self.hold_start.wait()
        if self.fails:
            raise self.fails

    def joined(self, participant_id: str, name: str) -> None:
        self.told.append(("joined", participant_id, name))

    def left(self, participant_id: str) -> None:
        self.told.append(("left", participant_id))

    def named(self, participant_id: str, name: str) -> None:
        self.told.append(("named", participant_id, name))

    def talked(self, participant_id: str, talking: bool, ago_ms: int) -> None:
        self.told.append(("talked", participant_id, talking, ago_ms))

    async def stop(self, why: OutputEnd) -> None:
        if self.hold is not None:
            await self.hold.wait()
        self.told.append(("stopped", why))

    def look(self) -> OutputLook:
        return self.shown or OutputLook(self.kind, "running")


class Rooms(FakeSwitchboard):
    """With taps of silent rooms."""

    def taps(
        self,
        room_id: str,
        tick: Callable[[], int],
        sound_ms: Callable[[], int],
        on_report: Callable[[str], None],
    ) -> RoomTaps:
        if room_id not in self.rooms:
            raise NoSuchRoom(room_id)
        return RoomTaps(RoomPatch(room_id, Studio().bus, Dispatch()), tick, sound_ms, on_report)
