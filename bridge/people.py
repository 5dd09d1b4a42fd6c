"""Who exists: conferences, participants and messages as plain values, whatever vendor's API made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Role(StrEnum):
    """What a participant may do, and whether the conference hears them."""

    MODERATOR = "moderator"
    PRESENTER = "presenter"
    SPEAKER = "speaker"
    ATTENDEE = "attendee"

    @property
    def primary_in_mix(self) -> bool:
        """Attendees are heard only by those who ask for them alone."""
        return self is not Role.ATTENDEE

    @property
    def secondary_in_mix(self) -> bool:
        """What else somebody plays is for those who lead the conference."""
        return self in (Role.MODERATOR, Role.PRESENTER)


class Layout(StrEnum):
    """How videos are arranged."""

    MOSAIC = "mosaic"
    SELECTOR = "selector"
    PRESENTING_MOSAIC = "presenting_mosaic"
    PRESENTING_SELECTOR = "presenting_selector"


def storable(text: str) -> str:
    """`text` without what no database or JSON takes: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused a change."""

    kind: Literal["application", "participant", "system"]
    id: str = ""
    """The application's or the participant's; empty for the system."""

    @classmethod
    def application(cls, application_id: str) -> Actor:
        """The owner of the conference, through its back end."""
        return cls("application", application_id)

    @classmethod
    def participant(cls, participant_id: str) -> Actor:
        """Somebody in the conference."""
        return cls("participant", participant_id)

    @classmethod
    def system(cls) -> Actor:
        """The bridge itself."""
        return cls("system")


@dataclass(frozen=True, slots=True)
class Media:
    """What somebody sends on one of their two inputs."""

    audio: bool = False
    video: bool = False


NO_MEDIA = Media()


@dataclass(frozen=True, slots=True)
class Conference:
    """Where people meet. Times are Unix seconds."""

    id: str
    application_id: str
    name: str
    layout: Layout
    created_at: float
    ends_at: float
    recording: bool = False
    """Whether it is being recorded at the moment. Never kept."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a service hears, and who hears it, by participant id, role, `bot` or `person`. None: everybody."""

    hears: frozenset[str] | None = None
    heard_by: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in a conference, there or not. The values of one moment: ask the directory for newer ones."""

    id: str
    conference_id: str
    application_id: str
    name: str
    priority: float
    role: Role
    layout: Layout
    language: str
    """A two-letter code, or empty."""
    transient: bool = False
    """Made for a call: gone for good when the call ends or the server starts again."""
    muted: bool = False
    hears: Mapping[str, float] = field(default_factory=dict)
    """Participant id → gain of what this one hears of them, where it differs from what the roles give."""
    service: Audience | None = None
    """Set for a bot: a service that a stream brought in. Never kept; a bot is always transient."""
    online: bool = False
    leg_kind: str | None = None
    """`webrtc`, `plivo`, …; None while offline."""
    media: Media = NO_MEDIA
    secondary_media: Media = NO_MEDIA

    @property
    def tags(self) -> frozenset[str]:
        """What an `Audience` may name them by."""
        return frozenset((self.id, self.role.value, "bot" if self.service else "person"))


@dataclass(frozen=True, slots=True)
class Message:
    """Text from somebody to somebody."""

    id: str
    conference_id: str
    sent_by: str
    """A participant's id, or the application's."""
    sent_to: str
    """A participant's id, the application's, or the conference's: then it is for all of them."""
    sent_at: float
    """Unix seconds."""
    text: str = field(repr=False)
