"""A file of a recording that lies in a storage only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from bridge.outputs.upload_job import Target
from bridge.outputs.upload_orders import Order

LINK_S = 300.0
"""How long a link can be used unless somebody says."""


class AwayFile:
    """`open_target` opens the storage when it is needed. Calls raise BridgeError, KeyError for no storage."""

    def __init__(self, order: Order, open_target: Callable[[Order], Awaitable[Target]]) -> None:
        self.size = order.size
        self.media_type = order.media_type
        self.tag = f'"{order.md5}"'
        """Of its content, as an ETag."""
        self._order = order
        self._open_target = open_target

    async def link(self, for_s: float = LINK_S) -> str:
        """An address where it can be read for so long, by whoever has it; empty: there is none."""
        target = await self._open_target(self._order)
        return await target.link(self._order.key, for_s)

    async def pieces(self, begin: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `begin` to before `end`."""
        target = await self._open_target(self._order)
        async for piece in target.read(self._order.key, begin, end):
            yield piece
