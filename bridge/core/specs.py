"""What a leg is asked to be, as data: where its sound comes from, and what it begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bridge.core.formats import OPUS_RATE_HZ, AudioFormat
from bridge.core.layouts import GRID, PictureLayout
from bridge.core.ledger import StreamLedger

InputName = Literal["primary", "secondary"]
"""A participant has at most two inputs."""


@dataclass(frozen=True, slots=True)
class MixSource:
    """The conference mix without the listener's own inputs."""


@dataclass(frozen=True, slots=True)
class SoloSource:
    """One participant's input alone. The participant need not exist yet: silence until it does."""

    participant_id: str
    input_name: InputName = "primary"


@dataclass(frozen=True, slots=True)
class HeardSource:
    """What another participant hears: silence while that participant has no place in the mix."""

    participant_id: str


@dataclass(frozen=True, slots=True)
class ProgramSource:
    """The whole room's mix."""


Source = MixSource | SoloSource | HeardSource | ProgramSource


@dataclass(frozen=True, slots=True)
class CallStart:
    """What a streaming phone call says of itself when it begins."""

    call_id: str
    stream_id: str
    account_id: str
    tracks: tuple[str, ...]
    audio_format: AudioFormat
    headers: Mapping[str, str] = field(repr=False)
    """The call's extra headers, decoded; keys as sent. May hold secrets."""


class CallLink(Protocol):
    """A streaming call's connection, greeted and waiting for its legs (one for each track)."""

    @property
    def start(self) -> CallStart: ...

    def close(self, code: int, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class WebRtcOffer:
    """A leg that begins with an SDP offer."""

    sdp: str


@dataclass(frozen=True, slots=True)
class CaptureOrder:
    """A leg is to be captured."""

    id: str
    """The capture's own."""
    owner: str
    """Whose it is."""


@dataclass(frozen=True, slots=True)
class CallTrack:
    """A leg that carries one track of a streaming call."""

    link: CallLink
    track: str
    """`inbound` (what the caller says) or `outbound` (what the caller hears)."""
    receive_only: bool = False
    capture: CaptureOrder | None = None


@dataclass(frozen=True, slots=True)
class ServiceStream:
    """A leg that the bridge dials: a call streamed to a service, which may play something back."""

    url: str = field(repr=False)
    """`ws` or `wss`; its query may hold secrets."""
    call: CallStart
    sources: Mapping[str, Source]
    """Track → what is sent on it."""
    ledger: StreamLedger
    """Kept by the leg, read by whoever asked for the stream."""
    bidirectional: bool = False
    handshake: Callable[[], Mapping[str, str]] = field(default=lambda: {}, repr=False)
    """Gives the headers of one attempt (a signature, say)."""
    redial: bool = False
    """Receive-only streams: dial again for as long as the leg lives, and send what was held meanwhile."""
    say_stop: bool = False
    timeout_s: float = 86_400.0
    """The stream ends by itself so long after it was connected for the first time."""
    capture: CaptureOrder | None = None


@dataclass(frozen=True, slots=True)
class PlayerSource:
    """A leg that plays something: from an address, or a file of this machine, one of them."""

    url: str = field(default="", repr=False)
    """`rtmp`, `rtmps`, or `http`, `https` for HTTP-FLV and HLS; may hold keys and tokens."""
    file: str = ""
    """A path below one of the directories that the operator allows."""
    volume: float = 1.0
    """A gain, 0…2."""
    loop: bool = False
    """What has an end begins again."""
    paused: bool = False


LegSpec = WebRtcOffer | CallTrack | ServiceStream | PlayerSource


@dataclass(frozen=True, slots=True)
class RecordingSpec:
    """An output that keeps what a room sounds like: the program, and each participant alone."""

    recording_id: str
    stretch: int
    """How many times it was begun before."""


@dataclass(frozen=True, slots=True)
class SoundCoding:
    """How an output's sound is coded. Outputs that ask for the same share one encoder."""

    codec: Literal["aac", "he-aac", "mp3", "opus"] = "aac"
    """Where nothing codes HE-AAC it is AAC-LC, and the output's look says so."""
    bitrate: int = 64_000
    """Bits per second, of all channels."""
    channels: Literal[1, 2] = 1
    rate_hz: int = OPUS_RATE_HZ


@dataclass(frozen=True, slots=True)
class PictureCoding:
    """How its picture is coded, as H.264."""

    width: int = 640
    height: int = 360
    fps: int = 10
    bitrate: int = 300_000
    background: str = ""
    """Behind the tiles, `#rrggbb`; empty: the usual one."""
    layout: PictureLayout = GRID


@dataclass(frozen=True, slots=True)
class PushSpec:
    """An output that publishes a room's program to an RTMP server, and does so again when that fails."""

    url: str = field(repr=False)
    """`rtmp` or `rtmps`; its path holds the stream's key."""
    sound: SoundCoding = SoundCoding()
    picture: PictureCoding | None = PictureCoding()
    stream_id: str = ""
    """By which it is marked; empty: it is not."""
    levels: bool = False
    """It says how loud each participant is, whenever that changes."""


@dataclass(frozen=True, slots=True)
class HlsSpec:
    """An output that offers a room's program as HLS."""

    stream_id: str
    sound: SoundCoding = SoundCoding()
    picture: PictureCoding | None = None
    container: Literal["ts", "fmp4"] = "fmp4"
    segment_s: float = 6.0
    part_s: float | None = None
    """With it, low latency."""
    window: int = 6
    """Segments that can be seen."""
    whole: bool = False
    """Everything since the beginning can be seen, instead of a window."""
    captions: bool = False
    """With a rendition of what is said, which is empty as long as nobody says what that is."""
    storage: str = ""
    """The name of a storage that it is published to as well; empty: none."""
    token_hash: str = ""
    """Of the token that is needed to see it; empty: none is."""


OutputSpec = RecordingSpec | PushSpec | HlsSpec
