"""The live calls: whose participant each is, and what happens when its socket is lost, replaced or closed.

A call is known by its id among the calls let in for the same reason (a participant's token, or anything else
for that conference): nobody takes over a call by naming its id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from bridge.background import Background
from bridge.core.ports import CallLink, CallTrack, CaptureOrder, CloseReason
from bridge.directory import Directory
from bridge.errors import Draining, LimitReached, NoSuchParticipant, NoSuchRoom, NotAllowed, Overloaded
from bridge.facades.plivo.names import callee_name, caller_name, canonical
from bridge.facades.plivo.stream_tokens import StreamToken, StreamTokens
from bridge.people import Actor, Conference, Participant
from bridge.sockets import Receiver

log = logging.getLogger(__name__)

INBOUND = "inbound"

NewLink = Callable[[Callable[[CallLink], Awaitable[None]], Callable[[CallLink, CloseReason], None]], Receiver]
"""Makes the receiver of a stream's socket, given `admit(link)` and `over(link, reason)`.

HANGUP: the far side ended the call. FAILED: the connection was lost, the call may come back. Anything else:
the bridge closed it. After FAILED, `over` may be called once more.
"""

CLOSE_CODES: dict[type[Exception], tuple[int, str]] = {
    NotAllowed: (1008, "not allowed"),
    NoSuchRoom: (1008, "no such conference"),
    NoSuchParticipant: (1008, "no such participant"),
    Draining: (1012, "the server restarts"),
    Overloaded: (1013, "the server is overloaded"),
    LimitReached: (1013, "a limit is reached"),
}
"""What a call that cannot be admitted is closed with."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a socket was let in for."""

    conference: Conference
    participant_id: str | None = None
    """Whose token it came with; None: a participant is made for the call."""
    stream_token: StreamToken | None = None
    capture: bool = False
    """It is to be captured."""


