"""The players of all conferences: participants that play something, and what is said of how they do.

They are not taken up again after a restart. A player is made as a transient participant, who is removed when
it is over; one that was to be kept stays, and plays again from the beginning when its source is changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from bridge.changes import Change, ConferenceClosed, ParticipantRemoved
from bridge.core.ports import CloseReason, PlayerSource
from bridge.directory import Directory
from bridge.errors import BadInput, NoSuchParticipant, NoSuchRoom
from bridge.people import Actor, Conference, Participant
from bridge.quota import Limit, Quota
from bridge.status import RoomStatus
from bridge.switch_events import LegDown, LegUp, SwitchEvent

SCHEMES = ("rtmp", "rtmps", "http", "https")
MOST_PERCENT = 200
_KIND = "player"
_MOST_CHARACTERS = 4_096


class NoSource(BadInput):
    """That participant plays nothing and never did."""


class SourceWishes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be played, from an address or a file, and how."""

    url: str = ""
    """`rtmp`, `rtmps`; `http` and `https` for HLS, FLV and other sound."""
    file: str = ""
    """A path below one of the server's `players.directories`."""
    volume: float = 100.0
    """Per cent, 0 to 200."""
    loop: bool = False
    paused: bool = False
    keep: bool = False
    """The participant stays when it is over."""

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.file):
            raise ValueError("a source has a `url` or a `file`")
        if max(len(self.url), len(self.file)) > _MOST_CHARACTERS:
            raise ValueError(f"a source's address has at most {_MOST_CHARACTERS} characters")
        _check_volume(self.volume)

    def __repr__(self) -> str:
        return f"SourceWishes(file={self.file!r}, …)"  # addresses hold keys


class SourceChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How it is to be played from now on; what is left out stays as it is."""

    volume: float | None = None
    loop: bool | None = None
    paused: bool | None = None

    def __post_init__(self) -> None:
        if self.volume is not None:
            _check_volume(self.volume)


@dataclass(frozen=True, slots=True)
class Playing:
    """What a participant plays, as it is now."""

    source: PlayerSource
    state: str
    """`connecting`, `connected`, `interrupted`, or `closed` when it is over."""


@dataclass(slots=True)
class _Player:
    conference_id: str
    source: PlayerSource
    active: bool
    """It has a place among those that play."""


class Board(Protocol):
    """What is needed of the switchboard."""

    def subscribe(self, listener: Callable[[SwitchEvent], None]) -> None: ...
    def look(self, room_id: str) -> RoomStatus: ...


@dataclass(frozen=True, slots=True)
class PlayerLimits:
    """How many there may be."""

    per_conference: int = 10
    total: int = 100


class Players:
    """`check_url` and `check_file` raise BadInput (EgressRefused) for what is never played."""

    def __init__(
        self,
        directory: Directory,
        board: Board,
        check_url: Callable[[str], object],
        check_file: Callable[[str], Awaitable[object]],
        limits: PlayerLimits | None = None,
    ) -> None:
        self._directory = directory
        self._board = board
        self._check_url = check_url
        self._check_file = check_file
        self._limits = limits or PlayerLimits()
        self._quota = Quota()
        self._players: dict[str, _Player] = {}
        """Participant → what they play, or have played and would play again."""
        directory.subscribe(self._changed)
        board.subscribe(self._switch_event)

    async def play(
        self, conference: Conference, wishes: SourceWishes, *, by: Actor, **fields: Any
    ) -> tuple[Participant, str]:
        """A new participant who plays that, and their token; `fields` as in `Directory.add_participant`.

        Does not wait for the source. Raises BadInput, EgressRefused, LimitReached, and what making and
        connecting a participant raises.
        """
        source = PlayerSource(wishes.url, wishes.file, wishes.volume / 100, wishes.loop, wishes.paused)
        if source.url:
            self._check_url(source.url)
        else:
            await self._check_file(source.file)
        self._quota.take(*self._places(conference.id))
        try:
            participant, token = await self._directory.add_participant(
                conference, by=by, transient=not wishes.keep, **fields
            )
        except BaseException:
            self._quota.give_back(*self._places(conference.id))
            raise
        self._players[participant.id] = _Player(conference.id, source, active=True)
        try:
            await self._directory.connect(participant, source)
        except BaseException:
            with suppress(NoSuchRoom, NoSuchParticipant):
                await self._directory.remove_participant(participant, by=by)
            raise
        return participant, token

    async def change(self, participant: Participant, change: SourceChange) -> None:
        """Play on like that; what is over begins again. Raises NoSource, LimitReached, and what connecting
        raises.
        """
        player = self._players.get(participant.id)
        if player is None:
            raise NoSource("this participant plays nothing")
        before = player.source
        player.source = PlayerSource(
            before.url,
            before.file,
            before.volume if change.volume is None else change.volume / 100,
            before.loop if change.loop is None else change.loop,
            before.paused if change.paused is None else change.paused,
        )
        again = not player.active
        try:
            if again:
                self._quota.take(*self._places(player.conference_id))
                player.active = True
            await self._directory.connect(participant, player.source)
        except BaseException:
            player.source = before
            if again:
                self._rest(player)
            raise

    async def stop(self, participant: Participant) -> None:
        """End it; who was not to be kept is removed. Nothing happens when nothing is played."""
        player = self._players.get(participant.id)
        if player is not None and player.active:
            await self._directory.disconnect(participant, CloseReason.HANGUP)

    def look(self, participant: Participant) -> Playing | None:
        """None: they play nothing and never did."""
        player = self._players.get(participant.id)
        if player is None:
            return None
        if not player.active:
            return Playing(player.source, "closed")
        try:
            there = self._board.look(player.conference_id).participants.get(participant.id)
        except NoSuchRoom:
            there = None
        return Playing(player.source, there.leg.state if there is not None else "connecting")

    # --- inside ---

    def _places(self, conference_id: str) -> tuple[Limit, Limit]:
        limits = self._limits
        here = Limit("players.per_conference", limits.per_conference, conference_id)
        return here, Limit("players.total", limits.total)

    def _rest(self, player: _Player) -> None:
        if player.active:
            player.active = False
            self._quota.give_back(*self._places(player.conference_id))

    def _forget(self, participant_id: str) -> None:
        player = self._players.pop(participant_id, None)
        if player is not None:
            self._rest(player)

    def _changed(self, change: Change) -> None:
        if isinstance(change, ParticipantRemoved):
            self._forget(change.participant.id)
        elif isinstance(change, ConferenceClosed):
            here = [who for who, one in self._players.items() if one.conference_id == change.conference_id]
            for participant_id in here:
                self._forget(participant_id)

    def _switch_event(self, event: SwitchEvent) -> None:
        player = self._players.get(event.participant_id)
        if player is None:
            return
        # Whoever has a player's token may take its place with a leg of another kind.
        if isinstance(event, LegDown) or (isinstance(event, LegUp) and event.kind != _KIND):
            self._rest(player)


def _check_volume(volume: float) -> None:
    if not 0 <= volume <= MOST_PERCENT:
        raise ValueError(f"`volume` is 0 to {MOST_PERCENT}")
