"""Where the outside plugs into the core: what a leg is given, and what it must be.

A leg is made by a factory from a `LegPort` and a `LegSpec`; it opens inputs and outputs on its port,
pushes what arrives into the inputs, and is handed what is to be sent through the sinks it gave.
Everything here is called on the event loop's thread. Nothing here blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bridge.core.events import LegEvent
from bridge.core.formats import (
    L16_8K,
    L16_16K,
    L16_48K,
    OPUS,
    OPUS_RATE_HZ,
    PTIME_MS,
    TICK_S,
    ULAW_8K,
    AudioFormat,
    Encoding,
)
from bridge.core.layouts import GRID, LayoutKind, PictureLayout, PicturePlace
from bridge.core.ledger import Gap, StreamEnd, StreamLedger, TrackLedger
from bridge.core.specs import (
    CallLink,
    CallStart,
    CallTrack,
    CaptureOrder,
    HeardSource,
    HlsSpec,
    InputName,
    LegSpec,
    MixSource,
    OutputSpec,
    PictureCoding,
    PlayerSource,
    ProgramSource,
    PushSpec,
    RecordingSpec,
    ServiceStream,
    SoloSource,
    SoundCoding,
    Source,
    WebRtcOffer,
)
from bridge.core.storage_spec import OWN_STORAGE, Encryption, GivenStorage, StorageKind
from bridge.core.taps import Output, OutputEnd, OutputFactory, OutputFile, OutputLook, OutputPort, OutputState
from bridge.core.wanted_files import EVERYBODY, WantedFiles, WantedPicture, Whom

__all__ = [
    "EVERYBODY",
    "GRID",
    "L16_8K",
    "L16_16K",
    "L16_48K",
    "OPUS",
    "OPUS_RATE_HZ",
    "OWN_STORAGE",
    "PTIME_MS",
    "TICK_S",
    "ULAW_8K",
    "AudioFormat",
    "AudioInput",
    "CallLink",
    "CallStart",
    "CallTrack",
    "CaptureOrder",
    "CloseReason",
    "Encoding",
    "Encryption",
    "FrameSink",
    "Gap",
    "GivenStorage",
    "HeardSource",
    "HlsSpec",
    "InputLook",
    "InputName",
    "Leg",
    "LayoutKind",
    "LegFactory",
    "LegLook",
    "LegPort",
    "LegSpec",
    "MixSource",
    "Output",
    "OutputEnd",
    "OutputFactory",
    "OutputFile",
    "OutputLook",
    "OutputPort",
    "OutputSpec",
    "OutputState",
    "PacketInput",
    "PacketSink",
    "PictureCoding",
    "PictureLayout",
    "PicturePlace",
    "PlayInput",
    "PlaySink",
    "PlayerSource",
    "ProgramSource",
    "PushSpec",
    "RecordingSpec",
    "ServiceStream",
    "SoloSource",
    "SoundCoding",
    "Source",
    "StorageKind",
    "StreamEnd",
    "StreamLedger",
    "TrackLedger",
    "WantedFiles",
    "WantedPicture",
    "WebRtcOffer",
    "Whom",
]


@dataclass(frozen=True, slots=True)
class InputLook:
    """What can be seen of one input. Counters run from the moment it was opened."""

    depth_ms: float = 0.0
    """Audio held in the playout buffer or play queue now."""
    target_ms: float = 0.0
    """Depth the buffer aims at (live inputs)."""
    jitter_ms: float = 0.0
    frames_in: int = 0
    concealed: int = 0
    """20 ms frames made up because nothing was there in time."""
    recovered: int = 0
    """Frames rebuilt from in-band FEC."""
    dropped: int = 0
    """Frames thrown away: too late, too many, or corrupt."""
    lost: int = 0
    """Packets that never came (packet inputs)."""
    corrected: int = 0
    """Frames repeated or removed against clock drift."""
    underruns: int = 0
    """Play queues: times the queue ran dry in the middle of something."""


class AudioInput(Protocol):
    """A live input of raw audio, through an adaptive playout buffer."""

    @property
    def phase(self) -> int:
        """Where the windows are, in ticks, over which the buffers of its format look at arrivals."""

    def push(self, payload: bytes | memoryview, now: float) -> None:
        """Add wire audio of any whole number of samples; what does not fit pushes out the oldest."""

    def look(self) -> InputLook: ...


class PacketInput(Protocol):
    """A live input of Opus packets, in RTP order or not."""

    def push(self, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        """Add one RTP payload. Late, doubled and corrupt packets are dropped and counted; never raises."""

    def look(self) -> InputLook: ...


class PlayInput(Protocol):
    """A play queue: nothing in it is dropped, stretched or concealed."""

    def play(self, payload: bytes | memoryview) -> int:
        """Append wire audio; gives the number of samples taken (fewer when the queue is full)."""

    def mark(self, name: str) -> None:
        """`MarkPlayed(name)` follows once everything queued before it has been played."""

    def clear(self) -> None:
        """Empty the queue at the next tick; pending marks are dropped. `QueueCleared` follows."""

    def look(self) -> InputLook: ...


class PlaySink(Protocol):
    """Is told what becomes of a play queue, right after the tick in which it happened. Must not raise."""

    def played(self, name: str) -> None:
        """Everything queued before the mark has left the mixer."""

    def cleared(self, dropped: tuple[str, ...]) -> None:
        """The queue was emptied; the marks `dropped` will never be played."""

    def ran_dry(self, underrun: bool) -> None:
        """The queue is empty (`underrun`: it was so in the middle of something)."""


class FrameSink(Protocol):
    """Takes raw 20 ms frames for the wire; the leg gives one to `open_frame_output`."""

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        """One tick's wire audio. `silent`: nothing sounds in it. `late`: a newer one follows at once.

        Must not block and must not raise.
        """


class PacketSink(Protocol):
    """Takes Opus packets for the wire; the leg gives one to `open_packet_output`."""

    def send_packet(self, payload: bytes, advance: int) -> None:
        """One packet. The sender adds `advance` (48 kHz samples) to its RTP timestamp, then sends.

        Sequence numbers and timestamps belong to the sender, whatever its source is switched to.
        Must not block and must not raise.
        """


class LegPort(Protocol):
    """One participant's place in a room, as its leg sees it."""

    @property
    def room_id(self) -> str: ...

    @property
    def participant_id(self) -> str: ...

    def open_audio_input(self, name: InputName, audio_format: AudioFormat) -> AudioInput: ...

    def open_packet_input(self, name: InputName) -> PacketInput: ...

    def open_play_input(
        self, name: InputName, audio_format: AudioFormat, sink: PlaySink | None = None
    ) -> PlayInput: ...

    def close_input(self, name: InputName) -> None:
        """Nothing happens when that input is not open."""

    def set_volume(self, name: InputName, gain: float) -> None:
        """How loud that input is from the next tick on, 0…16; 1 is as it comes. Holds until it is closed."""

    def open_frame_output(self, key: str, source: Source, audio_format: AudioFormat, sink: FrameSink) -> None:
        """From the next tick on, `sink` gets `source`; an output already open under `key` is replaced."""

    def open_packet_output(self, key: str, source: Source, sink: PacketSink) -> None:
        """The same for Opus packets."""

    def close_output(self, key: str) -> None:
        """Nothing happens when that output is not open."""

    def emit(self, event: LegEvent) -> None:
        """Tell the switchboard what happened on this leg."""


