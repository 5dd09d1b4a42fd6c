"""Turn figures of streams that play something back: who waits for the service, who talks over it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

import msgspec

from bridge.facades.plivo.fork import Fork
from bridge.facades.plivo.seats import Seats, Switching
from bridge.turns.report import TurnReport

log = logging.getLogger(__name__)


class Turns(Protocol):
    """Measures the turns between a service and whom it hears (`bridge.turns.watch.TurnWatch`)."""

    def watch(
        self, room_id: str, participant_id: str, hears: Callable[[str], bool], sounding: Collection[str]
    ) -> object:
        """From now on, for the service on that seat; `sounding` are those who speak already."""

    def report(self, room_id: str, participant_id: str) -> TurnReport | None:
        """The figures so far."""

    def unwatch(self, room_id: str, participant_id: str) -> TurnReport:
        """The end, and all the figures. Raises KeyError for what is not watched."""


class ForkTurns:
    """Has every bidirectional stream measured from the moment its service is reached to its end."""

    def __init__(self, seats: Seats, switchboard: Switching, turns: Turns | None) -> None:
        """`turns` None: nothing is measured."""
        self._seats = seats
        self._switchboard = switchboard
        self._turns = turns

    def begin(self, fork: Fork) -> None:
        """The service was reached."""
        if self._turns is not None and fork.request.bidirectional:
            sounding, hears = self._sounding(fork.conference_id), partial(self._seats.hears, fork)
            self._turns.watch(fork.conference_id, fork.seat_id, hears, sounding)

    def refresh(self, fork: Fork) -> None:
        """Bring `fork.turns` up to date."""
        if self._turns is not None and not fork.over.is_set():
            fork.turns = self._turns.report(fork.conference_id, fork.seat_id)

    def end(self, fork: Fork) -> None:
        """It is over: the figures are final, and the log has them."""
        if self._turns is None or not fork.request.bidirectional or fork.started_at is None:
            return
        fork.turns = self._turns.unwatch(fork.conference_id, fork.seat_id)
        where = {"room": fork.conference_id, "participant": fork.participant_id or fork.bot_id}
        turns = msgspec.json.encode(fork.turns).decode()
        log.info("- turns of stream %s: %s", fork.id, turns, extra=where)

    def _sounding(self, room_id: str) -> list[str]:
        """Who speaks there at this moment."""
        seen = self._switchboard.look(room_id).participants
        return [
            who
            for who, status in seen.items()
            if "primary" in status.inputs and status.inputs["primary"].talking
        ]
