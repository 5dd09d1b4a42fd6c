"""Where a log's sound part ends, found without reading all of it. Pure, but for what `read` does."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.outputs.record import Ended
from bridge.outputs.record_log import HEAD_BYTES, OPENING_BYTES, Batch, LogScan, Read, identity_of

_END_LOOK = 4096


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of what can be relied on in a log."""

    offset: int
    """Where the next batch belongs. 0: not even the opening is there."""
    sequence: int
    """Of the last whole batch, 0 without any."""
    until: int
    """Ticks before this one are told of."""


def find_tail(read: Read, size: int, trusted: int | None = None, checked_bytes: int = 64 << 20) -> Tail:
    """Where a log of `size` bytes ends.

    Batches up to the sequence number `trusted` are known to have been whole on the disk: a damage among them
    is a disk's fault, and what follows it counts. Behind them the first damage is the end, since somebody
    still has what was to follow; without `trusted`, only the torn end is not counted. Payloads are checked
    in the last `checked_bytes` and behind `trusted`: a disk that lost its power has harmed nothing else.
    """
    scan = LogScan(read)
    offset = sequence = until = 0
    if identity_of(read(0, OPENING_BYTES)) is not None:
        offset = scan.at = OPENING_BYTES
    while True:
        head = scan.hop() if scan.at >= OPENING_BYTES else None
        whole = head is not None and scan.at + HEAD_BYTES + head.length <= size
        if head is not None and whole and _may_hop(head.sequence, trusted, size - scan.at, checked_bytes):
            scan.at += HEAD_BYTES + head.length
            if head.sequence > sequence:
                sequence = scan.sequence = head.sequence
                until = head.until
            offset = scan.at
            continue
        found = scan.next()
        if isinstance(found, Batch):
            offset, sequence, until = found.end, found.sequence, found.until
        elif found is None or (trusted is not None and sequence >= trusted):
            return Tail(offset, sequence, until)


def _may_hop(sequence: int, trusted: int | None, left: int, checked_bytes: int) -> bool:
    return left > checked_bytes if trusted is None else sequence <= trusted


def ended_at(read: Read, size: int) -> Ended | None:
    """What a stretch's log ends with, when it says that it is over. Reads its last bytes only."""
    start = max(0, size - _END_LOOK)
    scan = LogScan(read, start if start > OPENING_BYTES else 0)
    last: Batch | None = None
    while (found := scan.next()) is not None:
        if isinstance(found, Batch):
            last = found
    if last is None or last.end != size:
        return None
    said = last.records()
    return said[-1] if said and isinstance(said[-1], Ended) else None
