"""G.711 companding (ITU-T G.711): µ-law and A-law as table look-ups over whole batches.

Linear samples are at int16 scale: the 14-bit values of the µ-law table times 4, the 13-bit values of the
A-law table times 8. Decoding gives float32, which is what the mix works in; all values are whole numbers.
Negative samples are companded by their ones' complement, as the ITU's own software tools do (G.191).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ULAW_SILENCE = 0xFF
"""The µ-law code of sample 0."""
ALAW_SILENCE = 0xD5
"""The A-law code of sample 0 (which decodes to +8: A-law has no zero)."""


def ulaw_decode(codes: NDArray[np.uint8], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Linear samples of µ-law codes, -32124…32124, in the shape of `codes`.

    `out`, when given, is filled and returned: float32, C-contiguous, the shape of `codes`.
    """
    return _ULAW_TO_LINEAR.take(codes, mode="clip", out=out)


def ulaw_encode(samples: NDArray[np.int16], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """µ-law codes of int16 samples, in their shape; what exceeds ±32124 gets the outermost code.

    `out`, when given, is filled and returned: uint8, C-contiguous.
    """
    return _LINEAR_TO_ULAW.take(samples.view(np.uint16), mode="clip", out=out)


def alaw_decode(codes: NDArray[np.uint8], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Linear samples of A-law codes, -32256…32256, in the shape of `codes`.

    `out`, when given, is filled and returned: float32, C-contiguous, the shape of `codes`.
    """
    return _ALAW_TO_LINEAR.take(codes, mode="clip", out=out)


def alaw_encode(samples: NDArray[np.int16], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """A-law codes of int16 samples, in their shape.

    `out`, when given, is filled and returned: uint8, C-contiguous.
    """
    return _LINEAR_TO_ALAW.take(samples.view(np.uint16), mode="clip", out=out)


def _every_sample() -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Magnitude and sign of all int16 samples, in the order of their bits read as uint16."""
    linear = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    return np.where(linear < 0, ~linear, linear), linear < 0


def _make_ulaw_decode() -> NDArray[np.float32]:
    bits = ~np.arange(256, dtype=np.uint8)  # transmitted inverted (G.711 §3.2)
    segment = ((bits >> 4) & 7).astype(np.int32)
    step = (bits & 15).astype(np.int32)
    # 33 is the bias that makes all segments begin at a power of two, on the 14-bit scale.
    magnitude = 4 * (((2 * step + 33) << segment) - 33)
    return np.where(bits & 0x80, -magnitude, magnitude).astype(np.float32)


def _make_ulaw_encode() -> NDArray[np.uint8]:
    magnitude, negative = _every_sample()
    biased = np.minimum(magnitude + 4 * 33, 32_767)
    segment = np.frexp(biased)[1] - 8
    step = (biased >> (segment + 3)) & 15
    bits = (segment << 4) | step | np.where(negative, 0x80, 0)
    inverted: NDArray[np.uint8] = ~bits.astype(np.uint8)
    return inverted


def _make_alaw_decode() -> NDArray[np.float32]:
    bits = np.arange(256, dtype=np.uint8) ^ 0x55  # every second bit is inverted (G.711 §3.1)
    segment = ((bits >> 4) & 7).astype(np.int32)
    step = (bits & 15).astype(np.int32)
    # The lowest two segments share one step size: the second has the leading one, the first has not.
    curved = np.where(segment > 0, 33, 1)
    magnitude = 8 * ((2 * step + curved) << np.maximum(segment - 1, 0))
    return np.where(bits & 0x80, magnitude, -magnitude).astype(np.float32)


def _make_alaw_encode() -> NDArray[np.uint8]:
    magnitude, negative = _every_sample()
    segment = np.maximum(np.frexp(magnitude)[1] - 8, 0)
    step = (magnitude >> (np.maximum(segment, 1) + 3)) & 15
    bits = (segment << 4) | step | np.where(negative, 0, 0x80)
    inverted: NDArray[np.uint8] = bits.astype(np.uint8) ^ np.uint8(0x55)
    return inverted


_ULAW_TO_LINEAR = _make_ulaw_decode()
_LINEAR_TO_ULAW = _make_ulaw_encode()
_ALAW_TO_LINEAR = _make_alaw_decode()
_LINEAR_TO_ALAW = _make_alaw_encode()