class CloseReason(StrEnum):
    """Why the bridge closes a leg; each leg says it in its own protocol's words."""

    EXPELLED = "expelled"
    """The participant was removed."""
    REPLACED = "replaced"
    """A newer leg of the same participant took over."""
    ENDED = "ended"
    """The conference is over."""
    RESTART = "restart"
    """The server goes down; the peer should come back."""
    FAILED = "failed"
    """The leg itself broke."""
    HANGUP = "hangup"
    """The far side, or somebody on its behalf, ended the call."""


@dataclass(frozen=True, slots=True)
class LegLook:
    """What can be seen of a leg as a whole."""

    kind: str
    state: str
    """`connecting`, `connected`, `interrupted` or `closed`."""
    format: str = ""
    """Of its audio, as people read it (`AudioFormat.title`)."""
    round_trip_ms: float | None = None
    loss: float | None = None
    """Share of packets lost on the way to us, 0…1."""
    backlog_ms: float = 0.0
    """Audio sent to the far side and not yet played there, as far as it can be known."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """Further numbers by name, for people to look at."""


class Leg(Protocol):
    """A media connection. Making one starts nothing; `start` does."""

    @property
    def kind(self) -> str:
        """`webrtc`, `plivo`, …: for metrics, logs and pages."""

    async def start(self) -> str | None:
        """Begin. Gives the answer SDP for an offer, None otherwise. Raises BadOffer."""

    async def renegotiate(self, spec: LegSpec) -> str | None:
        """Carry on this connection with a newer spec; None when it belongs to another connection."""

    def send(self, text: str) -> None:
        """Text for the peer (a notification), where the leg can carry it; otherwise dropped."""

    def press(self, track: str, digit: str) -> None:
        """Somebody pressed a key on what is streamed as `track`; dropped where the leg cannot say so."""

    async def close(self, reason: CloseReason) -> None:
        """End it and everything it started. May be called twice."""

    def look(self) -> LegLook: ...


class LegFactory(Protocol):
    """Makes a leg, without starting it."""

    def __call__(self, port: LegPort, spec: LegSpec) -> Leg: ...
