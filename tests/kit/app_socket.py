"""The application's notification WebSocket, and what came on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.kit.running_bridge import RunningBridge

Notification = dict[str, Any]


class AppSocket:
    """`async with AppSocket(bridge, conference) as app`; `came` holds all notifications in their order."""

    def __init__(self, bridge: RunningBridge, conference: str) -> None:
        self._url = f"{bridge.ws_base}/{bridge.application}/{conference}?access_token={bridge.token}"
        self._socket: ClientConnection
        self._reading: asyncio.Task[None]
        self._more = asyncio.Condition()
        self.came: list[Notification] = []
        self.closed_with: int | None = None

    async def __aenter__(self) -> AppSocket:
        self._socket = await connect(self._url, proxy=None)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._socket.close()
        await self._reading

    async def wait(
        self, wanted: Callable[[Notification], bool], after: int = 0, timeout: float = 10.0
    ) -> Notification:
        """The first wanted one from the place `after` on."""
        at = after
        async with asyncio.timeout(timeout), self._more:
            while True:
                for notification in self.came[at:]:
                    if wanted(notification):
                        return notification
                at = len(self.came)
                if self.closed_with is not None:
                    raise AssertionError(f"closed with {self.closed_with}; came: {self.came[after:]}")
                await self._more.wait()

    async def about(self, participant_id: str, after: int = 0, **expected: Any) -> Notification:
        """The first one about that participant whose resource says what is expected."""
        place = f"/participants/{participant_id}"

        def wanted(notification: Notification) -> bool:
            resource = notification.get("resource", {})
            return notification["location"] == place and all(
                resource.get(name) == value for name, value in expected.items()
            )

        return await self.wait(wanted, after)

    async def closed(self, timeout: float = 10.0) -> int:
        """The code the server closes it with."""
        async with asyncio.timeout(timeout), self._more:
            while self.closed_with is None:
                await self._more.wait()
        return self.closed_with

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                async with self._more:
                    self.came.append(json.loads(message))
                    self._more.notify_all()
        except ConnectionClosed:
            pass
        async with self._more:
            self.closed_with = self._socket.close_code or 1006
            self._more.notify_all()
