"""`/live/{application}/{conference}?access_token=…`: what goes on in a conference, ten times a second.

Browsers cannot set headers on a WebSocket, so the token may come in the query. A participant's token gives
levels; an application's gives people, looks, streams and outputs as well. The timer runs only while somebody
is watching. A reader that does not keep up misses levels, never a change of people, streams or outputs, and
is let go after a while.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bridge.errors import NoSuchRoom
from bridge.people import Conference, Participant
from bridge.sockets import Accept, Refuse, Socket, UpgradeRequest
from bridge.status import RoomStatus
from bridge.web import live_wire
from bridge.web.ports import Outputs, People, Rooms, Streams, Tokens

log = logging.getLogger(__name__)

BEAT_S = 0.1
BEATS_PER_LOOK = 5
BEATS_PER_REPEAT = 10
"""Levels that did not change are said again this often, so that a reader can tell quiet from dead."""
MAX_UNSENT_BYTES = 64 * 1024
MAX_SKIPPED = 100
"""Beats in a row a reader may miss before it is let go: 10 s."""
MAX_WATCHERS_EACH = 8
"""Sockets of one participant, or of the application, on one conference."""

ENDED = 4000
EXPELLED = 4001
TRY_AGAIN_LATER = 1013
INTERNAL_ERROR = 1011

_PATH = re.compile(r"/live/([^/]+)/([^/]+)/?")


class Timer(Protocol):
    """What `call_later` gives."""

    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]


def _loop_call_later(delay_s: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(delay_s, call)


class Watcher:
    """One open live socket; `participant_id` is None for the application's."""

    def __init__(self, live: Live, application_id: str, conference_id: str, participant_id: str | None):
        self.application_id = application_id
        self.conference_id = conference_id
        self.participant_id = participant_id
        self.socket: Socket | None = None
        self.told: dict[str, bytes] = {}
        """The newest of each kind of news."""
        self.skipped = 0
        self._live = live

    def opened(self, socket: Socket) -> None:
        self.socket = socket
        self._live.add(self)

    def received(self, message: bytes, is_text: bool) -> None:
        """Nothing is expected; whatever comes is dropped."""

    def closed(self, code: int, reason: str) -> None:
        self._live.remove(self)

    def tell(self, message: bytes) -> bool:
        """Send unless too much is waiting already."""
        if self.socket is None or self.socket.unsent_bytes > MAX_UNSENT_BYTES:
            return False
        return self.socket.send_text(message)

    def dismiss(self, code: int, reason: str) -> None:
        """Close the socket and watch no longer."""
        self._live.remove(self)
        if self.socket is not None:
            self.socket.close(code, reason)


@dataclass(slots=True)
class _Watch:
    """The watchers of one conference and what they were told."""

    watchers: list[Watcher] = field(default_factory=list)
    beats: int = 0
    levels: bytes = b""
    levels_beat: int = 0


