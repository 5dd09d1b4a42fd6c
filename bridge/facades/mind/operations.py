"""The operations of the Mind API: their paths, and what the OpenAPI page says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from bridge.facades.mind.body_wire import (
    MAX_NAME,
    MAX_TEXT,
    ConferenceChange,
    ConferenceCreation,
    MessageCreation,
    ParticipantChange,
    ParticipantCreation,
    SessionDescription,
    StreamingCreation,
    StreamingMark,
)
from bridge.facades.mind.permissions import PERMISSIONS, Operation
from bridge.facades.mind.recording_wire import RecordingStart
from bridge.facades.mind.resource_wire import (
    ConferenceResource,
    CreatedConferenceResource,
    ErrorResource,
    InvitedResource,
    MessageResource,
    ParticipantResource,
    Started,
    StreamingResource,
)

APPLICATION_PATH = "/{application_id:uuid}"
CONFERENCE_PATH = APPLICATION_PATH + "/{conference_id:uuid}"
PEOPLE = "/participants"
PERSON = "/participants/{participant_id:uuid}"
STREAMINGS = "/streamings"
STREAMING = "/streamings/{streaming_id:uuid}"


@dataclass(frozen=True, slots=True)
class Description:
    """One way to ask for an operation."""

    operation: Operation
    method: str
    path: str
    summary: str
    takes: Any = None
    gives: Any = None
    gives_file: str = ""
    """Media type of the file that it gives."""
    built: bool = True
    """False: answers 501 to whoever would be permitted."""
    detailed: bool = False
    """Has the query parameter `detailed`."""


def _of(operation: Operation, method: str, below: str, summary: str, **more: Any) -> Description:
    return Description(operation, method, CONFERENCE_PATH + below, summary, **more)


_O = Operation
DESCRIPTIONS: tuple[Description, ...] = (
    Description(
        _O.CREATE_CONFERENCE,
        "POST",
        APPLICATION_PATH,
        "Create a conference",
        takes=ConferenceCreation,
        gives=CreatedConferenceResource,
    ),
    _of(_O.GET_CONFERENCE, "GET", "", "Get a conference", gives=ConferenceResource, detailed=True),
    _of(
        _O.CHANGE_CONFERENCE,
        "PATCH",
        "",
        "Modify a conference",
        takes=ConferenceChange,
        gives=ConferenceResource,
    ),
    _of(_O.DELETE_CONFERENCE, "DELETE", "", "Delete a conference and expel everybody"),
    _of(
        _O.OPEN_SESSION,
        "POST",
        "",
        "Initiate or reinitiate the session of the participant whose token it is",
        takes=SessionDescription,
        gives=SessionDescription,
    ),
    _of(_O.LIST_PARTICIPANTS, "GET", PEOPLE, "List the participants", gives=list[ParticipantResource]),
    _of(
        _O.CREATE_PARTICIPANT,
        "POST",
        PEOPLE,
        "Create a participant; its token is shown this once",
        takes=ParticipantCreation,
        gives=InvitedResource,
    ),
    _of(_O.DELETE_PARTICIPANTS, "DELETE", PEOPLE, "Expel everybody"),
    _of(_O.GET_PARTICIPANT, "GET", PERSON, "Get a participant", gives=ParticipantResource),
    _of(
        _O.CHANGE_PARTICIPANT,
        "PATCH",
        PERSON,
        "Modify a participant; of itself, everybody may change name and layout",
        takes=ParticipantChange,
        gives=ParticipantResource,
    ),
    _of(_O.DELETE_PARTICIPANT, "DELETE", PERSON, "Expel a participant"),
    _of(
        _O.OPEN_SESSION,
        "POST",
        PERSON + "/session",
        "The same as a session on the conference itself",
        takes=SessionDescription,
        gives=SessionDescription,
    ),
    _of(_O.DIAL, "POST", PERSON + "/dial", "Call a SIP address", built=False),
    _of(_O.FORWARD, "POST", PERSON + "/forward", "Forward a SIP call", built=False),
    _of(_O.HANG_UP, "POST", PERSON + "/hangup", "Hang up a SIP call", built=False),
    _of(
        _O.SEND_MESSAGE,
        "POST",
        "/messages",
        "Send a message",
        takes=MessageCreation,
        gives=MessageResource,
    ),
    _of(
        _O.GET_RECORDING,
        "GET",
        "/recording",
        "Get the recording as MP4, or one picture of it as JPEG, as Accept says",
        gives_file="video/mp4",
    ),
    _of(
        _O.GET_RECORDING_PREVIEW,
        "GET",
        "/recording/preview",
        "Get the recording's preview",
        gives_file="image/webp",
    ),
    _of(
        _O.GET_RECORDING_MANIFEST,
        "GET",
        "/recording/manifest",
        "Ours: what is in the recording, when it was paused, and what is missing; while it runs, so far",
        gives_file="application/json",
    ),
    _of(
        _O.GET_RECORDING_FILE,
        "GET",
        "/recording/files/{name:path}",
        "Ours: one file of the recording, by its name in the manifest",
        gives_file="application/octet-stream",
    ),
    _of(_O.START_RECORDING, "POST", "/recording/start", "Start or resume recording", takes=RecordingStart),
    _of(_O.STOP_RECORDING, "POST", "/recording/stop", "Stop or pause recording"),
    _of(
        _O.GET_RECORDING_TRANSCRIPTION,
        "GET",
        "/recording/transcription",
        "Get the recording's transcription",
        built=False,
    ),
    _of(_O.GET_TRANSCRIPTION, "GET", "/transcription", "Get the transcription's state", gives=Started),
    _of(_O.CHANGE_TRANSCRIPTION, "PATCH", "/transcription", "Start or stop transcribing", built=False),
    _of(_O.LIST_STREAMINGS, "GET", STREAMINGS, "List the streamings", gives=list[StreamingResource]),
    _of(
        _O.CREATE_STREAMING,
        "POST",
        STREAMINGS,
        "Publish the conference by RTMP; ours: or offer it as HLS",
        takes=StreamingCreation,
        gives=StreamingResource,
    ),
    _of(_O.DELETE_STREAMINGS, "DELETE", STREAMINGS, "Delete all streamings"),
    _of(_O.GET_STREAMING, "GET", STREAMING, "Get a streaming", gives=StreamingResource),
    _of(_O.DELETE_STREAMING, "DELETE", STREAMING, "Delete a streaming"),
    _of(
        _O.MARK_STREAMING,
        "POST",
        STREAMING + "/metadata",
        "Ours: timed metadata in a streaming, from now on",
        takes=StreamingMark,
    ),
)

_REASONS = {
    400: f"A field is missing or invalid; names may have {MAX_NAME} characters, texts {MAX_TEXT}",
    401: "No valid token was provided",
    403: "The token does not permit this",
    404: "There is no such conference or participant, or it is not this token's",
    413: "The body is too large",
    415: "The body's Content-Type is not application/json",
    500: "Something went wrong on the server",
    501: "Not built yet",
    503: "The server takes no more of these now; Retry-After says when to come back",
}


def responses(description: Description) -> dict[int | str, dict[str, Any]]:
    """Every answer it can give, for FastAPI."""
    answers: dict[int | str, dict[str, Any]] = {}
    if not description.built:
        statuses = [401, 403, 404, 500, 501]
    else:
        answers[200] = {"description": "Done"}
        if description.gives is not None:
            answers[200]["content"] = {"application/json": {"schema": schema(description.gives)}}
        if description.gives_file:
            answers[200]["content"] = {
                description.gives_file: {"schema": {"type": "string", "format": "binary"}}
            }
        takes_body = description.takes is not None
        wrong_input = [400] if takes_body or description.detailed else []
        statuses = [*wrong_input, 401, 403, 404, *([413, 415] if takes_body else []), 500]
        if description.method == "POST" or description.gives_file:
            statuses.append(503)
    for status in statuses:
        answers[status] = {
            "description": _REASONS[status],
            "content": {"application/json": {"schema": schema(ErrorResource)}},
        }
    return answers


def extra(description: Description) -> dict[str, Any]:
    """Parameters and body, which the endpoints read themselves, for FastAPI."""
    parts = [part.partition("}")[0].partition(":") for part in description.path.split("{")[1:]]
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", **({"format": kind} if kind == "uuid" else {})},
        }
        for name, _, kind in parts
    ]
    if description.detailed:
        parameters.append(
            {
                "name": "detailed",
                "in": "query",
                "description": "With transcription, participants (the one who asks first), and streamings "
                "(for the application only)",
                "schema": {"type": "boolean", "default": False},
            }
        )
    permitted = ", ".join(sorted(PERMISSIONS[description.operation]))
    said: dict[str, Any] = {"parameters": parameters, "description": f"Permitted to: {permitted}."}
    if description.takes is not None:
        said["requestBody"] = {
            "required": bool(schema(description.takes).get("required")),
            "content": {"application/json": {"schema": schema(description.takes)}},
        }
    return said


@cache
def schema(kind: Any) -> dict[str, Any]:
    """The JSON schema of a wire type, with nothing outside of it."""
    (top,), parts = msgspec.json.schema_components([kind], ref_template="{name}")

    def whole(piece: Any) -> Any:
        if isinstance(piece, dict):
            rest = {key: whole(value) for key, value in piece.items() if key != "$ref"}
            return {**whole(parts[piece["$ref"]]), **rest} if "$ref" in piece else rest
        return [whole(item) for item in piece] if isinstance(piece, list) else piece

    found: dict[str, Any] = whole(top)
    return found
