"""Keeps a turn meter for every stream that is watched, fed by what the switchboard says."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from bridge.core.edges import meter_lag
from bridge.core.meter import MeterSettings
from bridge.core.ports import PTIME_MS
from bridge.switch_events import LegDown, PlayEnded, SwitchEvent, Talking
from bridge.turns.meter import TurnMeter
from bridge.turns.report import Measure, TurnReport, TurnSettings


class Telling(Protocol):
    """Whoever says what happens in the rooms."""

    def subscribe(self, listener: Callable[[SwitchEvent], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Watched:
    meter: TurnMeter
    hears: Callable[[str], bool]


class TurnWatch:
    """Everything on the loop's thread. Costs one look-up for an event in a room where nothing is watched.

    `sound_ms` gives the sound time of the tick being delivered; `meter` is what the mixer's meters were made
    with; `observe` is told every measure of every stream.
    """

    def __init__(
        self,
        switchboard: Telling,
        sound_ms: Callable[[], int],
        meter: MeterSettings,
        observe: Callable[[Measure], None] | None = None,
        settings: TurnSettings | None = None,
    ) -> None:
        self._sound_ms = sound_ms
        self._observe = observe
        self._usual = meter_lag(meter, max(-26.0, meter.talking_dbov + 3))
        loudest = meter_lag(meter, 0.0)
        self._settings = settings or TurnSettings(settle_ms=loudest.ended_ms + PTIME_MS)
        self._rooms: dict[str, dict[str, _Watched]] = {}
        switchboard.subscribe(self._switch_event)

    def watch(
        self,
        room_id: str,
        participant_id: str,
        hears: Callable[[str], bool],
        sounding: Collection[str] = (),
    ) -> TurnMeter:
        """Measure, from now on, the bot on the seat `participant_id` against those whom it hears.

        `hears` is asked with a participant's id whenever one begins to speak. `sounding`: those who are
        speaking at this moment. A stream that is watched already keeps its meter.
        """
        room = self._rooms.setdefault(room_id, {})
        if participant_id not in room:
            now = self._sound_ms()
            watched = _Watched(TurnMeter(now, self._settings, self._observe), hears)
            room[participant_id] = watched
            for who in sounding:
                if who != participant_id and hears(who):
                    watched.meter.caller_talking(who, True, now)
        return room[participant_id].meter

    def report(self, room_id: str, participant_id: str) -> TurnReport | None:
        """The figures so far of a stream that is watched."""
        watched = self._rooms.get(room_id, {}).get(participant_id)
        return watched.meter.report() if watched is not None else None

    def unwatch(self, room_id: str, participant_id: str) -> TurnReport:
        """End the measuring; gives all the figures. Raises KeyError for what is not watched."""
        room = self._rooms[room_id]
        meter = room.pop(participant_id).meter
        if not room:
            del self._rooms[room_id]
        meter.end(self._sound_ms())
        return meter.report()

    def _switch_event(self, event: SwitchEvent) -> None:
        room = self._rooms.get(event.room_id)
        if room is None:
            return
        match event:
            case Talking(input_name="primary"):
                self._talking(room, event)
            case PlayEnded():
                watched = room.get(event.participant_id)
                if watched is not None:
                    self._play_ended(watched.meter, event)
            case LegDown(participant_id=gone):
                now = self._sound_ms()
                for participant_id, watched in room.items():
                    if participant_id == gone:
                        watched.meter.bot_talking(False, now)
                    else:
                        watched.meter.caller_talking(gone, False, now)
            case _:
                pass

    def _talking(self, room: dict[str, _Watched], event: Talking) -> None:
        who, talking, ago_ms = event.participant_id, event.talking, event.ago_ms
        if ago_ms is None:
            ago_ms = self._usual.began_ms if talking else self._usual.ended_ms
        at_ms = self._sound_ms() - ago_ms
        for participant_id, watched in room.items():
            if participant_id == who:
                watched.meter.bot_talking(talking, at_ms)
            elif not talking or watched.hears(who):
                watched.meter.caller_talking(who, talking, at_ms)

    def _play_ended(self, meter: TurnMeter, event: PlayEnded) -> None:
        now = self._sound_ms()
        match event.how:
            case "cut":
                meter.bot_cut(now)
            case "played":
                meter.bot_ended(now + PTIME_MS)
            case "underrun":
                meter.bot_underrun(now)
