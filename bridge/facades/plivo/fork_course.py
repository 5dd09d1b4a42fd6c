"""What becomes of streams once they are wanted: their places, their ends, and all that happens in between.

What a stream is in its room, `seats` knows; one that has a socket for each participant is the `roster`'s.
A stream ends with its call, by request, after its time, or when its service is lost; the call goes on.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine

from bridge.background import Background
from bridge.changes import Change, ConferenceClosed
from bridge.core.ledger import StreamEnd
from bridge.core.ports import CloseReason
from bridge.directory import Directory
from bridge.errors import BridgeError, LimitReached, Overloaded
from bridge.facades.plivo.accounts import PlivoAccounts
from bridge.facades.plivo.callbacks import Callbacks
from bridge.facades.plivo.fork import (
    API_REQUEST,
    CALL_HANGUP,
    CONNECTION_ERROR,
    TIMED_OUT,
    Ending,
    Fork,
    StatusEvent,
    ending_of,
)
from bridge.facades.plivo.fork_records import ForkRecords
from bridge.facades.plivo.fork_turns import ForkTurns, Turns
from bridge.facades.plivo.roster import Rosters, child_of
from bridge.facades.plivo.seats import Seats, Switching
from bridge.people import Conference, Participant
from bridge.switch_events import (
    Behind,
    Digit,
    LegDown,
    LegInterruptedOn,
    LegResumed,
    LegUp,
    SwitchEvent,
)

log = logging.getLogger(__name__)

STOP_S = 2.0
"""What ending a stream may keep its caller waiting; a longer farewell of its socket goes on behind it."""
RETRY_S = 5.0
"""About so long after a participant's part found no place on this server it asks again."""