class Live:
    """The door and the beat. `beat` is called by a timer of its own, and by tests."""

    def __init__(
        self,
        directory: People,
        switchboard: Rooms,
        applications: Tokens,
        streams: Streams,
        outputs: Outputs,
        *,
        call_later: CallLater = _loop_call_later,
    ) -> None:
        self._directory = directory
        self._switchboard = switchboard
        self._applications = applications
        self._streams = streams
        self._outputs = outputs
        self._call_later = call_later
        self._watches: dict[tuple[str, str], _Watch] = {}
        self._timer: Timer | None = None
        self.messages_sent = 0
        self.messages_skipped = 0

    @property
    def watchers(self) -> int:
        """Number of open live sockets."""
        return sum(len(watch.watchers) for watch in self._watches.values())

    async def door(self, request: UpgradeRequest) -> Accept | Refuse | None:
        """Accept a participant of the conference or its application; None for other paths."""
        match = _PATH.fullmatch(request.path)
        if match is None:
            return None
        application_id, conference_id = match.groups()
        token = request.bearer or ""
        participant = self._directory.participant_by_token(token) if token else None
        if participant is not None:
            known = participant.application_id == application_id
            if not known or participant.conference_id != conference_id:
                return _refuse(403, "this token belongs to another conference")
            participant_id: str | None = participant.id
        elif token and self._applications.authenticate(token) == application_id:
            participant_id = None
        else:
            return _refuse(401, "no valid token was given")
        try:
            self._directory.conference(application_id, conference_id)
        except NoSuchRoom:
            return _refuse(404, "no such conference")
        watch = self._watches.get((application_id, conference_id))
        if watch and _count(watch, participant_id) >= MAX_WATCHERS_EACH:
            return _refuse(429, "too many live sockets of this participant")
        watcher = Watcher(self, application_id, conference_id, participant_id)
        return Accept(watcher, max_message_bytes=1024)

    def add(self, watcher: Watcher) -> None:
        """From the next beat on, `watcher` is told what goes on."""
        watch = self._watches.setdefault((watcher.application_id, watcher.conference_id), _Watch())
        watch.watchers.append(watcher)
        watch.levels = b""  # so that the newcomer need not wait for a change
        if self._timer is None:
            self._timer = self._call_later(BEAT_S, self._on_timer)

    def remove(self, watcher: Watcher) -> None:
        """Nothing happens when it is gone already."""
        key = (watcher.application_id, watcher.conference_id)
        watch = self._watches.get(key)
        if watch is None or watcher not in watch.watchers:
            return
        watch.watchers.remove(watcher)
        if not watch.watchers:
            del self._watches[key]
        if not self._watches and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def beat(self) -> None:
        """Look at every watched conference once and tell its watchers."""
        for key, watch in list(self._watches.items()):
            try:
                self._beat(*key, watch)
            except Exception:
                log.exception("x live levels failed", extra={"room": key[1]})
                for watcher in list(watch.watchers):
                    watcher.dismiss(INTERNAL_ERROR, "internal error")

    def _on_timer(self) -> None:
        self._timer = None
        self.beat()
        if self._watches and self._timer is None:
            self._timer = self._call_later(BEAT_S, self._on_timer)

    def _beat(self, application_id: str, conference_id: str, watch: _Watch) -> None:
        try:
            conference = self._directory.conference(application_id, conference_id)
        except NoSuchRoom:
            for watcher in list(watch.watchers):
                watcher.dismiss(ENDED, "the conference has ended")
            return
        participants = self._directory.participants(conference)
        present = {participant.id for participant in participants}
        status = self._look(conference_id)
        watch.beats += 1
        levels = live_wire.levels(status, participants)
        due = levels != watch.levels or watch.beats - watch.levels_beat >= BEATS_PER_REPEAT
        if due:
            watch.levels, watch.levels_beat = levels, watch.beats
        news = self._news(conference, participants, status, watch)
        looks = live_wire.looks(status) if news and watch.beats % BEATS_PER_LOOK == 0 else b""
        for watcher in list(watch.watchers):
            if watcher.participant_id is None:
                for kind, message in news.items():
                    if message != watcher.told.get(kind) and self._tell(watcher, message):
                        watcher.told[kind] = message
                if looks:
                    self._tell(watcher, looks)
            elif watcher.participant_id not in present:
                watcher.dismiss(EXPELLED, "expelled")
                continue
            if due:
                self._tell(watcher, levels)

    def _news(
        self, conference: Conference, participants: Sequence[Participant], status: RoomStatus, watch: _Watch
    ) -> dict[str, bytes]:
        """What is told to the application when it has changed, by kind; nothing where it does not watch."""
        operators = [watcher for watcher in watch.watchers if watcher.participant_id is None]
        if not operators:
            return {}
        news = {"people": live_wire.people(conference, participants)}
        if watch.beats % BEATS_PER_LOOK == 0 or not all("streams" in one.told for one in operators):
            streams = self._streams.look(conference.application_id, conference.id, status)
            news["streams"] = live_wire.streams(streams)
            news["outputs"] = live_wire.outputs(self._outputs.look(conference))
        return news

    def _look(self, conference_id: str) -> RoomStatus:
        try:
            return self._switchboard.look(conference_id, watched=True)
        except NoSuchRoom:
            return RoomStatus()

    def _tell(self, watcher: Watcher, message: bytes) -> bool:
        if watcher.tell(message):
            watcher.skipped = 0
            self.messages_sent += 1
            return True
        self.messages_skipped += 1
        watcher.skipped += 1
        if watcher.skipped > MAX_SKIPPED:
            watcher.dismiss(TRY_AGAIN_LATER, "too slow")
        return False


def _count(watch: _Watch, participant_id: str | None) -> int:
    return sum(watcher.participant_id == participant_id for watcher in watch.watchers)


def _refuse(status: int, text: str) -> Refuse:
    return Refuse(status, b'{"error": "%s"}' % text.encode())
