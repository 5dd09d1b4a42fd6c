"""Opus encoders to be had again, the jobs they get, and the packet of silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import PTIME_MS
from mediacodecs.opus import OpusEncoder, OpusSettings

WARM_FRAMES = 4
"""What an encoder is fed before its first packet: a cold one overshoots."""
QUIET_TICKS = 10
"""Silent frames after which an encoder gets no more of them: its packets would all be the same."""
_SETTLED_FRAMES = 25  # after so many, they certainly are
_MAX_SPARE = 64
_NOTHING = np.zeros((0, 0), dtype=np.int16)


class EncodeJob(NamedTuple):
    """One stream's 20 ms to be encoded, by whoever calls `run`, in whatever thread.

    Jobs of one encoder must run one at a time and in the order of their ticks: whoever runs them in threads
    lets a job wait while an earlier one with the same encoder runs. A job may also be left out for want of
    time; its listeners then miss a frame.
    """

    encoder: OpusEncoder | None
    """None: nothing sounds, and `run` gives a ready-made packet."""
    pcm: NDArray[np.int16]
    """[n, S], the job's own copy: `warm` frames to warm the encoder up with, then those to be sent."""
    warm: int
    outlets: Sequence[int]
    reset: bool = False
    """The encoder may have served others before: it has to forget them first."""
    ready: bytes = b""

    def run(self) -> list[bytes]:
        """The packets, 20 ms each; every outlet gets all of them. Raises OpusError."""
        encoder = self.encoder
        if encoder is None:
            return [self.ready]
        if self.reset:
            encoder.reset()
        packets = [encoder.encode(frame) for frame in self.pcm]
        return packets[self.warm :]


@dataclass(slots=True, eq=False)
class Stream:
    """One encoder's listeners."""

    outlets: list[int] = field(default_factory=list)
    """Replaced when it changes, never altered: jobs hold on to it."""
    encoder: OpusEncoder | None = None
    """None until something sounds."""


class Encoders:
    """Hands out encoders that all have the same settings, and makes the jobs for them."""

    def __init__(self, settings: OpusSettings) -> None:
        self._settings = settings
        self._spare: dict[int, list[OpusEncoder]] = {}
        self._silence: dict[int, bytes] = {}
        self.in_use = 0
        self.silent_packets = 0
        """Ready-made packets given out instead, one for each outlet."""

    def jobs(
        self,
        streams: Sequence[Stream],
        rate_hz: int,
        frames: NDArray[np.int16],
        past: Callable[[int], NDArray[np.int16]] | None = None,
    ) -> list[EncodeJob]:
        """A job for each of `streams` [n], of its row of `frames` [n, S] at `rate_hz`, which the jobs keep.

        `past(i)` gives what the listeners of stream i heard before, frames [m, S], and is only asked for
        streams that need another encoder; None stands for silence.
        """
        jobs: list[EncodeJob] = []
        for number, (stream, pcm) in enumerate(zip(streams, frames[:, np.newaxis], strict=True)):
            encoder, warm = stream.encoder, 0
            if encoder is None or encoder.rate_hz != rate_hz:
                self.release(stream)
                encoder = stream.encoder = self._take(rate_hz)
                before = np.zeros((WARM_FRAMES, pcm.shape[1]), np.int16) if past is None else past(number)
                pcm, warm = np.concatenate((before, pcm)), len(before)
            jobs.append(EncodeJob(encoder, pcm, warm, stream.outlets, warm > 0))
        return jobs

    def prepare(self, rate_hz: int) -> None:
        """Do what takes a while, and raise OpusUnavailable if need be, before the first tick at `rate_hz`."""
        self._silent(rate_hz)

    def silence(self, rate_hz: int, outlets: Sequence[int]) -> EncodeJob:
        """The job for those who have heard nothing for `QUIET_TICKS` or more."""
        self.silent_packets += len(outlets)
        return EncodeJob(None, _NOTHING, 0, outlets, ready=self._silent(rate_hz))

    def release(self, stream: Stream) -> None:
        """Take the encoder away from `stream`, if it has one; a job with it may still be running."""
        encoder, stream.encoder = stream.encoder, None
        if encoder is None:
            return
        self.in_use -= 1
        spare = self._spare.setdefault(encoder.rate_hz, [])
        if len(spare) < _MAX_SPARE:
            spare.append(encoder)

    def _take(self, rate_hz: int) -> OpusEncoder:
        spare = self._spare.get(rate_hz)
        self.in_use += 1
        return spare.pop() if spare else OpusEncoder(rate_hz, self._settings)

    def _silent(self, rate_hz: int) -> bytes:
        """The packet that an encoder gives again and again once it has heard enough silence."""
        packet = self._silence.get(rate_hz)
        if packet is None:
            # Never one of DTX: a receiver would make up background noise from what was before.
            encoder = OpusEncoder(rate_hz, replace(self._settings, dtx=False))
            zeros = np.zeros(rate_hz * PTIME_MS // 1000, dtype=np.int16)
            packet = self._silence[rate_hz] = [encoder.encode(zeros) for _ in range(_SETTLED_FRAMES)][-1]
        return packet
