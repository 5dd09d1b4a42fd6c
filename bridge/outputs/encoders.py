"""Sound and pictures into coded packets. Used in child processes only: encoding is heavy, and may crash.

An encoder codes once and serves any number of containers: `add_to` gives a container a stream for its
packets, `copied` a packet of its own (muxing changes the packet's times). Times are those of what was given:
an audio encoder's first packets lie before `start_sample` by its priming, which MP4 (edit list) and Ogg
(pre-skip) take out again; with MPEG-TS and FLV all streams of a container move together. So what is put in
at a sample is heard at that sample, beside the picture of that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from bridge.outputs.record import RATE_HZ

AudioCodec = Literal["aac", "mp3", "opus", "flac", "pcm"]
Coded: TypeAlias = "av.Packet[Any]"
"""A packet of one of these encoders: times in its own time base."""

# Bit-exact keeps the library's version out of the stream; containers want the headers apart.
_FLAGS: Final = int(Flags.global_header) | int(Flags.bitexact)


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """How sound is coded. `bitrate` (bit/s, of all channels) says nothing to `flac` and `pcm`."""

    codec: AudioCodec
    bitrate: int = 64_000
    channels: Literal[1, 2] = 1
    rate_hz: int = RATE_HZ
    quick: bool = False
    """AAC with half the work, and more noise: good for many voices, each alone."""

    def __post_init__(self) -> None:
        if self.rate_hz not in _RATES[self.codec]:
            raise ValueError(f"{self.codec} at {self.rate_hz} Hz; it can have {sorted(_RATES[self.codec])}")
        if self.channels not in (1, 2):
            raise ValueError(f"{self.channels} channels; 1 and 2 are possible")
        if not 6_000 <= self.bitrate <= 512_000:
            raise ValueError(f"a bitrate of {self.bitrate}; 6000 to 512000 are possible")


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """How the picture is coded: H.264, a key frame at least every `keyframe_s`. Width and height are even.

    `bitrate` (bit/s) is what a second may take at most; a picture in which nothing moves takes less.
    """

    width: int = 640
    height: int = 360
    fps: int = 10
    bitrate: int = 300_000
    keyframe_s: float = 1.0

    def __post_init__(self) -> None:
        if not (160 <= self.width <= 1920 and 90 <= self.height <= 1920) or self.width % 2 or self.height % 2:
            raise ValueError(f"a picture of {self.width}x{self.height}; even sides from 160x90 to 1920 only")
        if not 1 <= self.fps <= 30:
            raise ValueError(f"{self.fps} pictures a second; 1 to 30 are possible")
        if not 0 < self.keyframe_s <= 10:
            raise ValueError(f"a key frame every {self.keyframe_s} s; up to 10 are possible")


_RATES: Final[dict[AudioCodec, frozenset[int]]] = {
    "aac": frozenset({16_000, 22_050, 24_000, 32_000, 44_100, 48_000}),
    "mp3": frozenset({16_000, 22_050, 24_000, 32_000, 44_100, 48_000}),
    "opus": frozenset({48_000}),
    "flac": frozenset({8_000, 16_000, 24_000, 44_100, 48_000}),
    "pcm": frozenset({8_000, 16_000, 24_000, 44_100, 48_000}),
}
_ENCODERS: Final[dict[AudioCodec, tuple[str, str, dict[str, str]]]] = {
    # Codec → encoder, its sample format, options.
    "aac": ("aac", "fltp", {}),
    "mp3": ("libmp3lame", "s16p", {"compression_level": "7"}),
    "opus": ("libopus", "s16", {"application": "audio", "frame_duration": "20", "compression_level": "5"}),
    "flac": ("flac", "s16", {"compression_level": "3"}),
    "pcm": ("pcm_s16le", "s16", {}),
}
_SETTLED_FRAMES: Final = 6
"""After so many silent frames what the encoder gives is pure silence."""
_X264: Final = {"preset": "veryfast", "tune": "zerolatency", "sc_threshold": "0"}


class AudioEncoder:
    """Codes 48 kHz sound. Give it everything in order, then `flush` once."""

    def __init__(self, settings: AudioSettings, start_sample: int = 0) -> None:
        """`start_sample`: the time of the first sample given, in samples at 48 kHz."""
        self.settings = settings
        encoder, sample_format, options = _ENCODERS[settings.codec]
        if settings.quick and encoder == "aac":
            options = {"aac_coder": "fast"}
        # The encoder lives in a container that writes nothing: it is what other containers' streams copy.
        self._carrier = av.open("nowhere", "w", format="null")
        stream = self._carrier.add_stream(encoder, rate=settings.rate_hz, options=dict(options))
        assert isinstance(stream, AudioStream)
        context = stream.codec_context
        context.layout = self._layout = "mono" if settings.channels == 1 else "stereo"
        context.format = sample_format
        context.time_base = Fraction(1, settings.rate_hz)
        context.flags |= _FLAGS
        if settings.codec not in ("flac", "pcm"):
            context.bit_rate = settings.bitrate
        self._carrier.start_encoding()
        self._stream, self._context = stream, context
        self._at = start_sample
        # AAC keeps nothing of what was but for one frame: in a long silence all packets are the same.
        self._may_repeat = settings.codec == "aac" and settings.rate_hz == RATE_HZ
        self._quiet = 0
        self._repeated = 0
        self._last: Coded | None = None

    @property
    def header(self) -> bytes:
        """What a decoder must know beforehand; empty for MP3 and PCM."""
        return bytes(self._context.extradata or b"")

    @property
    def frame_samples(self) -> int:
        """How much sound is in one packet, in samples at `rate_hz`; 0: as much as was given."""
        return self._context.frame_size

    def add_to(self, container: OutputContainer) -> AudioStream:
        """A stream of `container` for this encoder's packets (as copies)."""
        return container.add_stream_from_template(self._stream)

    def encode(self, pcm: NDArray[np.int16]) -> list[Coded]:
        """What is complete after `pcm`, shape [n, channels] (or [n] when mono), n in samples at 48 kHz.

        The packets' times are in samples at `rate_hz`.
        """
        flat = np.ascontiguousarray(pcm, dtype=np.int16).reshape(1, -1)
        if not self._may_repeat:
            return self._encoded(flat)
        samples = flat.shape[1] // self.settings.channels
        if flat.any():
            self._quiet = 0
            return self._encoded(flat)
        before, self._quiet = self._quiet, self._quiet + samples
        if before < _SETTLED_FRAMES * self.frame_samples or self._last is None:
            return self._encoded(flat)
        whole, rest = divmod(samples, self.frame_samples)
        repeats = [self._repeat() for _ in range(whole)]
        return repeats + self._encoded(flat[:, : rest * self.settings.channels]) if rest else repeats

    def flush(self) -> list[Coded]:
        """What is left; nothing can be encoded afterwards."""
        return self._later(self._context.encode(None))

    def _encoded(self, flat: NDArray[np.int16]) -> list[Coded]:
        frame = av.AudioFrame.from_ndarray(flat, format="s16", layout=self._layout)
        frame.sample_rate = RATE_HZ
        frame.time_base = Fraction(1, RATE_HZ)
        frame.pts = self._at
        self._at += flat.shape[1] // self.settings.channels
        return self._later(self._context.encode(frame))

    def _later(self, packets: list[Coded]) -> list[Coded]:
        """The encoder does not know of what was repeated: its packets come so much later."""
        if self._repeated:
            for packet in packets:
                packet.pts = (packet.pts or 0) + self._repeated
                packet.dts = packet.pts
        self._last = packets[-1] if packets else self._last
        return packets

    def _repeat(self) -> Coded:
        """The last packet, of pure silence, once more."""
        assert self._last is not None
        packet = copied(self._last)
        packet.pts = packet.dts = (self._last.pts or 0) + self.frame_samples
        self._repeated += self.frame_samples
        self._last = packet
        return packet


