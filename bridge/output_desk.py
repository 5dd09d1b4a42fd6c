"""The outputs of all conferences: starts and stops them, and tells each who is there and who talks.

An output hears through its taps and is told the rest here. When its conference closes it is ended; whoever
needs to know that it is through awaits `stop`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bridge.background import Background
from bridge.changes import Change, ConferenceClosed, ParticipantChanged, ParticipantRemoved
from bridge.core.ports import Output, OutputEnd, OutputFactory, OutputLook, OutputSpec
from bridge.errors import Draining, NoSuchRoom
from bridge.people import Conference, Participant
from bridge.room_taps import RoomTaps
from bridge.switch_events import SwitchEvent, Talking

log = logging.getLogger(__name__)


class Rooms(Protocol):
    """What is needed of the switchboard."""

    @property
    def draining(self) -> bool: ...

    def taps(
        self,
        room_id: str,
        tick: Callable[[], int],
        sound_ms: Callable[[], int],
        on_report: Callable[[str], None],
    ) -> RoomTaps: ...

    def subscribe(self, listener: Callable[[SwitchEvent], None]) -> None: ...


class People(Protocol):
    """What is needed of the directory."""

    def participants(self, conference: Conference) -> list[Participant]: ...

    def subscribe(self, listener: Callable[[Change], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class OutputTrouble:
    """Something went wrong with an output, and is being mended; an empty text: all is well again."""

    conference_id: str
    output_id: str
    text: str


@dataclass(slots=True)
class _Running:
    conference_id: str
    output: Output
    taps: RoomTaps
    changed_at: float
    troubled: bool = False
    stopping: asyncio.Task[None] | None = None


class OutputDesk:
    """See the module's docstring. `factories` maps a spec's type to what makes its output."""

    def __init__(
        self,
        rooms: Rooms,
        people: People,
        factories: Mapping[type, OutputFactory],
        tick: Callable[[], int],
        sound_ms: Callable[[], int],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._rooms = rooms
        self._people = people
        self._factories = dict(factories)
        self._tick = tick
        self._sound_ms = sound_ms
        self._now = now
        self._running: dict[str, _Running] = {}
        self._by_conference: dict[str, dict[str, _Running]] = {}
        """The same: who talks is told in the tick, and must not look through everybody's outputs."""
        self._talking: dict[str, set[str]] = {}
        """Conference → who talks now, for outputs that begin meanwhile."""
        self._listeners: list[Callable[[OutputTrouble], None]] = []
        self._background = Background(log, "an output did not end cleanly")
        rooms.subscribe(self._switched)
        people.subscribe(self._changed)

    async def start(self, conference: Conference, output_id: str, spec: OutputSpec) -> None:
        """Begin one. Raises Draining, NoSuchRoom, ValueError for a taken id, and what the output raises."""
        if self._rooms.draining:
            raise Draining()
        if output_id in self._running:
            raise ValueError("there is an output of that id")
        taps = self._rooms.taps(
            conference.id, self._tick, self._sound_ms,
            lambda trouble: self._report(conference.id, output_id, trouble),
        )  # fmt: skip
        running = _Running(conference.id, self._factories[type(spec)](taps, spec), taps, self._now())
        self._running[output_id] = running
        self._by_conference.setdefault(conference.id, {})[output_id] = running
        try:
            await running.output.start()
        except BaseException:
            self._drop(output_id, running)
            taps.close()
            raise
        if running.stopping is not None:  # its conference was closed meanwhile
            raise NoSuchRoom("no such conference")
        talking = self._talking.get(conference.id, ())
        for participant in self._people.participants(conference):
            if participant.online:
                running.output.joined(participant.id, participant.name)
                if participant.id in talking:
                    running.output.talked(participant.id, True, 0)

    async def stop(self, output_id: str, why: OutputEnd) -> None:
        """End an output; returns when it is through. Nothing happens when there is none of that id."""
        running = self._running.get(output_id)
        if running is not None:
            await asyncio.shield(self._stop(output_id, running, why))

    def look(self, output_id: str) -> OutputLook | None:
        """How it goes; None when there is none of that id."""
        running = self._running.get(output_id)
        return running.output.look() if running else None

    def changed_at(self, output_id: str) -> float | None:
        """When it began, or its trouble began or ended: Unix seconds."""
        running = self._running.get(output_id)
        return running.changed_at if running else None

    def looks(self) -> list[OutputLook]:
        """All of them, for the metrics."""
        return [running.output.look() for running in self._running.values()]

    def subscribe(self, listener: Callable[[OutputTrouble], None]) -> None:
        """Call `listener` when an output is in trouble, and when it is not any more."""
        self._listeners.append(listener)

    async def close(self, why: OutputEnd = "restart") -> None:
        """End all of them, and wait until they are through."""
        for output_id, running in list(self._running.items()):
            self._stop(output_id, running, why)
        await self._background.close()

    # --- inside ---

    def _stop(self, output_id: str, running: _Running, why: OutputEnd) -> asyncio.Task[None]:
        if running.stopping is None:
            running.taps.close()
            running.stopping = self._background.start(self._end(output_id, running, why))
        return running.stopping

    async def _end(self, output_id: str, running: _Running, why: OutputEnd) -> None:
        try:
            await running.output.stop(why)
        finally:
            self._drop(output_id, running)

    def _drop(self, output_id: str, running: _Running) -> None:
        if self._running.get(output_id) is running:
            del self._running[output_id]
            siblings = self._by_conference[running.conference_id]
            del siblings[output_id]
            if not siblings:
                del self._by_conference[running.conference_id]

    def _of(self, conference_id: str) -> list[_Running]:
        return [one for one in self._by_conference.get(conference_id, {}).values() if not one.stopping]

    def _report(self, conference_id: str, output_id: str, trouble: str) -> None:
        running = self._running.get(output_id)
        if running is not None and running.troubled != bool(trouble):
            running.troubled, running.changed_at = bool(trouble), self._now()
        for listener in self._listeners:
            listener(OutputTrouble(conference_id, output_id, trouble))

    def _switched(self, event: SwitchEvent) -> None:
        if isinstance(event, Talking) and event.input_name == "primary":
            if event.talking:
                self._talking.setdefault(event.room_id, set()).add(event.participant_id)
            else:
                self._silent(event.room_id, event.participant_id)
            for running in self._of(event.room_id):
                running.output.talked(event.participant_id, event.talking, event.ago_ms or 0)

    def _changed(self, change: Change) -> None:
        match change:
            case ParticipantChanged(before=before, after=after):
                self._tell(change.conference_id, before, after)
            case ParticipantRemoved(participant=gone):
                self._silent(change.conference_id, gone.id)
                if gone.online:
                    for running in self._of(change.conference_id):
                        running.output.left(gone.id)
            case ConferenceClosed():
                self._talking.pop(change.conference_id, None)
                for output_id, running in list(self._by_conference.get(change.conference_id, {}).items()):
                    self._stop(output_id, running, "conference ended")
            case _:
                pass

    def _silent(self, conference_id: str, participant_id: str) -> None:
        talking = self._talking.get(conference_id)
        if talking is not None:
            talking.discard(participant_id)
            if not talking:
                del self._talking[conference_id]

    def _tell(self, conference_id: str, before: Participant, after: Participant) -> None:
        if not after.online:
            self._silent(conference_id, after.id)
        for running in self._of(conference_id):
            if after.online and not before.online:
                running.output.joined(after.id, after.name)
            elif before.online and not after.online:
                running.output.left(after.id)
            elif after.online and before.name != after.name:
                running.output.named(after.id, after.name)
