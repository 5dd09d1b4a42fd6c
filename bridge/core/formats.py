"""Time and audio formats, as the whole bridge counts and names them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PTIME_MS = 20
"""Length of a tick and of every frame the bridge sends (SDP's word for it)."""

TICK_S = PTIME_MS / 1000
OPUS_RATE_HZ = 48_000
"""RTP clock of Opus, whatever rate it is coded at (RFC 7587 §4.1)."""


class Encoding(StrEnum):
    """How audio looks on the wire."""

    L16 = "l16"
    """Signed 16-bit, little-endian, mono."""
    ULAW = "ulaw"
    """G.711 µ-law, mono."""
    OPUS = "opus"


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """An encoding at a rate."""

    encoding: Encoding
    rate_hz: int

    @property
    def title(self) -> str:
        """As people read it: `L16 16 kHz`, `µ-law 8 kHz`, `Opus`."""
        if self.encoding is Encoding.OPUS:
            return "Opus"
        return f"{'µ-law' if self.encoding is Encoding.ULAW else 'L16'} {self.rate_hz // 1000} kHz"

    @property
    def frame_samples(self) -> int:
        """Samples in one tick."""
        return self.rate_hz * PTIME_MS // 1000

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample; raises ValueError for Opus."""
        if self.encoding is Encoding.OPUS:
            raise ValueError("Opus has no fixed sample size")
        return 2 if self.encoding is Encoding.L16 else 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one 20 ms frame; raises ValueError for Opus."""
        return self.frame_samples * self.sample_bytes


L16_8K = AudioFormat(Encoding.L16, 8_000)
L16_16K = AudioFormat(Encoding.L16, 16_000)
L16_48K = AudioFormat(Encoding.L16, 48_000)
"""What outputs get, whatever a room's rate."""
ULAW_8K = AudioFormat(Encoding.ULAW, 8_000)
OPUS = AudioFormat(Encoding.OPUS, OPUS_RATE_HZ)
