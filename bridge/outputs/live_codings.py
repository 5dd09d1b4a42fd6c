"""One encoder for each way sound or pictures are coded, whoever wants it. Used in a child process only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from bridge.outputs.encoders import AudioEncoder, AudioSettings, Coded, PictureEncoder, PictureSettings
from bridge.outputs.h264_units import parameter_sets
from bridge.outputs.live_wire import PictureSpec, SoundSpec
from bridge.outputs.media_units import CLOCK_HZ, PictureTrack, SoundTrack, Unit
from bridge.outputs.record import FRAME_SAMPLES
from bridge.outputs.scene import View


@dataclass(frozen=True, slots=True)
class Coding:
    """What came out of an encoder since the last time: its packets, and the same as plain units."""

    packets: Sequence[Coded] = ()
    units: Sequence[Unit] = ()


@dataclass(slots=True)
class SoundCoding:
    """A shared encoder of sound that begins at `tick`."""

    spec: SoundSpec
    tick: int
    encoder: AudioEncoder = field(init=False)
    track: SoundTrack = field(init=False)

    def __post_init__(self) -> None:
        spec = self.spec
        settings = AudioSettings(spec.codec, spec.bitrate, spec.channels, spec.rate_hz)
        self.encoder = AudioEncoder(settings, self.tick * FRAME_SAMPLES)
        self.track = SoundTrack(self.spec.codec, self.spec.channels, _header_of(self.encoder))

    @property
    def frame(self) -> int:
        """Samples in a coded frame, at the encoder's rate."""
        return self.encoder.frame_samples

    def encode(self, pcm: NDArray[np.int16]) -> Coding:
        """`pcm`: int16 [samples], mono."""
        given = pcm if self.spec.channels == 1 else np.repeat(pcm[:, None], 2, axis=1)
        return self._coding(self.encoder.encode(given))

    def flush(self) -> Coding:
        """The rest; nothing can follow."""
        return self._coding(self.encoder.flush())

    def _coding(self, packets: Iterable[Coded]) -> Coding:
        # At its end FLAC gives a packet without anything in it, which only tells of its header.
        full = [packet for packet in packets if packet.size]
        units = []
        for packet in full:
            at, end = self._at(packet.pts or 0), self._at((packet.pts or 0) + self.frame)
            units.append(Unit(bytes(packet), at, end - at))
        return Coding(full, units)

    def _at(self, sample: int) -> int:
        """From the encoder's rate to the clock's."""
        return sample if self.spec.rate_hz == CLOCK_HZ else round(sample * CLOCK_HZ / self.spec.rate_hz)


class Painter(Protocol):
    """Draws views in one size."""

    def paint(self, view: View) -> NDArray[np.uint8]:
        """uint8 [height, width, 3]; the same array as long as the view is the same."""


@dataclass(slots=True)
class PictureCoding:
    """A shared encoder of pictures, whose first one is the first due at or after `tick`."""

    spec: PictureSpec
    tick: int
    painter: Painter
    encoder: PictureEncoder = field(init=False)
    track: PictureTrack = field(init=False)
    _next: int = field(init=False)

    def __post_init__(self) -> None:
        spec = self.spec
        self.encoder = PictureEncoder(settings_of(spec))
        self.track = PictureTrack(spec.width, spec.height, parameter_sets(_header_of(self.encoder)))
        self._next = -(-self.tick * FRAME_SAMPLES * spec.fps // CLOCK_HZ)

    def encode(self, until: int, view_at: Callable[[int], View]) -> Coding:
        """All pictures due before tick `until`; `view_at` says what is to be seen at a tick."""
        packets: list[Coded] = []
        while (at := self._at(self._next)) < until * FRAME_SAMPLES:
            picture = self.painter.paint(view_at(at // FRAME_SAMPLES))
            packets += self.encoder.encode(picture, self._next)
            self._next += 1
        return self._coding(packets)

    def flush(self) -> Coding:
        """The rest; nothing can follow."""
        return self._coding(self.encoder.flush())

    def _at(self, frame: int) -> int:
        return round(frame * CLOCK_HZ / self.spec.fps)

    def _coding(self, packets: Sequence[Coded]) -> Coding:
        units = []
        for packet in packets:
            frame = packet.pts or 0
            at = self._at(frame)
            units.append(Unit(bytes(packet), at, self._at(frame + 1) - at, packet.is_keyframe))
        return Coding(packets, units)


def settings_of(spec: PictureSpec) -> PictureSettings:
    """For encoder and painter. Raises ValueError for what cannot be."""
    return PictureSettings(spec.width, spec.height, spec.fps, spec.bitrate, spec.keyframe_s)


def _header_of(encoder: AudioEncoder | PictureEncoder) -> bytes:
    """What a container has to know of the encoder's stream; empty for MP3."""
    with av.open("nowhere", "w", format="null") as container:
        return bytes(encoder.add_to(container).codec_context.extradata or b"")
