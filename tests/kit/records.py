"""Keeps people in memory, for tests that are not about keeping."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from bridge.people import Conference, Message, Participant
from bridge.records import Kept, KeptRecording, KeptStreaming


@dataclass
class MemoryRecords:
    """With `broken` set, every write raises it."""

    conferences: dict[str, Conference] = field(default_factory=dict)
    participants: dict[str, tuple[Participant, str]] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    gone_tokens: list[str] = field(default_factory=list)
    broken: Exception | None = None

    async def _reach(self) -> None:
        await asyncio.sleep(0)  # others have their turn meanwhile, as with a real store
        if self.broken is not None:
            raise self.broken

    async def load(self) -> Kept:
        counts = Counter(message.conference_id for message in self.messages)
        people = tuple(self.participants.values())
        return Kept(tuple(self.conferences.values()), people, counts, tuple(self.gone_tokens))

    async def add_conference(self, conference: Conference) -> None:
        await self._reach()
        self.conferences[conference.id] = conference

    async def change_conference(self, conference: Conference) -> None:
        await self.add_conference(conference)

    async def remove_conference(self, conference_id: str, expired_at: float | None = None) -> None:
        await self._reach()
        del self.conferences[conference_id]
        for participant, _ in list(self.participants.values()):
            if participant.conference_id == conference_id:
                self._remove(participant.id)

    async def add_participant(self, participant: Participant, token_hash: str) -> None:
        await self._reach()
        self.participants[participant.id] = (participant, token_hash)

    async def change_participant(self, participant: Participant) -> None:
        await self._reach()
        self.participants[participant.id] = (participant, self.participants[participant.id][1])

    async def remove_participants(self, participant_ids: Iterable[str]) -> None:
        await self._reach()
        for participant_id in participant_ids:
            self._remove(participant_id)

    def _remove(self, participant_id: str) -> None:
        participant, token_hash = self.participants.pop(participant_id)
        if not participant.transient:
            self.gone_tokens.append(token_hash)

    async def add_message(self, message: Message) -> None:
        await self._reach()
        self.messages.append(message)


@dataclass
class MemoryRecordings:
    """Keeps recordings in memory. With `broken` set, every write raises it."""

    kept: dict[str, KeptRecording] = field(default_factory=dict)
    broken: Exception | None = None

    async def load_recordings(self) -> list[KeptRecording]:
        return list(self.kept.values())

    async def keep_recording(self, recording: KeptRecording) -> None:
        await asyncio.sleep(0)
        if self.broken is not None:
            raise self.broken
        self.kept[recording.id] = recording

    async def forget_recording(self, recording_id: str) -> None:
        await asyncio.sleep(0)
        self.kept.pop(recording_id, None)


@dataclass
class MemoryStreamings:
    """Keeps streamings in memory."""

    kept: dict[str, KeptStreaming] = field(default_factory=dict)

    async def load_streamings(self) -> list[KeptStreaming]:
        return list(self.kept.values())

    async def add_streaming(self, streaming: KeptStreaming) -> None:
        self.kept[streaming.id] = streaming

    async def remove_streamings(self, streaming_ids: Iterable[str]) -> None:
        for streaming_id in streaming_ids:
            self.kept.pop(streaming_id, None)
