"""Opus for tests: tones as packets, and packets as sound."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import PacketSink
from mediacodecs.opus import OpusDecoder, OpusEncoder, OpusSettings
from tests.kit.tones import tone

RATE_HZ = 48_000
FRAME = RATE_HZ // 50


def tone_packets(frequency_hz: float, seconds: float, amplitude: float = 8000.0) -> list[bytes]:
    """20 ms packets of a sine."""
    sound = tone(frequency_hz, seconds, RATE_HZ, amplitude).astype(np.int16)
    encoder = OpusEncoder(RATE_HZ, OpusSettings(application="audio", bitrate=64_000))
    return [encoder.encode(sound[at : at + FRAME]) for at in range(0, len(sound) - FRAME + 1, FRAME)]


def decoded(packets: Iterable[bytes]) -> NDArray[np.int16]:
    """The sound of consecutive packets, 48 kHz mono."""
    decoder = OpusDecoder(RATE_HZ)
    out = np.zeros(6 * FRAME, np.int16)
    return np.concatenate([out[: decoder.decode_into(packet, out)].copy() for packet in packets])


async def play(sink: PacketSink, packets: Iterable[bytes]) -> None:
    """Send packets at the pace of the clock, 20 ms apart."""
    loop = asyncio.get_running_loop()
    at = loop.time()
    for packet in packets:
        sink.send_packet(packet, FRAME)
        at += FRAME / RATE_HZ
        await asyncio.sleep(at - loop.time())
