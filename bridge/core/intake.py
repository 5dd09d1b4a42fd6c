"""All kinds of inputs: live raw audio, live Opus packets, play queues. The opposite of `outlet.py`."""

from __future__ import annotations

from bridge.core.opus_ring import OpusPool
from bridge.core.play_queue import QueuePool, RowCleared, RowDry, RowEvent, RowMark
from bridge.core.playout import PlayoutPool
from bridge.core.pool import PlayoutSettings, Pool, QueueSettings

__all__ = [
    "OpusPool",
    "PlayoutPool",
    "PlayoutSettings",
    "Pool",
    "QueuePool",
    "QueueSettings",
    "RowCleared",
    "RowDry",
    "RowEvent",
    "RowMark",
]
