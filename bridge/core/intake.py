"""All kinds of inputs: live raw audio, live Opus packets, play queues. The opposite of `outlet.py`."""

from __future__ import annotations

from bridge.core.opus_ring import OpusPool
from bridge.core.play_queue import QueuePool
from bridge.core.playout import PlayoutPool
from bridge.core.pool import PlayoutSettings, Pool, QueueSettings
from bridge.core.queue_marks import RowCleared, RowDry, RowEvent, RowMark

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
