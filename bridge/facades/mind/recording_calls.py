"""The Mind API's calls about recordings; ours beside them: the manifest, and the files one by one."""

from __future__ import annotations

import asyncio
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from bridge.core.ports import GivenStorage
from bridge.facades.mind.answers import NOT_KEPT, ok
from bridge.facades.mind.away_answers import away_answer
from bridge.facades.mind.errors import Refusal
from bridge.facades.mind.file_answers import file_answer
from bridge.facades.mind.permissions import Operation
from bridge.facades.mind.playlist_answers import carries_token, playlist_answer
from bridge.facades.mind.reach import Reach
from bridge.facades.mind.recording_wire import RecordingStart
from bridge.people import Actor, Conference
from bridge.recording_wishes import RecordingWishes
from bridge.records import KeptRecording
from bridge.shelf_port import Shelf

PROGRAM, THUMBNAIL, PREVIEW = "program.mp4", "thumbnail.jpg", "preview.webp"
SETTLE_S = 8.0
"""A little less than clients wait for an answer."""


class Recorder(Protocol):
    """What is needed of `bridge.recordings.Recordings`."""

    shelf: Shelf

    async def start(
        self,
        conference: Conference,
        *,
        by: Actor,
        wishes: RecordingWishes | None = None,
        storage: GivenStorage | None = None,
    ) -> KeptRecording: ...
    async def stop(self, conference: Conference, *, by: Actor) -> None: ...
    def find(self, conference_id: str) -> KeptRecording | None: ...


class RecordingCalls:
    """A recording of a conference: begun, ended, and its files given out."""

    def __init__(self, recordings: Recorder, reach: Reach) -> None:
        self._recordings = recordings
        self._reach = reach

    async def start(self, request: Request) -> Response:
        """Begin or resume. With an empty body its files are as they were asked for before."""
        asking, conference = self._reach.conference(request, Operation.START_RECORDING)
        asked = await self._reach.body(request, RecordingStart)
        await self._recordings.start(
            conference, by=asking.actor, wishes=asked.wishes(), storage=asked.own_storage()
        )
        return ok()

    async def stop(self, request: Request) -> Response:
        """End or pause; all that was said before is safe when the answer comes."""
        asking, conference = self._reach.conference(request, Operation.STOP_RECORDING)
        await self._recordings.stop(conference, by=asking.actor)
        return ok()

    async def get(self, request: Request) -> Response:
        """The whole recording as MP4, or one picture of it as JPEG, as `Accept` says."""
        _, conference = self._reach.conference(request, Operation.GET_RECORDING)
        wants_picture = _prefers_jpeg(request.headers.get("accept", ""))
        answer = await self._file(request, conference, THUMBNAIL if wants_picture else PROGRAM)
        answer.headers["Vary"] = "Accept"
        return answer

    async def get_preview(self, request: Request) -> Response:
        """The most meaningful pictures in one, as WebP."""
        _, conference = self._reach.conference(request, Operation.GET_RECORDING_PREVIEW)
        return await self._file(request, conference, PREVIEW)

    async def get_manifest(self, request: Request) -> Response:
        """What is in it, when it was paused, and what is missing; while it is recorded, but the files."""
        _, conference = self._reach.conference(request, Operation.GET_RECORDING)
        recording, shelf = self._recording(conference), self._recordings.shelf
        if not recording.wanted:
            await shelf.settle(recording.id, SETTLE_S)  # what was said last is in it; else, what was before
        manifest = await asyncio.to_thread(shelf.manifest, recording.id)
        if manifest is None and recording.wanted:
            raise Refusal(503, "nothing of that is there yet")
        if manifest is None:
            raise Refusal(404, "nothing has been recorded yet")
        return Response(manifest, headers=NOT_KEPT, media_type="application/json")

    async def get_file(self, request: Request) -> Response:
        """One of its files, by the name that the manifest gives it."""
        _, conference = self._reach.conference(request, Operation.GET_RECORDING)
        return await self._file(request, conference, str(request.path_params["name"]))

    # --- inside ---

    def _recording(self, conference: Conference) -> KeptRecording:
        recording = self._recordings.find(conference.id)
        if recording is None:
            raise Refusal(404, "this conference has never been recorded")
        return recording

    async def _file(self, request: Request, conference: Conference, name: str) -> Response:
        recording, shelf = self._recording(conference), self._recordings.shelf
        if not recording.wanted and not await shelf.settle(recording.id, SETTLE_S):
            raise Refusal(503, "the recording is still being finished")
        found = await asyncio.to_thread(shelf.file, recording.id, name)
        if found is None and (away := await asyncio.to_thread(shelf.away, recording.id, name)) is not None:
            return await away_answer(request, away)
        if found is not None:
            try:
                if carries_token(request, found.media_type):
                    return playlist_answer(request, await asyncio.to_thread(found.path.read_bytes))
                return await file_answer(request, found)
            except FileNotFoundError:  # it has just been put in another's place, or begun again
                raise Refusal(503, "this file is just being made anew") from None
        if recording.wanted:
            raise Refusal(503, "nothing of that is there yet")
        raise Refusal(404, "this recording has no such file")


def _prefers_jpeg(accept: str) -> bool:
    """Whether a picture is wanted rather than a video (RFC 9110 §12.5.1); undecided, a video."""
    wanted = {"image/jpeg": 0.0, "video/mp4": 0.0}
    for one in accept.split(","):
        kind, _, rest = one.partition(";")
        kind = kind.strip().lower()
        try:
            weight = float(rest.replace(" ", "").partition("q=")[2].partition(";")[0] or 1)
        except ValueError:
            continue
        for name in wanted:
            if kind == name and weight:
                wanted[name] = max(wanted[name], weight + 1)  # what is named goes before what is meant
            elif kind in ("*/*", name.partition("/")[0] + "/*"):
                wanted[name] = max(wanted[name], weight)
    return wanted["image/jpeg"] > wanted["video/mp4"]
