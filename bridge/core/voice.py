"""One Opus stream as sound: decoding, concealing, and a short store of what is decoded and not yet played."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bridge.core.ports import OPUS_RATE_HZ
from mediacodecs.opus import MAX_PACKET_SAMPLES, OpusDecoder, OpusError

CONCEAL_MS = 100
"""After so long there is silence."""
_STEADY_MS = 20
"""So long what is made up stays as loud as libopus makes it."""
_STORE_MS = 400
_FADE_MS = 5
_HUSHES = 128
"""Coded silence comes as one packet over and over, or in a few dozen variants (65 with libopus' defaults)."""
_PIECE = 120
"""libopus conceals multiples of 2.5 ms (at 48 kHz)."""


class Voice:
    """The decoder of a row and its store, in samples at `rate_hz`, float32 at int16 scale."""

    def __init__(self, rate_hz: int) -> None:
        """Raises OpusUnavailable without the library."""
        self.decoder = OpusDecoder(rate_hz)
        self.hushes: set[bytes] = set()
        """Packets that gave silence when it was silent before."""
        self.fill = 0
        self.gap = 0
        """Samples made up since the last packet."""
        self.gain = 1.0
        self._ratio = OPUS_RATE_HZ // rate_hz
        self._rate_hz = rate_hz
        self._fade = rate_hz * _FADE_MS // 1000
        self._longest = rate_hz * CONCEAL_MS // 1000
        self._steady = rate_hz * _STEADY_MS // 1000
        self._store = np.zeros(0, dtype=np.float32)  # made when first needed

    @property
    def steady(self) -> bool:
        """Nothing stored, nothing faded: the next packet may be decoded straight into its frame."""
        return self.fill == 0 and self.gain == 1.0 and self.gap == 0

    def restart(self) -> None:
        """Forget what was heard; the next sound fades in. What is stored stays."""
        self.decoder.reset()
        self.gap = 0
        self.gain = 0.0

    def remember_hush(self, payload: bytes) -> None:
        """When a packet that said nothing comes again it need not be decoded."""
        if len(self.hushes) >= _HUSHES:
            self.hushes.clear()
        self.hushes.add(payload)

    def decode(self, payload: bytes, duration: int) -> bool:
        """Store a packet's sound; False, and as much made up, when it is corrupt. `duration` at 48 kHz."""
        return self._keep(self.decoder.decode_into, payload, MAX_PACKET_SAMPLES, duration)

    def recover(self, payload: bytes, missing: int) -> bool:
        """Store the `missing` (48 kHz) samples before `payload`, out of the copy in it; else as `decode`."""
        return self._keep(self.decoder.recover_into, payload, missing, missing)

    def conceal(self, missing: int) -> int:
        """Make up `missing` samples (48 kHz), rounded up to 2.5 ms, softer and softer; gives how many."""
        rounded = -(-missing // _PIECE) * _PIECE
        left = rounded // self._ratio
        while left > 0:
            count = min(left, self._rate_hz // 50)
            room = self._room(count)
            self.decoder.conceal_into(room)
            ends = self.gap + count
            gain = min(max((self._longest - ends) / (self._longest - self._steady), 0.0), self.gain)
            if gain < 1.0:
                room *= np.linspace(self.gain, gain, count, dtype=np.float32)
            self.gain, self.gap = gain, ends
            self.fill += count
            left -= count
        return rounded

    def hush(self, duration: int) -> None:
        """Store the sound of a packet without content (DTX): what there was fades out."""
        count = self.conceal(duration) // self._ratio
        self._store[self.fill - count : self.fill] *= np.linspace(1, 0, count, dtype=np.float32)
        self.gap, self.gain = 0, 1.0

    def silence(self, duration: int) -> None:
        """Store nothing but time."""
        count = duration // self._ratio
        self._room(count)[:] = 0.0
        self.fill += count

    def stored(self, count: int) -> NDArray[np.float32]:
        """The first `count` samples of the store."""
        return self._store[:count]

    def drop(self, count: int) -> None:
        """They are played."""
        self.fill -= count
        self._store[: self.fill] = self._store[count : count + self.fill]

    def _keep(
        self, decode: Callable[[bytes, NDArray[np.float32]], int], payload: bytes, most: int, expected: int
    ) -> bool:
        """Store what `decode` gives, `most` samples at most; False, and `expected` made up, when it fails."""
        room = self._room(most // self._ratio)
        try:
            count = decode(payload, room)
        except OpusError:
            self.conceal(expected)
            return False
        self._fade_in(room[:count])
        self.fill += count
        self.gap = 0
        return True

    def _room(self, count: int) -> NDArray[np.float32]:
        if self.fill + count > len(self._store):
            size = max(self._rate_hz * _STORE_MS // 1000, self.fill + count)
            store = np.zeros(size, dtype=np.float32)
            store[: self.fill] = self._store[: self.fill]
            self._store = store
        return self._store[self.fill : self.fill + count]

    def _fade_in(self, sound: NDArray[np.float32]) -> None:
        if self.gain < 1.0:
            fade = min(self._fade, len(sound))
            sound[:fade] *= np.linspace(self.gain, 1.0, fade, dtype=np.float32)
            self.gain = 1.0
