"""Sound made unintelligible that keeps its level: noise with the same energy in every 5 ms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import AudioFormat, Encoding
from bridge.harness.sound import decode, encode
from mediacodecs.g711 import ulaw_decode

BLOCK_MS = 5
"""Short enough that any 20 ms keep their level, too long for a voice's pitch to be left."""
_ULAW_LEVELS = np.unique(np.abs(ulaw_decode(np.arange(256, dtype=np.uint8)))).astype(np.float64)


class Disguise:
    """For one capture: the same sound gives the same noise again only at the same place."""

    def __init__(self, seed: int = 0) -> None:
        self._lots = np.random.default_rng(seed)

    def cover(self, payload: bytes, audio_format: AudioFormat) -> bytes:
        """Wire audio of the same length; half a sample at its end stays. Silence stays silence."""
        whole = len(payload) - len(payload) % audio_format.sample_bytes
        sound = decode(payload[:whole], audio_format).astype(np.float64)
        block = audio_format.rate_hz * BLOCK_MS // 1000
        padded = np.zeros(-(-len(sound) // block) * block)
        padded[: len(sound)] = sound
        blocks = padded.reshape(-1, block)
        held = np.full(len(blocks), block)
        if len(blocks):
            held[-1] = block - (len(padded) - len(sound))
        noise = self._noise(np.square(blocks).sum(axis=1), held, block, audio_format.encoding)
        covered = noise.reshape(-1)[: len(sound)].astype(np.int16)
        return encode(covered, audio_format) + payload[whole:]

    def _noise(
        self, energy: NDArray[np.float64], held: NDArray[np.intp], block: int, encoding: Encoding
    ) -> NDArray[np.float64]:
        """[n, block] of two neighbouring levels, so many of each that each row's energy is the one wanted.

        Only the first `held` samples of a row count.
        """
        wanted = np.sqrt(energy / np.maximum(held, 1))
        if encoding is Encoding.ULAW:
            at = np.clip(np.searchsorted(_ULAW_LEVELS, wanted, "right") - 1, 0, len(_ULAW_LEVELS) - 2)
            low, high = _ULAW_LEVELS[at], _ULAW_LEVELS[at + 1]
        else:
            low = np.clip(np.floor(wanted), 0, 32_766)
            high = low + 1
        louder = np.rint((energy - held * low**2) / (high**2 - low**2))
        # Which samples are louder is drawn by lot, among those that count.
        order = self._lots.random((len(energy), block)) + (np.arange(block) >= held[:, None])
        ranks = order.argsort(axis=1).argsort(axis=1)
        level = np.where(ranks < louder[:, None], high[:, None], low[:, None])
        sign = self._lots.integers(0, 2, (len(energy), block)) * 2 - 1
        noise: NDArray[np.float64] = level * sign
        return noise
