"""A crowd's 50 sends a second each, spread evenly over the 20 ms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

GROUPS = 20


class Sender(Protocol):
    def send(self) -> None: ...


async def send_in_turn(senders: Sequence[Sender], seconds: float) -> tuple[int, float]:
    """Let everybody send every 20 ms, a twentieth of them each ms; gives the sends and the worst lateness."""
    groups = [senders[n::GROUPS] for n in range(GROUPS)]
    began = due = time.monotonic()
    sent, late = 0, 0.0
    while due - began < seconds:
        for group in groups:
            for sender in group:
                sender.send()
            sent += len(group)
            due += 0.02 / GROUPS
            pause = due - time.monotonic()
            late = max(late, -pause)
            await asyncio.sleep(max(0.0, pause))
    return sent, late
