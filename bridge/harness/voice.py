"""Who speaks in a simulated call, 20 ms at a time: what they are given, and what they give back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from bridge.harness.sound import Samples


@dataclass(frozen=True, slots=True)
class CheckpointReached:
    """Everything that the service had queued before a checkpoint has been heard."""

    name: str


@dataclass(frozen=True, slots=True)
class QueueCleared:
    """The service took back what it had queued."""


@dataclass(frozen=True, slots=True)
class KeysHeard:
    """The service played keys to the caller."""

    keys: str = field(repr=False)


HeardEvent = CheckpointReached | QueueCleared | KeysHeard


@dataclass(frozen=True, slots=True)
class Says:
    """What a caller does in 20 ms."""

    frame: Samples
    """int16 [frame_samples]."""
    keys: str = field(default="", repr=False)
    """Pressed within it."""
    hangs_up: bool = False
    """After it."""
    speech: Samples | None = None
    """The words in `frame` alone, where noise or an echo is mixed in: what is measured by."""


class Voice(Protocol):
    """A caller's mouth, ears and fingers."""

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        """The next 20 ms: `heard` (int16 [frame_samples]) sounds in the ear while the answer is said.

        `events` are those since the last tick, in their order. Called once for every 20 ms of the call, also
        while the connection is away.
        """


class Unheard:
    """A caller on a stream that has no track for what callers say: they say it, and it is not sent."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        """The next 20 ms."""
        says = self._voice.tick(heard, events)
        speech = says.frame if says.speech is None else says.speech
        return replace(says, frame=np.zeros_like(says.frame), speech=speech)