class PictureEncoder:
    """Codes pictures as H.264 without delay: one packet per picture, none waits for a later one."""

    def __init__(self, settings: PictureSettings, even: bool = True) -> None:
        """`even`: every picture is given, and no second takes much more than `bitrate`, for live streams.

        Otherwise pictures that show nothing new may be left out, and quality is what stays the same, for
        files: what counts bits by the picture would starve the few that there are.
        """
        self.settings = settings
        self._carrier = av.open("nowhere", "w", format="null")
        options = {**_X264, "crf": "23" if even else "21"}
        if even:
            options |= {"maxrate": str(settings.bitrate), "bufsize": str(2 * settings.bitrate)}
        stream = self._carrier.add_stream("libx264", rate=settings.fps, options=options)
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = settings.width, settings.height, "yuv420p"
        context.time_base = Fraction(1, settings.fps)
        self._gop = max(1, int(settings.fps * settings.keyframe_s))
        context.gop_size = self._gop
        context.max_b_frames = 0
        # One thread: the same picture always gives the same bytes, and outputs do not crowd out the ticks.
        context.thread_count = 1
        # BT.709, limited range, said in the stream: otherwise players guess from the size.
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        context.flags |= _FLAGS
        self._carrier.start_encoding()
        self._stream, self._context = stream, context
        self._drawn: NDArray[np.uint8] | None = None
        self._frame: av.VideoFrame | None = None
        self._key_at: int | None = None

    @property
    def header(self) -> bytes:
        """The parameter sets, as Annex B."""
        return bytes(self._context.extradata or b"")

    def add_to(self, container: OutputContainer) -> VideoStream:
        """A stream of `container` for this encoder's packets (as copies)."""
        return container.add_stream_from_template(self._stream)

    def encode(self, frame: NDArray[np.uint8], pts_frames: int, keyframe: bool = False) -> list[Coded]:
        """Code `frame`, uint8 [height, width, 3] RGB, to be shown from `pts_frames` (in 1/fps s) on.

        The same array given again is taken for the same picture, and not converted again. Frames may be left
        out; times only grow. A key frame comes when asked for, and `keyframe_s` after the last one.
        """
        if self._frame is None or frame is not self._drawn:
            self._frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            self._drawn = frame
        picture = self._frame
        picture.pts, picture.time_base = pts_frames, Fraction(1, self.settings.fps)
        due = keyframe or self._key_at is None or pts_frames - self._key_at >= self._gop
        if due:
            self._key_at = pts_frames
        picture.pict_type = av.video.frame.PictureType.I if due else av.video.frame.PictureType.NONE
        return self._context.encode(picture)

    def flush(self) -> list[Coded]:
        """What is left; nothing can be encoded afterwards."""
        return self._context.encode(None)


def copied(packet: Coded) -> Coded:
    """The packet once more, for one more container."""
    copy: Coded = av.Packet(bytes(packet))
    copy.time_base = packet.time_base
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.is_keyframe = packet.is_keyframe
    for aside in packet.iter_sidedata():
        copy.set_sidedata(aside)
    return copy


def put(container: OutputContainer, stream: AudioStream | VideoStream, packets: Iterable[Coded]) -> None:
    """Write copies of `packets` to `container`'s `stream`; the packets stay as they are."""
    for packet in packets:
        copy = copied(packet)
        copy.stream = stream
        container.mux_one(copy)
