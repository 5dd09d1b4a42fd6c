"""Inputs on a manual clock: what is sent and when, what a pool makes of it tick by tick."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bridge.core.intake import OpusPool, PlayoutPool, PlayoutSettings, Pool
from bridge.core.ports import AudioFormat, Encoding, InputLook
from mediacodecs.g711 import ulaw_encode
from mediacodecs.opus import OpusDecoder, OpusEncoder, OpusSettings

START = 100.0
TICK_S = 0.02
Sent = TypeVar("Sent")
Rtp = tuple[bytes, int, int]
"""Payload, sequence number, timestamp."""


def wire(sound: ArrayLike, audio_format: AudioFormat) -> bytes:
    """Samples as they look on the wire."""
    pcm = np.asarray(sound).astype("<i2")
    return ulaw_encode(pcm).tobytes() if audio_format.encoding is Encoding.ULAW else pcm.tobytes()


def frames(
    sound: ArrayLike, audio_format: AudioFormat, *, ms: int = 20, ppm: float = 0.0, start: float = START
) -> list[tuple[float, bytes]]:
    """Frames of `ms`, each sent when its last sample is spoken, by a clock that is `ppm` slow."""
    payload = wire(sound, audio_format)
    size = audio_format.frame_bytes * ms // 20
    return [
        (start + (index + 1) * ms / 1000 * (1 + ppm * 1e-6), payload[at : at + size])
        for index, at in enumerate(range(0, len(payload) - size + 1, size))
    ]


def packets(
    sound: ArrayLike,
    settings: OpusSettings | None = None,
    *,
    ms: int = 20,
    ppm: float = 0.0,
    start: float = START,
    number: int = 1_000,
    timestamp: int = 50_000,
) -> list[tuple[float, Rtp]]:
    """The same in Opus, of sound at 48 kHz; `number` and `timestamp` are the first packet's."""
    pcm = np.asarray(sound).astype(np.int16)
    encoder = OpusEncoder(48_000, settings or OpusSettings(application="audio", bitrate=64_000))
    size = 48 * ms
    return [
        (
            start + (index + 1) * ms / 1000 * (1 + ppm * 1e-6),
            (encoder.encode(pcm[at : at + size]), (number + index) & 0xFFFF, (timestamp + at) & 0xFFFFFFFF),
        )
        for index, at in enumerate(range(0, len(pcm) - size + 1, size))
    ]


def decoded(sent: list[tuple[float, Rtp]], rate_hz: int = 48_000) -> NDArray[np.float32]:
    """What a decoder makes of the packets one after the other."""
    decoder, out = OpusDecoder(rate_hz), np.zeros(5_760, np.float32)
    return np.concatenate([out[: decoder.decode_into(packet[0], out)].copy() for _, packet in sent])


def opus_pool(rate_hz: int = 48_000) -> OpusPool:
    """As a server has it."""
    return OpusPool(rate_hz, PlayoutSettings())


@dataclass
class Heard:
    """What came out of a row."""

    rate_hz: int
    sound: NDArray[np.float32]
    looks: list[InputLook] = field(default_factory=list)
    """After each tick."""
    sounding: list[bool] = field(default_factory=list)

    @property
    def end(self) -> InputLook:
        return self.looks[-1]

    @property
    def depths_ms(self) -> NDArray[np.float64]:
        return np.array([look.depth_ms for look in self.looks])

    def between(self, begin_s: float, end_s: float) -> NDArray[np.float32]:
        return self.sound[round(begin_s * self.rate_hz) : round(end_s * self.rate_hz)]

    def first_sound_s(self, above: float = 500.0) -> float:
        return float(np.flatnonzero(np.abs(self.sound) > above)[0]) / self.rate_hz

    def levels(self, begin_s: float, end_s: float, window_s: float = 0.1) -> NDArray[np.float64]:
        """Amplitude a sine would have to be as loud, window by window."""
        part, size = self.between(begin_s, end_s), round(window_s * self.rate_hz)
        windows = part[: len(part) // size * size].reshape(-1, size).astype(np.float64)
        levels: NDArray[np.float64] = np.sqrt(2 * np.mean(windows**2, axis=1))
        return levels


def play_raw(
    arrivals: Iterable[tuple[float, bytes]],
    audio_format: AudioFormat,
    seconds: float,
    *,
    pool: PlayoutPool,
    phase_s: float = 0.01,
) -> Heard:
    """Push each payload at its time into a new row; ticks come `phase_s` after every full 20 ms."""
    row = pool.open()

    def push(payload: bytes, now: float) -> None:
        pool.push(row, payload, now)

    return _run(pool, row, push, arrivals, seconds, phase_s, lambda tick: True)


def play_packets(
    arrivals: Iterable[tuple[float, Rtp]],
    seconds: float,
    *,
    pool: OpusPool,
    phase_s: float = 0.01,
    wanted: Callable[[int], bool] = lambda tick: True,
) -> Heard:
    """The same for packets; `wanted` says, for each tick, whether anybody hears the row."""
    row = pool.open()

    def push(packet: Rtp, now: float) -> None:
        pool.push(row, *packet, now)

    return _run(pool, row, push, arrivals, seconds, phase_s, wanted)


def _run(
    pool: Pool,
    row: int,
    push: Callable[[Sent, float], None],
    arrivals: Iterable[tuple[float, Sent]],
    seconds: float,
    phase_s: float,
    wanted: Callable[[int], bool],
) -> Heard:
    waiting = sorted(arrivals, key=lambda arrival: arrival[0])
    waiting.reverse()
    blocks: list[NDArray[np.float32]] = []
    heard = Heard(pool.rate_hz, np.zeros(0, dtype=np.float32))
    for tick in range(round(seconds / TICK_S)):
        now = START + phase_s + tick * TICK_S
        while waiting and waiting[-1][0] <= now:
            at, sent = waiting.pop()
            push(sent, at)
        pool.wanted[row] = wanted(tick)
        pool.take(now)
        sounds = bool(pool.sounding[row])
        assert sounds or not pool.block[row].any(), "a row that does not sound is all zeros"
        blocks.append(pool.block[row].copy())
        heard.looks.append(pool.look(row))
        heard.sounding.append(sounds)
    heard.sound = np.concatenate(blocks)
    return heard
