"""What an Opus packet says of itself without being decoded (RFC 6716 §3).

Plain Python: safe with any bytes, and quicker than a call into libopus for the packets that are usual.
"""

from __future__ import annotations

MAX_PACKET_SAMPLES = 5_760
"""120 ms at 48 kHz, the longest a packet may be (RFC 6716 §3.2.5, R5)."""
_MAX_FRAME_BYTES = 1_275

# Samples of a frame at 48 kHz by the five bits of `config` (RFC 6716 §3.1, table 2).
_FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
_CELT_CONFIG = 16


def packet_samples(payload: bytes | memoryview) -> int:
    """Duration of an Opus packet in samples at 48 kHz, whatever rate it is decoded at; 0 when corrupt.

    Corrupt means that RFC 6716 §3.4 tells a receiver not to decode it; what is inside the frames is not seen.
    """
    size = len(payload)
    if size and not payload[0] & 3:  # one frame, as nearly always
        return _FRAME_SAMPLES[payload[0] >> 3] if size <= _MAX_FRAME_BYTES + 1 else 0
    count, _, _ = _frames(payload)
    return count * _FRAME_SAMPLES[payload[0] >> 3] if count else 0


def packet_has_fec(payload: bytes | memoryview) -> bool:
    """Whether the packet also carries a coarse copy of the frame before it; False when corrupt.

    That is: the LBRR flag of its first frame, for either channel (RFC 6716 §4.2.4). Only the SILK and hybrid
    modes can have one.
    """
    if not payload or payload[0] >> 3 >= _CELT_CONFIG:
        return False
    count, start, size = _frames(payload)
    if not count or not size:
        return False
    # First in a frame stand the flags of voice activity, one for each 20 ms, then the flag asked for; the
    # second channel's follow. All are coded as even odds, so that they can be read as plain bits (§4.2.3).
    activity_flags = max(_FRAME_SAMPLES[payload[0] >> 3] // 960, 1)
    flags = payload[start]
    if flags >> (7 - activity_flags) & 1:
        return True
    stereo = payload[0] & 4
    return bool(stereo and flags >> (6 - 2 * activity_flags) & 1)


def _frames(payload: bytes | memoryview) -> tuple[int, int, int]:
    """Number of frames, and where the first one begins and its length; (0, 0, 0) when corrupt.

    The rules R1 to R7 of RFC 6716 §3.4.
    """
    size = len(payload)
    if not size:
        return 0, 0, 0
    code = payload[0] & 3
    if code == 0:
        return (1, 1, size - 1) if size - 1 <= _MAX_FRAME_BYTES else (0, 0, 0)
    if code == 1:
        half, odd = divmod(size - 1, 2)
        return (2, 1, half) if not odd and half <= _MAX_FRAME_BYTES else (0, 0, 0)
    if code == 2:
        first, start = _length(payload, 1, size)
        last = size - start - first
        return (2, start, first) if start and 0 <= last <= _MAX_FRAME_BYTES else (0, 0, 0)
    return _counted_frames(payload, size)


def _counted_frames(payload: bytes | memoryview, size: int) -> tuple[int, int, int]:
    """The same for code 3: any number of frames, of equal length or not, padded or not (§3.2.5)."""
    if size < 2:
        return 0, 0, 0
    count = payload[1] & 0x3F
    if not count or count * _FRAME_SAMPLES[payload[0] >> 3] > MAX_PACKET_SAMPLES:
        return 0, 0, 0
    at, end = 2, size
    if payload[1] & 0x40:
        more = 255
        while more == 255:
            if at >= end:
                return 0, 0, 0
            more = payload[at]
            at += 1
            end -= 254 if more == 255 else more
    if not payload[1] & 0x80:
        each, rest = divmod(end - at, count)
        fits = end >= at and not rest and each <= _MAX_FRAME_BYTES
        return (count, at, each) if fits else (0, 0, 0)
    total, first = 0, 0
    for index in range(count - 1):
        length, at = _length(payload, at, end)
        if not at:
            return 0, 0, 0
        first = first if index else length
        total += length
    last = end - at - total
    if not 0 <= last <= _MAX_FRAME_BYTES:
        return 0, 0, 0
    return count, at, first if count > 1 else last


def _length(payload: bytes | memoryview, at: int, end: int) -> tuple[int, int]:
    """A frame's length in one or two bytes (§3.2.1), and where what follows it begins: 0 when cut off."""
    if at >= end:
        return 0, 0
    if payload[at] < 252:
        return payload[at], at + 1
    if at + 1 >= end:
        return 0, 0
    return payload[at] + 4 * payload[at + 1], at + 2
