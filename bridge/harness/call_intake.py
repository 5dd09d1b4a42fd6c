"""What comes in from the service during a simulated call: read, shown to the witnesses, and obeyed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from bridge.core.ports import AudioFormat
from bridge.harness.caller_figures import CallerFigures
from bridge.harness.phone_playout import PhonePlayout
from bridge.harness.rules import OneWay
from bridge.harness.sound import Samples, change_rate, decode, decoder
from bridge.harness.voice import HeardEvent, KeysHeard, QueueCleared
from bridge.harness.witness import Witness
from bridge.legs.plivo_play_wire import (
    Checkpoint,
    ClearAudio,
    FromService,
    PlayAudio,
    PlayMedia,
    SendDigits,
    read_from_service,
)
from bridge.legs.plivo_wire import WireError

MAX_ARRIVALS = 100_000
MAX_EVENTS = 10_000
"""At most so many between two ticks are told to a voice; a service that sends more loses the oldest."""
MAX_DIGITS = 10_000
"""So many keys are remembered; the oldest are forgotten."""


class CallIntake:
    """One call's. `take` each message; `cleared` is called when the service has cleared the queue."""

    def __init__(
        self,
        audio_format: AudioFormat,
        playout: PhonePlayout,
        figures: CallerFigures,
        cleared: Callable[[], None],
        *,
        convert: bool = False,
        bidirectional: bool = True,
    ) -> None:
        self.arrivals: deque[float] = deque(maxlen=MAX_ARRIVALS)
        """When each `playAudio` came, by `time.monotonic`."""
        self.events: deque[HeardEvent] = deque(maxlen=MAX_EVENTS)
        """What a voice is to be told in the next tick."""
        self.digits: deque[str] = deque(maxlen=MAX_DIGITS)
        self._format = audio_format
        self._decode = decoder(audio_format)
        self._playout = playout
        self._figures = figures
        self._cleared = cleared
        self._convert = convert
        self._bidirectional = bidirectional
        self._usual: tuple[object, object] | None = None
        """How the service names the stream's own format."""
        self._took: list[Callable[[FromService, bytes, bool], None]] = []
        self._queued: list[Callable[[Samples], None]] = []
        self._refused: list[Callable[[bytes, bool, Exception], None]] = []

    def shown_to(self, witnesses: Sequence[Witness]) -> None:
        """Who watches from now on."""
        self._took = [w.took for w in witnesses if type(w).took is not Witness.took]
        self._queued = [w.queued for w in witnesses if type(w).queued is not Witness.queued]
        self._refused = [w.refused for w in witnesses if type(w).refused is not Witness.refused]

    def take(self, message: bytes, is_text: bool) -> None:
        """One message, as it arrives. Never raises."""
        self._figures.bytes_in += len(message)
        try:
            what = read_from_service(message)
            if not self._bidirectional:
                raise OneWay("the stream is not bidirectional")
            for took in self._took:
                took(what, message, is_text)
            if isinstance(what, PlayAudio):
                self._play(what.media)
            else:
                self._obey(what)
        except (WireError, ValueError) as why:
            self._figures.not_understood += 1
            for refused in self._refused:
                refused(message, is_text, why)

    def _obey(self, what: FromService) -> None:
        match what:
            case Checkpoint(name):
                self._figures.checkpoints += 1
                self._playout.checkpoint(name)
            case ClearAudio():
                self._figures.clears += 1
                self._playout.clear()
                self.events.append(QueueCleared())
                self._cleared()
            case SendDigits(digits):
                self.digits.extend(digits)
                self.events.append(KeysHeard(digits))

    def _play(self, media: PlayMedia) -> None:
        self.arrivals.append(time.monotonic())
        self._figures.played += 1
        named = (media.content_type, media.sample_rate)
        audio_format = self._format if named == self._usual else media.audio_format(self._format)
        if audio_format == self._format:
            self._usual = named
            samples = self._decode(media.payload)
        else:
            self._figures.wrong_format += 1
            if not self._convert or audio_format is None:
                return
            sound = decode(media.payload, audio_format).astype(np.float64)
            converted = change_rate(sound, audio_format.rate_hz, self._format.rate_hz)
            samples = np.rint(converted).clip(-32_768, 32_767).astype(np.int16)
        self._playout.queue(samples)
        for queued in self._queued:
            queued(samples)
