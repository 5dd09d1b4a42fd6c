"""Who may do what in the Mind API, as one table.

A token gives one caller: the application that owns the conference, or a participant of it with a role.
ITSELF is a participant acting on itself, whatever its role. Whoever belongs to another application or to
another conference does not get this far: to them the conference does not exist (404).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bridge.people import Role


class Caller(StrEnum):
    """Who asks."""

    APPLICATION = "application"
    MODERATOR = "moderator"
    PRESENTER = "presenter"
    SPEAKER = "speaker"
    ATTENDEE = "attendee"
    ITSELF = "itself"


class Operation(StrEnum):
    """What can be asked for."""

    CREATE_CONFERENCE = "createConference"
    GET_CONFERENCE = "getConference"
    CHANGE_CONFERENCE = "changeConference"
    DELETE_CONFERENCE = "deleteConference"
    OPEN_SESSION = "openSession"
    LIST_PARTICIPANTS = "listParticipants"
    CREATE_PARTICIPANT = "createParticipant"
    DELETE_PARTICIPANTS = "deleteParticipants"
    GET_PARTICIPANT = "getParticipant"
    CHANGE_PARTICIPANT = "changeParticipant"
    DELETE_PARTICIPANT = "deleteParticipant"
    DIAL = "dial"
    FORWARD = "forward"
    HANG_UP = "hangUp"
    SEND_MESSAGE = "sendMessage"
    GET_RECORDING = "getRecording"
    GET_RECORDING_PREVIEW = "getRecordingPreview"
    GET_RECORDING_MANIFEST = "getRecordingManifest"
    """Ours, like the next."""
    GET_RECORDING_FILE = "getRecordingFile"
    START_RECORDING = "startRecording"
    STOP_RECORDING = "stopRecording"
    GET_RECORDING_TRANSCRIPTION = "getRecordingTranscription"
    GET_TRANSCRIPTION = "getTranscription"
    CHANGE_TRANSCRIPTION = "changeTranscription"
    LIST_STREAMINGS = "listStreamings"
    CREATE_STREAMING = "createStreaming"
    DELETE_STREAMINGS = "deleteStreamings"
    GET_STREAMING = "getStreaming"
    DELETE_STREAMING = "deleteStreaming"
    MARK_STREAMING = "markStreaming"
    """Ours."""
    WATCH = "watch"
    """The notification WebSocket."""


Allowed = frozenset[Caller]

APPLICATION: Allowed = frozenset({Caller.APPLICATION})
LEADERS: Allowed = APPLICATION | {Caller.MODERATOR}
LEADERS_AND_ITSELF: Allowed = LEADERS | {Caller.ITSELF}
EVERYBODY: Allowed = LEADERS | {Caller.PRESENTER, Caller.SPEAKER, Caller.ATTENDEE}
ONLY_ITSELF: Allowed = frozenset({Caller.ITSELF})

PERMISSIONS: Mapping[Operation, Allowed] = {
    Operation.CREATE_CONFERENCE: APPLICATION,
    Operation.GET_CONFERENCE: EVERYBODY,
    Operation.CHANGE_CONFERENCE: LEADERS,
    Operation.DELETE_CONFERENCE: APPLICATION,
    Operation.OPEN_SESSION: ONLY_ITSELF,
    Operation.LIST_PARTICIPANTS: EVERYBODY,
    Operation.CREATE_PARTICIPANT: APPLICATION,
    Operation.DELETE_PARTICIPANTS: APPLICATION,
    Operation.GET_PARTICIPANT: EVERYBODY,
    Operation.CHANGE_PARTICIPANT: LEADERS_AND_ITSELF,
    Operation.DELETE_PARTICIPANT: APPLICATION,
    Operation.DIAL: LEADERS,
    Operation.FORWARD: LEADERS,
    Operation.HANG_UP: LEADERS,
    Operation.SEND_MESSAGE: EVERYBODY,
    Operation.GET_RECORDING: LEADERS,
    Operation.GET_RECORDING_PREVIEW: LEADERS,
    Operation.GET_RECORDING_MANIFEST: LEADERS,
    Operation.GET_RECORDING_FILE: LEADERS,
    Operation.START_RECORDING: LEADERS,
    Operation.STOP_RECORDING: LEADERS,
    Operation.GET_RECORDING_TRANSCRIPTION: LEADERS,
    Operation.GET_TRANSCRIPTION: EVERYBODY,
    Operation.CHANGE_TRANSCRIPTION: APPLICATION,
    Operation.LIST_STREAMINGS: APPLICATION,
    Operation.CREATE_STREAMING: APPLICATION,
    Operation.DELETE_STREAMINGS: APPLICATION,
    Operation.GET_STREAMING: APPLICATION,
    Operation.DELETE_STREAMING: APPLICATION,
    Operation.MARK_STREAMING: APPLICATION,
    Operation.WATCH: APPLICATION,
}

PARTICIPANT_FIELDS: Mapping[str, Allowed] = {
    "name": LEADERS_AND_ITSELF,
    "layout": LEADERS_AND_ITSELF,
    "priority": LEADERS,
    "role": LEADERS,
    "language": LEADERS,
    "source": APPLICATION,
}
"""Who may change what of a participant."""


def callers_of(role: Role, *, itself: bool) -> Allowed:
    """Everything that a participant of that role is, when it acts on itself or on something else."""
    return frozenset({Caller(role.value), Caller.ITSELF} if itself else {Caller(role.value)})


def may(asking: Allowed, operation: Operation) -> bool:
    """Whether one of the things that the caller is suffices."""
    return bool(asking & PERMISSIONS[operation])


def may_change(asking: Allowed, field: str) -> bool:
    """The same for one field of a participant."""
    return bool(asking & PARTICIPANT_FIELDS[field])
