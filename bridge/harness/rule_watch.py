"""Watches a call for broken rules of the protocol."""

from __future__ import annotations

import msgspec

from bridge.core.ports import AudioFormat, Encoding
from bridge.harness.phone_playout import PhonePlayout
from bridge.harness.rules import AHEAD_S, MOST_AHEAD_S, broken_by
from bridge.harness.sound import Samples
from bridge.harness.timeline import Timeline
from bridge.harness.witness import Witness
from bridge.legs.plivo_play_wire import Checkpoint, ClearAudio, FromService, PlayAudio, PlayMedia, SendDigits

_KEYS = frozenset("0123456789*#ABCDabcdwW")
"""Of a telephone, and the vendor's pauses."""
_NAMES = {Encoding.L16: "audio/x-l16", Encoding.ULAW: "audio/x-mulaw"}


class _Addressed(msgspec.Struct):
    stream_id: object = msgspec.field(default=None, name="streamId")


class RuleWatch(Witness):
    """Notes what is wrong, and what happened, in the timeline."""

    def __init__(
        self, timeline: Timeline, playout: PhonePlayout, audio_format: AudioFormat, stream_id: str
    ) -> None:
        self._timeline = timeline
        self._playout = playout
        self._format = audio_format
        self._stream_id = stream_id
        self._usual: tuple[object, object] | None = None
        """How the bot names the stream's own format."""
        self._audio_since_mark = False
        self._far_ahead = False
        self.checkpoints_played = self.checkpoints_cleared = 0

    # --- Witness ---

    def took(self, what: FromService, message: bytes, is_text: bool) -> None:
        """Look at a message before anything comes of it."""
        if not is_text or not self._timeline.begun:
            self._look_at_frame(is_text)
        if isinstance(what, PlayAudio):  # nearly all are
            self._look_at_audio(what.media)
            return
        match what:
            case Checkpoint(name):
                self._look_at_checkpoint(name, message)
            case ClearAudio():
                self._look_at_clear(message)
            case SendDigits(digits):
                self._timeline.note("digit", f"{len(digits)} sent")
                if not digits or not _KEYS.issuperset(digits):
                    self._timeline.found("bad_digits")

    def refused(self, message: bytes, is_text: bool, why: Exception) -> None:
        """Name what made a message unreadable."""
        self._look_at_frame(is_text)
        self._timeline.found(broken_by(message, why))

    def queued(self, samples: Samples) -> None:
        """Note a bot that sends far ahead."""
        waiting_ms = self._playout.waiting_ms
        if waiting_ms <= AHEAD_S * 1000:
            self._far_ahead = False
            return
        if not self._far_ahead:
            self._timeline.found("too_fast")
        self._far_ahead = True
        if waiting_ms > MOST_AHEAD_S * 1000:
            self._timeline.found("queue_full")
            self._playout.shorten(MOST_AHEAD_S * 1000)

    def reached(self, name: str) -> None:
        """Note a checkpoint that was played."""
        self._timeline.note("played", name)
        self.checkpoints_played += 1

    def left_unsent(self) -> None:
        """Note a bot that does not read."""
        self._timeline.found("slow_reading")

    def redialled(self) -> None:
        """Nothing is queued on the new connection."""
        self._timeline.note("redialled")
        self._audio_since_mark = False

    # --- the messages ---

    def _look_at_frame(self, is_text: bool) -> None:
        if not is_text:
            self._timeline.found("binary_message")
        if not self._timeline.begun:
            self._timeline.found("early_message")

    def _look_at_audio(self, media: PlayMedia) -> None:
        self._audio_since_mark = True
        if not media.payload:
            self._timeline.found("empty_payload")
        named = (media.content_type, media.sample_rate)
        if named == self._usual:
            return
        if media.content_type is None or media.sample_rate is None:
            self._timeline.found("no_format")
        if media.audio_format(self._format) == self._format:
            if None not in named:
                self._usual = named
            return
        name = (media.content_type or "").lower().replace(" ", "").partition(";")[0]
        wrong_codec = name not in ("", _NAMES[self._format.encoding])
        self._timeline.found("wrong_codec" if wrong_codec else "wrong_rate")

    def _look_at_checkpoint(self, name: str, message: bytes) -> None:
        self._timeline.note("mark", name)
        if not name:
            self._timeline.found("checkpoint_without_name")
        elif self._playout.awaits(name):
            self._timeline.found("checkpoint_name_reused")
        if not self._playout.takes_checkpoints:
            self._timeline.found("too_many_checkpoints")
        if not self._audio_since_mark:
            self._timeline.found("checkpoint_without_audio")
        self._audio_since_mark = False
        self._look_at_address(message)

    def _look_at_clear(self, message: bytes) -> None:
        self._timeline.note("clear", f"{self._playout.waiting_ms:.0f} ms dropped")
        waiting = len(self._playout.pending)
        self.checkpoints_cleared += waiting
        if not self._playout.waiting_ms and not waiting:
            self._timeline.found("clear_without_audio")
        self._audio_since_mark = False
        self._look_at_address(message)

    def _look_at_address(self, message: bytes) -> None:
        stream_id = msgspec.json.decode(message, type=_Addressed).stream_id
        if stream_id is None:
            self._timeline.found("no_stream_id")
        elif stream_id != self._stream_id:
            self._timeline.found("wrong_stream_id")
