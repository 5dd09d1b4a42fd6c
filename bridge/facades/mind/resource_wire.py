"""What the Mind API shows and tells, from values to JSON; pure. What clients send is `body_wire`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from bridge.people import Conference, Layout, Media, Message, Participant, Role
from bridge.players import Playing
from bridge.streamings import Streaming


class MediaResource(msgspec.Struct):
    """What a participant sends."""

    audio: bool
    video: bool


class Started(msgspec.Struct):
    """Whether something runs."""

    started: bool


class SourceResource(msgspec.Struct):
    """Ours: how a player does. Where what it plays comes from is not shown."""

    state: Literal["connecting", "connected", "interrupted", "closed"]
    volume: float
    loop: bool
    paused: bool


class ParticipantResource(msgspec.Struct, rename="camel", kw_only=True):
    """A participant; `source` for the application only, of those who play something."""

    id: str
    online: bool
    name: str
    priority: float
    language: str
    role: Role
    layout: Layout
    media: MediaResource
    secondary_media: MediaResource
    source: SourceResource | UnsetType = UNSET


class InvitedResource(ParticipantResource, kw_only=True):
    """A participant at the moment of creation: the token is never shown again."""

    token: str


class StreamingResource(msgspec.Struct):
    """A streaming."""

    id: str
    url: str
    alive: bool


class ConferenceResource(msgspec.Struct, rename="camel", kw_only=True):
    """A conference; the last three in detailed ones only, streamings for the application only."""

    id: str
    name: str
    layout: Layout
    recording: Started
    ending_at: int
    transcription: Started | UnsetType = UNSET
    participants: list[ParticipantResource] | UnsetType = UNSET
    streamings: list[StreamingResource] | UnsetType = UNSET


class CreatedConferenceResource(ConferenceResource, rename="camel", kw_only=True):
    """A conference as its creator sees it, once."""

    streams: list[str] | UnsetType = UNSET
    """Ours: the ids of the streams that began with it, if any were asked for."""


class MessageResource(msgspec.Struct, rename="camel", kw_only=True):
    """A message; `sentAt` in milliseconds."""

    id: str
    sent_to: str
    sent_by: str
    sent_at: int
    text: str


class DigitResource(msgspec.Struct):
    """A key that was pressed."""

    digit: str


class ErrorResource(msgspec.Struct):
    """Why a request was not granted."""

    error: str
    status: int


Resource = ConferenceResource | ParticipantResource | MessageResource | DigitResource


class Notification(msgspec.Struct):
    """A change in a conference; `location` is relative to it. A deleted resource is not shown."""

    type: Literal["created", "updated", "deleted"]
    location: str
    resource: Resource | UnsetType = UNSET


def conference_resource(
    conference: Conference,
    participants: Iterable[Participant] | None = None,
    *,
    streamings: Iterable[Streaming] | None = None,
) -> ConferenceResource:
    """With `participants` a detailed one, and with `streamings` as the application sees it."""
    resource = ConferenceResource(
        id=conference.id,
        name=conference.name,
        layout=conference.layout,
        recording=Started(conference.recording),
        ending_at=int(conference.ends_at),
    )
    if participants is not None:
        resource.transcription = Started(False)
        resource.participants = [participant_resource(participant) for participant in participants]
        if streamings is not None:
            resource.streamings = [streaming_resource(streaming) for streaming in streamings]
    return resource


def created_resource(conference: Conference, stream_ids: list[str]) -> CreatedConferenceResource:
    """As their creator sees it, once."""
    seen = conference_resource(conference)
    fields = {name: getattr(seen, name) for name in seen.__struct_fields__}
    return CreatedConferenceResource(**fields, streams=stream_ids or UNSET)


def streaming_resource(streaming: Streaming) -> StreamingResource:
    """As the application sees it."""
    return StreamingResource(streaming.id, streaming.url, streaming.alive)


def participant_resource(participant: Participant, playing: Playing | None = None) -> ParticipantResource:
    """As everybody may see them; with `playing` as the application does."""
    return ParticipantResource(
        id=participant.id,
        online=participant.online,
        name=participant.name,
        priority=participant.priority,
        language=participant.language,
        role=participant.role,
        layout=participant.layout,
        media=_media(participant.media),
        secondary_media=_media(participant.secondary_media),
        source=_source(playing) if playing is not None else UNSET,
    )


def invited_resource(participant: Participant, token: str, playing: Playing | None = None) -> InvitedResource:
    """As their creator sees them, once."""
    seen = participant_resource(participant, playing)
    return InvitedResource(**{name: getattr(seen, name) for name in seen.__struct_fields__}, token=token)


def message_resource(message: Message) -> MessageResource:
    """As its sender and its addressees see it."""
    return MessageResource(
        id=message.id,
        sent_to=message.sent_to,
        sent_by=message.sent_by,
        sent_at=round(message.sent_at * 1000),
        text=message.text,
    )


def _source(playing: Playing) -> SourceResource:
    source = playing.source
    state = cast('Literal["connecting", "connected", "interrupted", "closed"]', playing.state)
    return SourceResource(state, round(source.volume * 100, 3), source.loop, source.paused)


def _media(media: Media) -> MediaResource:
    return MediaResource(media.audio, media.video)
