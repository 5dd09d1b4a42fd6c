"""Where what is played comes from: bytes, run by run. And what legs need to reach others, given to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bridge.core.ports import PlayerSource
from bridge.errors import BridgeError


class SupplyFailed(BridgeError):
    """It did not come, or broke off; it may be there later. The text holds no path and no query."""


class SupplyRefused(BridgeError):
    """It is not played, now or later; the text says why."""


class Supply(Protocol):
    """An open source. `next_run`, then `read` until it gives nothing, and again until there is no run."""

    @property
    def paced(self) -> bool:
        """It can wait for us: it is read as it is played. Otherwise it happens now."""

    @property
    def ends(self) -> bool:
        """It has an end: then it is over, or begun again. Otherwise its end is a failure."""

    @property
    def size(self) -> int | None:
        """Bytes of the run that can be read anywhere; None: only one after the other."""

    async def next_run(self) -> bool:
        """Go on to the first or next run; False: there is none."""

    async def read(self, at: int, count: int) -> bytes:
        """At most so many bytes of the run, at least one until it is over.

        `at` counts where `size` says that it can be chosen. Raises SupplyFailed, SupplyRefused, and what
        `Remote` raises.
        """


class OpenSupply(Protocol):
    """Opens what a player plays."""

    def __call__(self, source: PlayerSource) -> AbstractAsyncContextManager[Supply]:
        """Entering raises what `Supply.read` raises."""


class Incoming(Protocol):
    """An HTTP answer whose body has still to come."""

    @property
    def url(self) -> str:
        """Of the last of all redirects."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Lower-case names."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Raises HttpFailed."""


class Remote(Protocol):
    """Others' servers, reached through the egress gate: addresses, redirects and all."""

    def get(self, url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Incoming]:
        """An HTTP answer. Raises EgressRefused, HttpFailed."""

    def play(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """An RTMP stream's sound, as FLV. Raises EgressRefused, RtmpFailed."""
