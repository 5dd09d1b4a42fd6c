"""Counts places, so that none is given away above its limit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from bridge.errors import LimitReached


@dataclass(frozen=True, slots=True)
class Limit:
    """How many there may be in `where` (empty: in all); `name` says of what."""

    name: str
    value: int
    where: str = ""


class Quota:
    """Places taken, by limit. Take one before slow work begins, so that two at once cannot share it."""

    def __init__(self) -> None:
        self._taken: Counter[tuple[str, str]] = Counter()

    def take(self, *limits: Limit, count: int = 1, enforce: bool = True) -> None:
        """Take `count` places under every limit, or none: then LimitReached names the first full one."""
        for limit in limits if enforce else ():
            if self._taken[limit.name, limit.where] + count > limit.value:
                raise LimitReached(limit.name, limit.value)
        for limit in limits:
            self._taken[limit.name, limit.where] += count

    def give_back(self, *limits: Limit) -> None:
        """One place under every limit."""
        for limit in limits:
            self._taken[limit.name, limit.where] -= 1
            if not self._taken[limit.name, limit.where]:
                self.forget(limit)

    def forget(self, limit: Limit) -> None:
        """All places under that limit are free."""
        self._taken.pop((limit.name, limit.where), None)
