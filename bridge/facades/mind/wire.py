"""Mind API JSON to and from values; pure.

Bodies are parsed strictly: a wrong type, an unknown enum value or a number out of range raises BadInput,
which names the field. Fields nobody asked for are ignored. In a change, null leaves a field as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar, cast
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bridge.errors import BadInput
from bridge.facades.mind.storage_wire import StorageBody
from bridge.people import Conference, Layout, Media, Message, Participant, Role
from bridge.players import Playing, SourceChange, SourceWishes
from bridge.recording_wishes import AacKind, FileFormat
from bridge.streamings import HlsWishes, PictureWishes, SoundWishes, Streaming

MAX_NAME = 1_000
MAX_TEXT = 16_000
"""Characters; a message must fit into one data channel message of 64 KiB."""
MAX_ERROR_CHARACTERS = 300

Language = Literal[
    "", "ar", "cs", "de", "en", "es", "fr", "hi", "hu", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh"
]
# No NUL: PostgreSQL has no text with it.
Name = Annotated[str, Meta(max_length=MAX_NAME, pattern="^[^\\x00]*$")]
Text = Annotated[str, Meta(max_length=MAX_TEXT, pattern="^[^\\x00]*$")]
Priority = Annotated[float, Meta(ge=0)]


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """What clients send."""


class ConferenceCreation(Body):
    """A new conference."""

    name: Name = ""
    layout: Layout = Layout.MOSAIC
    recording_layout: Layout | None = None
    """Deprecated: accepted, without effect."""
    streams: list[dict[str, Any]] = []
    """Ours: streams to services that begin with it, as in the stream API."""


class ConferenceChange(Body):
    """New parameters of a conference."""

    name: Name | None = None


class ParticipantCreation(Body):
    """A new participant; their layout is the conference's unless they have one of their own."""

    name: Name = ""
    priority: Priority = 1.0
    role: Role = Role.SPEAKER
    layout: Layout | None = None
    language: Language = ""
    source: SourceWishes | None = None
    """Ours: something that is played in place of a person; the participant is removed when it is over."""


class ParticipantChange(Body):
    """New parameters of a participant."""

    name: Name | None = None
    priority: Priority | None = None
    role: Role | None = None
    layout: Layout | None = None
    language: Language | None = None
    source: SourceChange | None = None
    """Ours: how what they play is to be played."""


class MessageCreation(Body):
    """A message to a participant, to the application, or (with the conference's id) to all of them."""

    send_to: UUID
    text: Text
    persistent: bool = False


class RecordingStart(Body):
    """Ours: which files are to be made of a recording. Without any of it, as before, or as a rule."""

    formats: tuple[FileFormat, ...] = ("mp4",)
    participants: bool = False
    """Files of each participant alone, too."""
    storage: Annotated[str, Meta(max_length=100)] | StorageBody = ""
    """The name of one in the server's configuration, or one of its own."""
    codec: AacKind = "aac"
    bitrate: Annotated[int, Meta(ge=8_000, le=320_000)] = 64_000
    """Of AAC, bits per second of each channel."""


class StreamingCreation(Body):
    """Where to publish the conference to; ours: how it is coded, or HLS in place of an address."""

    url: Annotated[str, Meta(max_length=4096)] = ""
    audio: SoundWishes = SoundWishes()
    picture: PictureWishes | None = PictureWishes()
    """null: sound alone."""
    hls: HlsWishes | None = None


class StreamingMark(Body):
    """Ours: timed metadata of an HLS streaming."""

    payload: Annotated[str, Meta(min_length=1, max_length=1_000)]
    duration: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    """Seconds."""


class SessionDescription(Body):
    """An SDP offer, or the answer to it."""

    sdp: str


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


AnyBody = TypeVar("AnyBody", bound=Body)


def parse(body: bytes, kind: type[AnyBody]) -> AnyBody:
    """An empty body counts as an empty object. Raises BadInput."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        said = str(wrong)
        if isinstance(wrong, RecursionError):
            said = "nested too deeply"
        raise BadInput(f"the request body: {said[:MAX_ERROR_CHARACTERS]}") from None


def parse_flag(name: str, written: str | None) -> bool:
    """A query parameter that is `true` or `false` (when left out). Raises BadInput."""
    if written is None or written == "false":
        return False
    if written == "true":
        return True
    raise BadInput(f"the query parameter `{name}` must be true or false")


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