class ForkCourse:
    """See the module's docstring. `now` gives Unix seconds; `close` at the end."""

    def __init__(
        self,
        directory: Directory,
        switchboard: Switching,
        accounts: PlivoAccounts,
        callbacks: Callbacks,
        turns: Turns | None,
        now: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._switchboard = switchboard
        self._callbacks = callbacks
        self._now = now
        self._seats = Seats(directory, switchboard, accounts)
        self._rosters = Rosters(directory, self._open_child)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._background = Background(log, "a stream could not be changed")
        self.turns = ForkTurns(self._seats, switchboard, turns)
        self.records = ForkRecords()
        switchboard.subscribe(self._happened)
        directory.subscribe(self._changed)

    async def begin(self, fork: Fork, conference: Conference) -> None:
        """Give it its place in `conference`. Raises what the switchboard raises; it never was, then."""
        self.records.add(fork)
        try:
            if fork.roster:
                self._rosters.begin(fork)
            elif fork.participant_id is None:
                await self._seats.join(fork, conference)
                await self._seated(fork)
            else:
                await self._sit_down(fork)
        except BaseException:
            self.records.drop(fork)
            self._seats.leave(fork)
            fork.ended_at = self._now()
            fork.over.set()
            raise

    async def stop(self, fork: Fork, ending: Ending = API_REQUEST) -> None:
        """End it; nothing happens when it has ended. Returns when it is over, or will be in a moment."""
        if fork.over.is_set():
            return
        fork.ending = fork.ending or ending
        seated = list(fork.children.values()) if fork.roster else [fork]
        closing = {closes for one in seated if (closes := self._unseat(one, ending)) is not None}
        if fork.roster:
            self._rosters.end(fork)
            if not fork.children:
                self._over(fork, ending)
        if closing:
            await asyncio.wait(closing, timeout=STOP_S)

    async def hang_up(self, participant: Participant) -> None:
        """End a call, with all its streams. Returns when it is over, or will be in a moment."""
        hanging_up = self._background.start(self._directory.disconnect(participant, CloseReason.HANGUP))
        await asyncio.wait({hanging_up}, timeout=STOP_S)

    async def close(self) -> None:
        """Wait for what is still ending."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        await self._background.close()

    # --- its place ---

    async def _sit_down(self, fork: Fork) -> None:
        await self._seats.sit_down(fork)
        await self._seated(fork)

    async def _seated(self, fork: Fork) -> None:
        """What happened while its leg was being set up, of which nobody says anything any more."""
        if fork.over.is_set():
            return
        if fork.ledger.ended_at is not None:
            end = StreamEnd.CONNECT_FAILED if fork.ledger.connects == 0 else StreamEnd.CONNECTION_LOST
            self._over(fork, ending_of(end.value))
            await self._seats.close(fork)
        elif fork.ending is not None:
            await self._seats.close(fork)

    # --- one socket for each participant ---

    def _open_child(self, parent: Fork, participant: Participant) -> None:
        child = child_of(parent, participant, self._now())
        parent.children[child.id] = child
        self.records.add(child)
        self._background.start(self._connect_child(child))

    async def _connect_child(self, child: Fork, *, again: bool = False) -> None:
        self._timers.pop(child.id, None)
        if child.over.is_set():
            return
        where = {"room": child.conference_id, "participant": child.participant_id}
        why = "it could not be set up"
        try:
            await self._sit_down(child)
            return
        except (Overloaded, LimitReached) as full:
            if child.ending is None:
                if not again:
                    log.warning("- a participant is not streamed yet: %s", full, extra=where)
                pause_s = RETRY_S * random.uniform(0.5, 1.5)  # not all of them at once
                self._after(pause_s, child, lambda: self._connect_child(child, again=True))
                return
            why = str(full)
        except BridgeError as refused:
            why = str(refused)
            log.warning("x a participant is not streamed: %s", why, extra=where)
        except Exception:
            log.exception("x a participant is not streamed", extra=where)
        self._over(child, Ending(StatusEvent.DROPPED, CONNECTION_ERROR, why))

    # --- its end ---

    def _unseat(self, fork: Fork, ending: Ending) -> asyncio.Task[None] | None:
        """End its leg; a part that waits for a place has none, and is over."""
        fork.ending = fork.ending or ending
        if fork.parent is not None and fork.id in self._timers:
            self._over(fork, ending)
            return None
        return self._background.start(self._seats.close(fork))

    def _over(self, fork: Fork, ending: Ending) -> None:
        if fork.over.is_set():
            return
        fork.ending = ending = fork.ending or ending
        fork.ended_at = self._now()
        fork.over.set()
        self._seats.leave(fork)
        self.records.end(fork)
        if (timer := self._timers.pop(fork.id, None)) is not None:
            timer.cancel()
        where = {"room": fork.conference_id, "participant": fork.participant_id or fork.bot_id}
        log.info("- stream %s ended: %s", fork.id, ending.reason, extra=where)
        self._callbacks.ended(fork)
        self.turns.end(fork)
        if ending.event is StatusEvent.DROPPED and fork.request.hangup_on_close and fork.parent is None:
            self._hang_up_after(fork)
        parent = fork.parent
        if parent is not None:
            parent.child_over(fork)
            if parent.ending is not None and not parent.children:
                self._over(parent, parent.ending)

    def _hang_up_after(self, fork: Fork) -> None:
        person = self._directory.find_participant(fork.application_id, fork.participant_id or "")
        if person is not None:
            self._background.start(self._directory.disconnect(person, CloseReason.HANGUP))

    # --- what happens meanwhile ---

    def _happened(self, event: SwitchEvent) -> None:
        room_id, participant_id = event.room_id, event.participant_id
        own = self._seats.at(room_id, participant_id)
        match event:
            case LegUp():
                if own is not None:
                    self._started(own)
                self._rosters.came(room_id, participant_id)
            case LegDown(cause=cause):
                if own is not None:
                    self._over(own, ending_of(cause))
                for fork in self._seats.of_call(room_id, participant_id):
                    self._unseat(fork, CALL_HANGUP)
            case LegInterruptedOn(cause=cause):
                if own is not None:
                    self._callbacks.interrupted(own, cause)
            case LegResumed():
                if own is not None:
                    self._callbacks.resumed(own)
            case Behind(percent=percent):
                if own is not None:
                    self._callbacks.degraded(own, percent)
            case Digit(digit=digit):
                self._pressed(own, room_id, participant_id, digit)
            case _:
                pass

    def _pressed(self, own: Fork | None, room_id: str, who: str, digit: str) -> None:
        """Tell the services that hear the key; `own`: whose service pressed it."""
        for fork in self._seats.hearing(room_id, who):
            self._switchboard.press(room_id, fork.seat_id, "inbound", digit)
        if own is not None and own.participant_id is not None:
            # It is nobody in the directory, which would say so of itself.
            self._directory.tell_digit(own.conference_id, own.id, digit)

    def _started(self, fork: Fork) -> None:
        if fork.started_at is not None:
            return
        fork.started_at = self._now()
        if fork.parent is not None:
            self._started(fork.parent)
        if fork.roster:  # all others' legs keep their time themselves
            self._after(fork.request.timeout_s, fork, lambda: self.stop(fork, TIMED_OUT))
        self.turns.begin(fork)
        self._callbacks.started(fork)

    def _changed(self, change: Change) -> None:
        """A conference that is over ends the streams that have no seat in it."""
        if isinstance(change, ConferenceClosed):
            for parent in self._rosters.of(change.conference_id):
                self._background.start(self.stop(parent, CALL_HANGUP))

    def _after(self, pause_s: float, fork: Fork, work: Callable[[], Coroutine[object, object, None]]) -> None:
        """Until then, or until the stream is over, `_timers` has it."""
        loop = asyncio.get_running_loop()
        self._timers[fork.id] = loop.call_later(pause_s, lambda: self._background.start(work()))
