"""A reader of H.264's NAL units and their notes, after the standard's syntax and not after our writer."""

from __future__ import annotations

SEI, USER_DATA_UNREGISTERED = 6, 5


def units_in(tag_body: bytes) -> list[bytes]:
    """The NAL units of a FLV tag's picture (behind its five bytes), each behind a length of four."""
    units, at = [], 5
    while at < len(tag_body):
        length = int.from_bytes(tag_body[at : at + 4])
        units.append(tag_body[at + 4 : at + 4 + length])
        assert len(units[-1]) == length
        at += 4 + length
    return units


def user_data_in(unit: bytes) -> list[tuple[bytes, bytes]]:
    """(UUID, content) of the unregistered user data in a unit; none in other units."""
    if unit[0] & 0x1F != SEI:
        return []
    payload = _without_emulation(unit[1:])
    found, at = [], 0
    while payload[at:] != b"\x80":  # rbsp_trailing_bits
        kind, at = _number(payload, at)
        size, at = _number(payload, at)
        if kind == USER_DATA_UNREGISTERED:
            found.append((payload[at : at + 16], payload[at + 16 : at + size]))
        at += size
        assert at < len(payload)
    return found


def _number(payload: bytes, at: int) -> tuple[int, int]:
    value = 0
    while payload[at] == 0xFF:
        value, at = value + 255, at + 1
    return value + payload[at], at + 1


def _without_emulation(unit: bytes) -> bytes:
    given, zeros = bytearray(), 0
    for byte in unit:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        given.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(given)
