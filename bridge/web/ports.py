"""What the pages need of the rest of the bridge, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Unpack

from bridge.output_status import FilesStatus, OutputsStatus
from bridge.people import Actor, Conference, Participant
from bridge.records import ParticipantFields
from bridge.status import RoomStatus, StreamsStatus


class People(Protocol):
    """`bridge.directory.Directory`, as far as the pages use it."""

    def conference(self, application_id: str, conference_id: str) -> Conference:
        """Raises NoSuchRoom."""

    def conferences(self, application_id: str) -> Sequence[Conference]: ...

    def participant(self, conference: Conference, participant_id: str) -> Participant:
        """Raises NoSuchParticipant."""

    def participants(self, conference: Conference) -> Sequence[Participant]: ...

    def participant_by_token(self, token: str) -> Participant | None: ...

    async def change_participant(
        self, participant: Participant, *, by: Actor, **fields: Unpack[ParticipantFields]
    ) -> Participant: ...


class Rooms(Protocol):
    """`bridge.switchboard.Switchboard`, as far as the pages use it."""

    def look(self, room_id: str, *, watched: bool = False) -> RoomStatus:
        """`watched`: with levels even of those whom nobody hears. Raises NoSuchRoom."""

    def legs(self) -> Mapping[str, int]: ...


class Streams(Protocol):
    """What forks calls to services (`bridge.facades.plivo.ForkLooks`), as far as the pages use it."""

    def look(self, application_id: str, conference_id: str, room: RoomStatus) -> StreamsStatus:
        """The streams of a conference and of calls in it; `room` is how it looks now."""

    async def end(self, application_id: str, conference_id: str, stream_id: str) -> None:
        """End a stream, or a part of one. Raises NoSuchRoom when that does not live there."""


class Outputs(Protocol):
    """What is recorded and streamed (`bridge.output_looks.OutputLooks`), as far as the pages use it."""

    def look(self, conference: Conference) -> OutputsStatus: ...

    async def files(self, conference: Conference) -> FilesStatus:
        """Of its recording."""


class Tokens(Protocol):
    """`bridge.applications.Applications`, as far as the pages use it."""

    def authenticate(self, token: str) -> str | None:
        """The id of the application whose token it is."""


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """How the server does, for the operator's page. Percentiles are over the last minute or so."""

    version: str
    uptime_s: float
    cpu_s: float
    """CPU time of the process so far; the page makes a share of it."""
    ticks: int
    late_ticks: int
    """Ticks that were caught up or skipped, since the start."""
    failed_ticks: int
    lateness_p50_ms: float
    """How long after its due time a tick began."""
    lateness_p99_ms: float
    duration_p50_ms: float
    """How long a tick took."""
    duration_p99_ms: float
    draining: bool = False
    overloaded: bool = False


FiguresNow = Callable[[], ServerFigures]
