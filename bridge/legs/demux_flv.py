"""FLV without its pictures, so that who demuxes it waits for none and looks at none. Pure."""

from __future__ import annotations

HEADER = b"FLV\x01\x04\x00\x00\x00\x09\x00\x00\x00\x00"
"""Sound only, and the size of the tag before the first (Adobe's FLV specification 10.1, §E.2, §E.3)."""
_TAG_BYTES = 11
_SOUND = 8
_MOST_BYTES = 1 << 20
"""Of one tag of sound; real ones have a few hundred."""


class FlvSound:
    """`feed` it a FLV stream as it comes; it gives one with nothing but the sound."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._skip = 0
        self._begun = False

    def feed(self, piece: bytes) -> bytes:
        """Raises ValueError for what is no FLV."""
        if self._skip >= len(piece):
            self._skip -= len(piece)
            return b""
        self._held += piece[self._skip :] if self._skip else piece
        self._skip = 0
        given = bytearray()
        if not self._begun:
            if len(self._held) < 9:
                return b""
            if self._held[:3] != b"FLV":
                raise ValueError("not FLV")
            self._begun = True
            self._pass_over(int.from_bytes(self._held[5:9]) + 4)
            given += HEADER
        while len(self._held) >= _TAG_BYTES:
            size = int.from_bytes(self._held[1:4])
            whole = _TAG_BYTES + size + 4
            if self._held[0] & 0x1F != _SOUND:
                self._pass_over(whole)
            elif size > _MOST_BYTES:
                raise ValueError("a tag of sound that is far too long")
            elif len(self._held) < whole:
                break
            else:
                given += self._held[:whole]
                del self._held[:whole]
        return bytes(given)

    def _pass_over(self, count: int) -> None:
        here = min(count, len(self._held))
        del self._held[:here]
        self._skip = count - here
