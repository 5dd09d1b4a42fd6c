"""A participant who has a leg: its port, what came too early, and its end."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from time import monotonic

from bridge.core.ports import CloseReason, Leg
from bridge.leg_port import Port

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0
"""What a leg gets to say goodbye before it is abandoned."""
MAX_EARLY_DIGITS = 32


@dataclass(slots=True, eq=False)
class Seat:
    """One leg's time in a room."""

    port: Port
    leg: Leg
    up: bool = False
    early_digits: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_EARLY_DIGITS))
    """Pressed while the leg was being set up; the oldest are lost when they are too many."""

    @property
    def where(self) -> dict[str, str]:
        """What a log line carries beside its text."""
        return {"room": self.port.room_id, "participant": self.port.participant_id, "leg": self.leg.kind}

    async def close_leg(self, reason: CloseReason) -> None:
        """Returns when the leg has said goodbye, or had its time for it; its port is closed before."""
        started = monotonic()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.leg.close(reason)
        except Exception:
            log.warning(
                "x a leg did not close cleanly (%.1f s)",
                monotonic() - started,
                exc_info=True,
                extra=self.where,
            )
