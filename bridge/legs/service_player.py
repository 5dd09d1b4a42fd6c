"""What a service says to a stream: audio and keys into the play queue, and what became of them back.

| what comes | what is done |
|---|---|
| `playAudio` | queued; in another format than the stream's: converted first, and counted |
| more than the queue has room for | what does not fit is refused and counted, and said once in the log |
| `checkpoint` | `playedStream` once all before it was played; with nothing queued, at the next tick |
| the same while 1,000 wait, or with an endless name | refused: never acknowledged, as if it were cleared |
| `clearAudio` | `clearedAudio` at the next tick; checkpoints dropped by it are never acknowledged |
| `sendDTMF` | tones behind what is queued, `w` a pause of 0.5 s, `W` of 1 s; each key is reported |
| an event nobody knows | counted |
| not JSON, binary, bad base64, half a sample, a strange format | counted; 100 in a row: the end |
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np

from bridge.core.ports import AudioFormat, Encoding, PlayInput, StreamLedger
from bridge.legs.plivo_call_wire import CallWriter
from bridge.legs.plivo_play_wire import (
    Checkpoint,
    ClearAudio,
    PlayAudio,
    PlayMedia,
    SendDigits,
    UnknownEvent,
    read_from_service,
)
from bridge.legs.plivo_wire import DIGITS, NotUnderstood, WireError, check_payload
from bridge.legs.service_convert import PlayConverter
from mediacodecs.dtmf import dtmf
from mediacodecs.g711 import ulaw_encode
from mediacodecs.l16 import l16_encode

log = logging.getLogger(__name__)

MAX_MARKS = 1_000
"""Checkpoints that may wait; the play queue's own bound is the same."""
MAX_NAME_CHARACTERS = 4_096
MAX_KEYS = 64
"""Of one `sendDTMF`."""
BAD_IN_A_ROW = 100
PAUSES_S = {"w": 0.5, "W": 1.0}

Say = Callable[[Callable[[CallWriter], bytes]], None]


class ServicePlayer:
    """A `bridge.core.ports.PlaySink`; give it the `queue` before the first message."""

    def __init__(
        self,
        audio_format: AudioFormat,
        ledger: StreamLedger,
        *,
        say: Say,
        pressed: Callable[[str], None],
        give_up: Callable[[], None],
        where: Mapping[str, str],
    ) -> None:
        """`say` gets what the service is to be told, `give_up` is called when it says nothing but rubbish."""
        self._format = audio_format
        self._ledger = ledger
        self._say = say
        self._pressed = pressed
        self._give_up = give_up
        self._where = where
        self._converter = PlayConverter(audio_format)
        self._bad_in_a_row = 0
        self._told_of_rubbish = False
        self._marks = 0
        self.marks_refused = 0
        self.queue: PlayInput | None = None

    def received(self, message: bytes, is_text: bool) -> None:
        """One message of the service; never raises."""
        queue = self.queue
        if queue is None:
            return
        try:
            if not is_text:
                raise NotUnderstood("binary")
            said = read_from_service(message)
            match said:
                case PlayAudio(media):
                    self._play(queue, media)
                case Checkpoint(name):
                    self._mark(queue, name)
                case ClearAudio():
                    self._ledger.clears += 1
                    self._converter.reset()
                    queue.clear()
                case SendDigits(digits):
                    self._dial(queue, digits)
        except UnknownEvent:
            self._ledger.malformed += 1
        except WireError as error:
            self._drop(error)
        else:
            self._bad_in_a_row = 0

    # --- PlaySink ---

    def played(self, name: str) -> None:
        """Everything queued before the checkpoint has left the mixer."""
        self._marks -= 1
        self._say(lambda writer: writer.played(name))

    def cleared(self, dropped: tuple[str, ...]) -> None:
        """The queue was emptied."""
        self._marks -= len(dropped)
        self._say(CallWriter.cleared)

    def ran_dry(self, underrun: bool) -> None:
        """The queue is empty; where it was so in the middle of something, what comes goes on with that."""
        if underrun:
            self._ledger.underruns += 1
        else:
            self._converter.reset()

    # --- inside ---

    def _play(self, queue: PlayInput, media: PlayMedia) -> None:
        audio_format = media.audio_format(self._format)
        if audio_format is None:
            raise NotUnderstood("a format that is not supported")
        check_payload(media.payload, audio_format)
        payload = media.payload
        if audio_format == self._format:
            self._converter.reset()
        else:
            self._ledger.converted += 1
            if self._ledger.converted == 1:
                log.warning(
                    "< the service plays %s into a stream of %s: converted",
                    audio_format.title, self._format.title, extra=self._where,
                )  # fmt: skip
            payload = self._converter.convert(payload, audio_format)
        self._queue(queue, payload)

    def _queue(self, queue: PlayInput, payload: bytes) -> bool:
        """Whether there was room for all of it."""
        per_ms = self._format.rate_hz / 1000
        came = len(payload) // self._format.sample_bytes
        taken = queue.play(payload)
        ledger = self._ledger
        ledger.played_ms += taken / per_ms
        if taken == came:
            return True
        if not ledger.refused_ms:
            log.warning("x the play queue is full: what does not fit is refused", extra=self._where)
        ledger.refused_ms += (came - taken) / per_ms
        return False

    def _mark(self, queue: PlayInput, name: str) -> None:
        self._ledger.checkpoints += 1
        if self._marks >= MAX_MARKS or len(name) > MAX_NAME_CHARACTERS:
            if not self.marks_refused:
                log.warning("x a checkpoint too many, or with an endless name: refused", extra=self._where)
            self.marks_refused += 1
            return
        self._marks += 1
        queue.mark(name)

    def _dial(self, queue: PlayInput, digits: str) -> None:
        keys = [digit if digit in PAUSES_S else digit.upper() for digit in digits]
        if not 0 < len(keys) <= MAX_KEYS or not DIGITS.union(PAUSES_S).issuperset(keys):
            raise NotUnderstood("not a row of keys")
        self._converter.reset()
        for key in keys:
            pause_s = PAUSES_S.get(key)
            rate_hz = self._format.rate_hz
            samples = dtmf(key, rate_hz) if pause_s is None else np.zeros(int(pause_s * rate_hz), np.int16)
            ulaw = self._format.encoding is Encoding.ULAW
            sounded = self._queue(queue, ulaw_encode(samples).tobytes() if ulaw else l16_encode(samples))
            if sounded and pause_s is None:
                self._ledger.digits += 1
                self._pressed(key)

    def _drop(self, error: WireError) -> None:
        self._ledger.malformed += 1
        self._bad_in_a_row += 1
        if not self._told_of_rubbish:
            self._told_of_rubbish = True
            log.info("x the service said something strange: %s", error, extra=self._where)
        if self._bad_in_a_row == BAD_IN_A_ROW:
            self._give_up()
