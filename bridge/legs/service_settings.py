"""How streams to services are treated, and what their legs are given to do it with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Patience and bounds. Making one raises ValueError for what cannot work."""

    first_pauses_s: tuple[float, ...] = (1.0, 3.0)
    """Before each retry of the first connection; a stream that is not to be redialled then fails."""
    least_pause_s: float = 0.5
    most_pause_s: float = 15.0
    """Redialling: the pause doubles from attempt to attempt…"""
    good_after_s: float = 10.0
    """…until a connection has lasted so long."""
    held_ms: int = 40_000
    """Audio of a stream that waits for its service at most."""
    in_socket_ms: int = 500
    """Of that, what a socket is given ahead of what it has sent."""
    confirm_every_ms: int = 1_000
    behind_percent: tuple[int, ...] = (30, 60, 90)
    """Shares of `held_ms` that are reported when they are reached…"""
    rearmed_below: int = 10
    """…and again once the share has been so many percent lower."""
    catch_up_frames: int = 5
    """Sent within a tick, of each track: so much faster than real time does held audio go out."""
    farewell_s: float = 1.0
    """What is held at the end has so long to be sent and confirmed."""
    max_message_bytes: int = 6 * 1024 * 1024
    """Two minutes of L16 at 16 kHz, which is what the play queue holds."""
    max_ignored_bytes: int = 64 * 1024
    """The same for streams whose services have nothing to say."""

    def __post_init__(self) -> None:
        if not 1_000 <= self.in_socket_ms * 2 <= self.held_ms:
            raise ValueError("a stream holds at least 1 s, and its socket at most half of that")
        if not 0 < self.least_pause_s <= self.most_pause_s or min(self.first_pauses_s, default=1.0) <= 0:
            raise ValueError("attempts need pauses between them")
        if self.catch_up_frames < 2 or self.confirm_every_ms < 20:
            raise ValueError("nothing can be caught up with less than two frames a tick")


class Timer(Protocol):
    """`asyncio.TimerHandle`."""

    def cancel(self) -> None: ...


def _call_later(delay_s: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(delay_s, call)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time and chance, for legs."""

    sound_ms: Callable[[], int]
    """When the sound of this tick was, in Unix milliseconds."""
    call_later: Callable[[float, Callable[[], None]], Timer] = field(default=_call_later)
    chance: Callable[[], float] = field(default=random.random)
    """0 up to 1: so that streams that failed together do not come back together."""
