"""The live socket's messages: JSON made of what can be seen of a room. Pure.

levels   ten times a second, for everybody: level, talking, kind and mute of each connected participant
people   when anything of it changed, for applications: the conference and its participants
looks    twice a second, for applications: every number of every leg and input
streams  at that pace, when anything of it changed, for applications: the streams to services
outputs  the same: how the recording and the streamings go
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bridge.core.ports import InputLook, InputName, LegLook
from bridge.output_status import OutputsStatus, RecordingStatus, StreamingStatus
from bridge.people import Audience, Conference, Participant
from bridge.status import ParticipantStatus, RoomStatus, StreamsStatus, StreamStatus

SILENCE_DBOV = -127.0
"""The lowest level there is (RFC 6464 §3)."""


class LevelView(msgspec.Struct, frozen=True):
    """What everybody in a conference may see of a connected participant."""

    level: int
    talking: bool
    kind: str
    """`bot`, or the kind of the leg."""
    muted: bool


class Levels(msgspec.Struct, frozen=True, tag_field="type", tag="levels"):
    """Participant id → what is to be seen of it now."""

    participants: dict[str, LevelView]


class ConferenceView(msgspec.Struct, frozen=True):
    """A conference in the operator's words; times in Unix seconds."""

    id: str
    name: str
    created_at: float
    ends_at: float


class PersonView(msgspec.Struct, frozen=True):
    """A participant in the operator's words."""

    id: str
    name: str
    role: str
    online: bool
    audio: bool
    kind: str | None
    """As in `LevelView`; None while offline."""
    transient: bool
    muted: bool
    hears: Mapping[str, float]
    tags: Sequence[str]
    """What an audience may name them by."""
    hears_only: Sequence[str] | None
    """For a bot: tags of whom it hears, and nobody else. None: everybody."""
    heard_by: Sequence[str] | None
    """For a bot: tags of who hears it, and nobody else. None: everybody."""


class People(msgspec.Struct, frozen=True, tag_field="type", tag="people"):
    """Everything about a conference that does not change by itself."""

    conference: ConferenceView
    participants: list[PersonView]


class InputView(msgspec.Struct, frozen=True):
    """One input of a participant."""

    level: int
    talking: bool
    look: InputLook


class LookView(msgspec.Struct, frozen=True):
    """One connected participant in every detail."""

    leg: LegLook
    inputs: dict[InputName, InputView]


class Looks(msgspec.Struct, frozen=True, tag_field="type", tag="looks"):
    """Participant id → its leg and inputs, and the mixer's size for this conference."""

    rate_hz: int
    capacity: int
    participants: dict[str, LookView]


class Streams(msgspec.Struct, frozen=True, tag_field="type", tag="streams"):
    """The streams of a conference and of calls in it, oldest first."""

    streams: Sequence[StreamStatus]
    left_out: int
    """Streams and parts there are besides."""


class Outputs(msgspec.Struct, frozen=True, tag_field="type", tag="outputs"):
    """What is kept and given out of a conference."""

    recording: RecordingStatus | None
    streamings: Sequence[StreamingStatus]
    storages: Sequence[str]


def levels(status: RoomStatus, people: Sequence[Participant]) -> bytes:
    """A `levels` message about the connected ones among `people`."""
    views: dict[str, LevelView] = {}
    for person in people:
        seen = status.participants.get(person.id)
        if seen is not None:
            level, talking = _loudest(seen)
            views[person.id] = LevelView(level, talking, _kind(person, seen.leg.kind), person.muted)
    return msgspec.json.encode(Levels(views))


def people(conference: Conference, participants: Sequence[Participant]) -> bytes:
    """A `people` message."""
    views = [person_view(participant) for participant in participants]
    return msgspec.json.encode(People(conference_view(conference), views))


def looks(status: RoomStatus) -> bytes:
    """A `looks` message."""
    views = {
        participant_id: LookView(
            seen.leg,
            {
                name: InputView(round(given.level_dbov), given.talking, given.look)
                for name, given in seen.inputs.items()
            },
        )
        for participant_id, seen in status.participants.items()
    }
    return msgspec.json.encode(Looks(status.rate_hz, status.capacity, views))


def streams(seen: StreamsStatus) -> bytes:
    """A `streams` message."""
    return msgspec.json.encode(Streams(seen.streams, seen.left_out))


def outputs(seen: OutputsStatus) -> bytes:
    """An `outputs` message."""
    return msgspec.json.encode(Outputs(seen.recording, seen.streamings, seen.storages))


def conference_view(conference: Conference) -> ConferenceView:
    """What an operator sees of a conference."""
    return ConferenceView(conference.id, conference.name, conference.created_at, conference.ends_at)


def person_view(participant: Participant) -> PersonView:
    """What an operator sees of a participant."""
    audience = participant.service or Audience()
    return PersonView(
        participant.id,
        participant.name,
        str(participant.role),
        participant.online,
        participant.media.audio,
        _kind(participant, participant.leg_kind) if participant.leg_kind else None,
        participant.transient,
        participant.muted,
        dict(participant.hears),
        sorted(participant.tags),
        None if audience.hears is None else sorted(audience.hears),
        None if audience.heard_by is None else sorted(audience.heard_by),
    )


def _kind(person: Participant, leg_kind: str) -> str:
    return "bot" if person.service else leg_kind


def _loudest(seen: ParticipantStatus) -> tuple[int, bool]:
    level = max((given.level_dbov for given in seen.inputs.values()), default=SILENCE_DBOV)
    return round(level), any(given.talking for given in seen.inputs.values())
