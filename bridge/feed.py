"""What happens, passed on to whoever wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Happened = TypeVar("Happened")


class Feed(Generic[Happened]):
    """Tells everything to everybody who subscribed, in the order of subscription."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Happened], None]] = []

    def subscribe(self, listener: Callable[[Happened], None]) -> None:
        """Call `listener` with everything from now on; it must not block."""
        self._listeners.append(listener)

    def tell(self, happened: Happened) -> None:
        """A listener that fails is logged, and stops nobody."""
        for listener in self._listeners:
            try:
                listener(happened)
            except Exception:
                log.exception("x a listener failed on %s", type(happened).__name__)