@dataclass(slots=True)
class Call:
    """A call with legs, or one whose socket was lost a moment ago."""

    key: tuple[str, str, str]
    link: CallLink
    tracks: dict[str, Participant] = field(default_factory=dict)
    stream_token: StreamToken | None = None
    lost: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class _Turn:
    """Sockets of one call are admitted one after another."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    takers: int = 0


class Calls:
    """Everything about a call between the door and the directory."""

    def __init__(self, directory: Directory, new_link: NewLink, tokens: StreamTokens, grace_s: float) -> None:
        self._directory = directory
        self._new_link = new_link
        self._tokens = tokens
        self._grace_s = grace_s
        self._live: dict[tuple[str, str, str], Call] = {}
        self._admitting: dict[tuple[str, str, str], _Turn] = {}
        self._background = Background(log, "a call's participants could not be removed")

    def __len__(self) -> int:
        return len(self._live)

    def receiver(self, let_in: Pass) -> Receiver:
        """The receiver for a socket that was let in."""
        return self._new_link(partial(self._admit, let_in), self._over)

    def is_waiting(self, conference_id: str) -> bool:
        """Whether a call of that conference has lost its socket and may come back."""
        return any(call.lost is not None and call.key[0] == conference_id for call in self._live.values())

    def find(self, application_id: str, call_id: str) -> Participant | None:
        """Whose call of that application calls itself `call_id`; where it is two people's, the caller.

        `call_id` is `canonical`; how the call writes its own does not matter.
        """
        for call in self._live.values():
            if call_id and canonical(call.link.start.call_id) == call_id:
                people = call.tracks.get(INBOUND) or next(iter(call.tracks.values()), None)
                if people is not None and people.application_id == application_id:
                    return people
        return None

    def headers_of(self, participant_id: str) -> Mapping[str, str]:
        """The extra headers that the participant's call came with; nothing when it is no call."""
        for call in self._live.values():
            if any(one.id == participant_id for one in call.tracks.values()):
                return call.link.start.headers
        return {}

    async def close(self) -> None:
        """Wait for what is still ending."""
        await self._background.close()

    # --- a call begins, or goes on ---

    async def _admit(self, let_in: Pass, link: CallLink) -> None:
        key = (let_in.conference.id, let_in.participant_id or "", link.start.call_id or str(id(link)))
        turn = self._admitting.setdefault(key, _Turn())
        turn.takers += 1
        try:
            async with turn.lock:
                self._check_token(let_in.stream_token, link)
                await self._connect(key, let_in, link)
        except tuple(CLOSE_CODES) as refused:
            code, reason = next(CLOSE_CODES[kind] for kind in type(refused).__mro__ if kind in CLOSE_CODES)
            log.info("x a call was not admitted: %s", reason, extra={"room": let_in.conference.id})
            link.close(code, reason)
        finally:
            turn.takers -= 1
            if not turn.takers:
                del self._admitting[key]

    def _check_token(self, token: StreamToken | None, link: CallLink) -> None:
        if token is None:
            return
        if token.call_id not in (None, link.start.call_id):
            raise NotAllowed("the stream token was used for another call")
        token.call_id = link.start.call_id

    async def _connect(self, key: tuple[str, str, str], let_in: Pass, link: CallLink) -> None:
        call = self._live.get(key)
        if call is not None and tuple(call.tracks) != link.start.tracks:
            self._forget(call)  # it has become another one; its legs end as theirs are replaced or closed
            await self._leave(call, expired=True)
            call = None
        is_new = call is None
        if call is None:
            call = self._live[key] = Call(key, link, stream_token=let_in.stream_token)
        call.link = link
        if call.lost is not None:
            call.lost.cancel()
            call.lost = None
        try:
            for track in link.start.tracks:
                participant = call.tracks.get(track) or await self._participant(let_in, track, link)
                call.tracks[track] = participant
                order = CaptureOrder(str(uuid4()), participant.application_id) if let_in.capture else None
                spec = CallTrack(link, track, receive_only=link.start.tracks != (INBOUND,), capture=order)
                await self._directory.connect(participant, spec)
        except BaseException:
            self._forget(call)
            await self._leave(call, expired=not is_new)
            raise

    async def _participant(self, let_in: Pass, track: str, link: CallLink) -> Participant:
        conference = self._directory.conference(let_in.conference.application_id, let_in.conference.id)
        if let_in.participant_id is not None and track == INBOUND:
            return self._directory.participant(conference, let_in.participant_id)
        headers = link.start.headers
        if track == INBOUND:
            known = let_in.stream_token.name if let_in.stream_token else ""
            name = known or caller_name(headers) or "Caller"
        else:
            name = callee_name(headers) or "Callee"
        made, _ = await self._directory.add_participant(
            conference, by=Actor.system(), name=name, transient=True
        )
        return made

    # --- a call ends, or may ---

    def _over(self, link: CallLink, reason: CloseReason) -> None:
        call = next((call for call in self._live.values() if call.link is link), None)
        if call is None:
            return
        if call.lost is not None:
            call.lost.cancel()
            call.lost = None
        if reason is CloseReason.FAILED:
            loop = asyncio.get_running_loop()
            call.lost = loop.call_later(self._grace_s, self._expire, call)
        else:
            self._forget(call)
            self._background.start(self._leave(call, expired=False))

    def _expire(self, call: Call) -> None:
        self._forget(call)
        self._background.start(self._leave(call, expired=True))

    def _forget(self, call: Call) -> None:
        if self._live.get(call.key) is call:
            del self._live[call.key]
        if call.lost is not None:
            call.lost.cancel()
        if call.stream_token is not None:
            self._tokens.end(call.stream_token)

    async def _leave(self, call: Call, *, expired: bool) -> None:
        """Remove who was made for the call; end the leg of who was not, if it has not ended yet."""
        for participant in call.tracks.values():
            with contextlib.suppress(NoSuchRoom, NoSuchParticipant):  # somebody else was faster
                if participant.transient:
                    await self._directory.remove_participant(participant, by=Actor.system())
                elif expired:
                    await self._directory.disconnect(participant, CloseReason.HANGUP)
