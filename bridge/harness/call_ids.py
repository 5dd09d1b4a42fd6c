"""What a simulated call says of itself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from bridge.core.ports import L16_16K, AudioFormat, CallStart

ACCOUNT_ID = "MASIMULATEDCALLER000"
"""Of calls that belong to no account of anybody's; of the vendor's form."""


def new_call(
    audio_format: AudioFormat = L16_16K,
    *,
    tracks: tuple[str, ...] = ("inbound",),
    headers: Mapping[str, str] | None = None,
    call_id: str | None = None,
) -> CallStart:
    """What a call says of itself, with ids of its own; the same `call_id` makes it the same call again."""
    return CallStart(
        call_id or str(uuid.uuid4()),
        str(uuid.uuid4()),
        ACCOUNT_ID,
        tracks,
        audio_format,
        headers or {},
    )
