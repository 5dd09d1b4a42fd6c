"""A recording as an output: from a room's taps to the log on the disk."""

from __future__ import annotations

import logging

from bridge.core.ports import (
    PTIME_MS,
    OutputEnd,
    OutputLook,
    OutputPort,
    OutputSpec,
    OutputState,
    RecordingSpec,
)
from bridge.outputs.record import PROGRAM, Begun, Ended, Joined, Left, Named, Talked
from bridge.outputs.record_writer import RecordWriter
from bridge.outputs.track_feed import TrackFeed

log = logging.getLogger(__name__)

LAST_WORDS_S = 10.0
"""How long the end of a stretch waits for the disk; the writer goes on trying after that."""


class Recorders:
    """Makes recordings; they share a writer, and are told here what becomes of it."""

    def __init__(self, writer: RecordWriter) -> None:
        self._writer = writer
        self._going_on: dict[str, Recorder] = {}

    def __call__(self, port: OutputPort, spec: OutputSpec) -> Recorder:
        """An `OutputFactory`."""
        assert isinstance(spec, RecordingSpec)
        return Recorder(port, spec, self._writer, self._going_on)

    def problem(self, recording_id: str, text: str) -> None:
        """Its log cannot be written at the moment."""
        recorder = self._going_on.get(recording_id)
        if recorder is not None:
            recorder.trouble(text)

    def resumed(self, recording_id: str) -> None:
        """It can again."""
        self.problem(recording_id, "")


class Recorder:
    """One stretch of a recording: an `Output`."""

    kind = "recording"

    def __init__(
        self, port: OutputPort, spec: RecordingSpec, writer: RecordWriter, going_on: dict[str, Recorder]
    ) -> None:
        self._port = port
        self._spec = spec
        self._writer = writer
        self._going_on = going_on
        self._feed: TrackFeed
        self._state: OutputState = "starting"
        self._trouble = ""

    async def start(self) -> None:
        """From the next tick on everything is kept."""
        recording = self._spec.recording_id
        self._feed = TrackFeed(
            self._port.tick, lambda records, until: self._writer.put(recording, records, until)
        )
        began_ms = self._port.sound_ms() + PTIME_MS
        self._writer.begin(Begun(recording, self._port.room_id, self._spec.stretch, began_ms))
        self._going_on[recording] = self
        self._port.open_program(self._feed.track(PROGRAM))
        self._state = "running"

    def joined(self, participant_id: str, name: str) -> None:
        """Their track begins."""
        self._feed.tell(Joined(self._feed.tick, participant_id, name))
        self._port.open_participant(participant_id, self._feed.track(participant_id))

    def left(self, participant_id: str) -> None:
        """It pauses, or is over."""
        self._feed.tell(Left(self._feed.tick, participant_id))
        self._port.close_participant(participant_id)
        self._feed.close_track(participant_id)

    def named(self, participant_id: str, name: str) -> None:
        """They are called something else."""
        self._feed.tell(Named(self._feed.tick, participant_id, name))

    def talked(self, participant_id: str, talking: bool, ago_ms: int) -> None:
        """They began or ceased to talk."""
        self._feed.tell(Talked(self._feed.tick, participant_id, talking))

    async def stop(self, why: OutputEnd) -> None:
        """Back when all that was heard is on the disk, or the disk takes too long."""
        if self._state in ("starting", "ending", "ended"):
            return
        self._state = "ending"
        recording = self._spec.recording_id
        ended = Ended(self._feed.end(), why)
        missing = await self._writer.end(recording, ended, LAST_WORDS_S)
        if missing:
            log.error(
                "x the last %.1f s of recording %s are not on the disk yet",
                missing * PTIME_MS / 1000,
                recording,
            )
        self._going_on.pop(recording, None)
        self._state = "ended"

    def look(self) -> OutputLook:
        """With what is written and what waits."""
        figures = self._writer.figures(self._spec.recording_id)
        shown: dict[str, float] = {}
        if figures is not None:
            shown = {
                "bytes": figures.bytes,
                "seconds": figures.ticks * PTIME_MS / 1000,
                "lag_ms": figures.lag_ms,
                "waiting_bytes": figures.queue_bytes,
                "holes": figures.holes,
                "lost_seconds": figures.lost_ticks * PTIME_MS / 1000,
            }
        state: OutputState = "troubled" if self._trouble and self._state == "running" else self._state
        return OutputLook(self.kind, state, self._trouble, shown)

    def trouble(self, text: str) -> None:
        """Told by the writer."""
        self._trouble = text
        self._port.report(text)
