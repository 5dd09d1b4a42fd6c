"""What a player asks of a live playlist, and whether it can be answered yet (RFC 8216bis §6.2.5).

`_HLS_msn` and `_HLS_part` ask to wait until a segment or part is in the playlist, `_HLS_skip` to leave out
what the player knows already.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridge.errors import BadInput
from bridge.outputs.hls_playlist import MediaPlaylist

_INTEGER = re.compile(r"[0-9]{1,19}")
"""A decimal-integer of 64 bits (RFC 8216 §4.2) has no sign and at most 20 digits; nobody counts that far."""
MAX_AHEAD = 2
"""A segment further ahead than this is refused at once."""

Verdict = Literal["ready", "wait", "too far"]


@dataclass(frozen=True, slots=True)
class Directives:
    """What is asked for. Without `sequence` the newest playlist there is."""

    sequence: int | None = None
    part: int | None = None
    skip: Literal["no", "segments", "date ranges too"] = "no"


def parse_directives(query: Mapping[str, str]) -> Directives:
    """Of a query's parameters those that begin with `_HLS_`; unknown ones do not count.

    Raises BadInput for what is not a number, and for a part without its segment (§6.2.5.2).
    """
    sequence, part = _integer(query, "_HLS_msn"), _integer(query, "_HLS_part")
    if part is not None and sequence is None:
        raise BadInput("_HLS_part needs _HLS_msn")
    asked = query.get("_HLS_skip")
    if asked == "v2":
        return Directives(sequence, part, "date ranges too")
    return Directives(sequence, part, "segments" if asked == "YES" else "no")


def verdict(playlist: MediaPlaylist, asked: Directives) -> Verdict:
    """Whether the playlist as it is now answers what is asked, will in a while, or will not for long."""
    if playlist.ended or asked.sequence is None:
        return "ready"
    coming = playlist.next_sequence
    sequence = asked.sequence
    part = asked.part if playlist.part_target_s is not None else None
    if sequence < coming:
        # A part behind a complete segment's last one means the first one of the next segment. Segments from
        # so long ago that their parts are gone hold whatever is asked of them.
        if sequence < coming - 1 or part is None or not playlist.segments:
            return "ready"
        parts = len(playlist.segments[-1].parts)
        if part < parts or not parts:
            return "ready"
        sequence, part = coming, 0
    if sequence > coming - 1 + MAX_AHEAD:
        return "too far"
    if part is None:
        return "wait"
    there = len(playlist.open_parts)
    if sequence == coming and part < there:
        return "ready"
    ahead = part - (there - 1 if sequence == coming else -1)
    return "too far" if ahead > advance_part_limit(playlist.part_target_s) else "wait"


def advance_part_limit(part_target_s: float | None) -> int:
    """How many parts ahead may be asked for: three seconds' worth, at least three parts."""
    if part_target_s is None or part_target_s >= 1:
        return 3
    return math.ceil(3 / part_target_s)


def _integer(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not _INTEGER.fullmatch(text):
        raise BadInput(f"{name} is not a number")
    return int(text)
