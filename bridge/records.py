"""What the directory keeps, and what it needs of whoever keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypedDict

from bridge.people import Conference, Layout, Message, Participant, Role

GONE_TOKENS_KEPT = 20_000
"""Of those who were removed: so many of the newest are remembered."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What outlives the server."""

    conferences: tuple[Conference, ...] = ()
    participants: tuple[tuple[Participant, str], ...] = ()
    """Each with the hash of their token; all of them offline."""
    messages: Mapping[str, int] = field(default_factory=dict)
    """Conference id → number of messages kept."""
    gone_tokens: tuple[str, ...] = ()
    """Hashes of the tokens of those who were removed and are not transient, the oldest first."""


class Records(Protocol):
    """Where people are kept; every call returns when it is done for good."""

    async def load(self) -> Kept: ...
    async def add_conference(self, conference: Conference) -> None: ...
    async def change_conference(self, conference: Conference) -> None: ...

    async def remove_conference(self, conference_id: str, expired_at: float | None = None) -> None:
        """With everybody in it and all that was written; their tokens' hashes join `gone_tokens`.

        `expired_at`: its time was up then, which its recording, if it has one, is told in the same stroke.
        """

    async def add_participant(self, participant: Participant, token_hash: str) -> None: ...
    async def change_participant(self, participant: Participant) -> None: ...

    async def remove_participants(self, participant_ids: Iterable[str]) -> None:
        """All of them, or none; their tokens' hashes join `gone_tokens`."""

    async def add_message(self, message: Message) -> None:
        """Kept until the conference is removed; so far no API has a call that reads it back."""


@dataclass(frozen=True, slots=True)
class KeptRecording:
    """A conference's recording: it has at most one, begun and stopped any number of times."""

    id: str
    conference_id: str
    application_id: str
    created_at: float
    """Unix seconds."""
    stretches: int = 0
    """How many times it was begun."""
    wanted: bool = False
    """It is to go on, also after a restart."""
    wishes: Mapping[str, object] = field(default_factory=dict)
    """What was asked for at its last beginning, as JSON."""
    expired_at: float = 0.0
    """When its conference came to the end of its time, Unix seconds; 0: it did not."""


class RecordingRecords(Protocol):
    """Where it is kept what was recorded; every call returns when it is done for good."""

    async def load_recordings(self) -> list[KeptRecording]: ...
    async def keep_recording(self, recording: KeptRecording) -> None:
        """A new one, or new values of one."""

    async def forget_recording(self, recording_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class KeptStreaming:
    """Where a conference is to be streamed to, until it ends or somebody says otherwise."""

    id: str
    conference_id: str
    url: str = field(repr=False)
    """With the stream's key; empty: offered as HLS by this server."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """As JSON."""


class StreamingRecords(Protocol):
    """Where it is kept; every call returns when it is done for good. A conference takes its own with it."""

    async def load_streamings(self) -> list[KeptStreaming]: ...
    async def add_streaming(self, streaming: KeptStreaming) -> None: ...
    async def remove_streamings(self, streaming_ids: Iterable[str]) -> None: ...


class ParticipantFields(TypedDict, total=False):
    """What can be changed of a participant; None leaves it as it is."""

    name: str | None
    priority: float | None
    role: Role | None
    layout: Layout | None
    language: str | None
    muted: bool | None
    hears: Mapping[str, float] | None
