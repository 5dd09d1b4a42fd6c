"""Where outputs plug into the core: what one is given of a room, and what it must be.

An output only reads. It may be slow, fail or hang: what it gets is handed to it in passing, and it must not
block. Everything here is called on the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from bridge.core.specs import OutputSpec

if TYPE_CHECKING:
    from bridge.core.ports import FrameSink

OutputEnd = Literal["stopped", "paused", "conference ended", "restart"]
"""Why the bridge ends an output."""
OutputState = Literal["starting", "running", "troubled", "ending", "ended"]


class OutputPort(Protocol):
    """A room, as an output hears it: 20 ms frames of signed 16-bit PCM, mono, 48 kHz."""

    @property
    def room_id(self) -> str: ...

    def tick(self) -> int:
        """Number of the tick whose frames are being handed out; those that never ran leave a gap."""

    def sound_ms(self) -> int:
        """When that tick's sound was, Unix ms."""

    def open_program(self, sink: FrameSink) -> None:
        """From the next tick on, `sink` gets the room's mix, every tick, also while nobody is there."""

    def open_participant(self, participant_id: str, sink: FrameSink) -> None:
        """The same of a participant alone: before the silence gate, and silent while muted."""

    def close_participant(self, participant_id: str) -> None:
        """Nothing more of that participant; nothing happens when it was not open."""

    def levels(self) -> Mapping[str, int]:
        """How loud each participant is now: 0 (−60 dBov and fainter, or muted) to 100 (0 dBov)."""

    def report(self, trouble: str) -> None:
        """Something went wrong that people should know, and is being mended; empty: all is well again."""


@dataclass(frozen=True, slots=True)
class OutputLook:
    """What can be seen of an output."""

    kind: str
    state: OutputState
    trouble: str = ""
    """Of now, in words; empty: none."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """By name, for people and metrics."""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that an output has made, or is making."""

    name: str
    path: Path
    media_type: str
    complete: bool
    """Nothing more is added to it as it is now."""
    size: int
    state: str = ""
    """Of its upload, in words; empty: it stays here."""
    here: bool = True
    """Whether it lies at `path`; otherwise it is in its storage only."""


class Output(Protocol):
    """Something that reads a room. Making one starts nothing; `start` does."""

    @property
    def kind(self) -> str:
        """`recording`, `hls`, `rtmp`, …"""

    async def start(self) -> None:
        """Begin: from the next tick on it hears. Raises BridgeError when it cannot."""

    def joined(self, participant_id: str, name: str) -> None:
        """A participant is there, now or from before."""

    def left(self, participant_id: str) -> None:
        """It is not any more."""

    def named(self, participant_id: str, name: str) -> None:
        """It is called something else."""

    def talked(self, participant_id: str, talking: bool, ago_ms: int) -> None:
        """It began or ceased to talk, so long before the tick that is being handed out."""

    async def stop(self, why: OutputEnd) -> None:
        """End it, with everything that was handed to it before. May be called twice; never raises."""

    def look(self) -> OutputLook: ...


class OutputFactory(Protocol):
    """Makes an output, without starting it."""

    def __call__(self, port: OutputPort, spec: OutputSpec) -> Output: ...
