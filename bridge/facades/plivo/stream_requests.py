"""What is asked of streams, read and judged before anything begins: parameters, and whom they reach."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from bridge.errors import BadInput, NoSuchHost
from bridge.facades.plivo.rest_wire import StreamDefaults, StreamRequest, read_stream

CheckEgress = Callable[[str, Collection[str]], Awaitable[object]]
"""Whether an address of one of these schemes may be reached. Raises EgressRefused, NoSuchHost."""

CHECK_S = 4.0
"""For looking up the hosts of one request: whoever asks waits for 5 s."""
MAX_DECLARED = 20


class StreamRequests:
    """Reads with `defaults`, and asks the gate."""

    def __init__(self, check_egress: CheckEgress, defaults: StreamDefaults | None = None) -> None:
        self._check_egress = check_egress
        self._defaults = defaults or StreamDefaults()

    def read(self, given: Mapping[str, object], *, whole_conference: bool) -> StreamRequest:
        """Raises BadInput."""
        return read_stream(given, whole_conference=whole_conference, defaults=self._defaults)

    async def check(self, request: StreamRequest) -> None:
        """Whether its addresses may be reached. Raises BadInput, EgressRefused among them."""
        try:
            async with asyncio.timeout(CHECK_S):
                await self._check_egress(request.service_url, ("ws", "wss"))
                if request.status_url:
                    await self._check_egress(request.status_url, ("http", "https"))
        except NoSuchHost:
            raise BadInput("the host of service_url or status_callback_url has no address") from None
        except TimeoutError:
            raise BadInput("the host of service_url or status_callback_url was not found in time") from None

    async def read_declared(self, streams: Sequence[Mapping[str, object]]) -> list[StreamRequest]:
        """Streams that are to begin with a conference, all read and checked. Raises BadInput."""
        if len(streams) > MAX_DECLARED:
            raise BadInput(f"no more than {MAX_DECLARED} streams can be declared")
        requests = [self.read(given, whole_conference=True) for given in streams]
        if len({request.service_url for request in requests}) < len(requests):
            raise BadInput("two of the streams go to the same service_url")
        for request in requests:
            await self.check(request)
        return requests
