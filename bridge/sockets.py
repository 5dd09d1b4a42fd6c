"""WebSockets as the facades, legs and pages see them; `bridge.runtime.websocket` carries them.

A door (facade or page) looks at an `UpgradeRequest` and gives `Accept`, `Refuse`, or None when the path is
not its own. Everything is called on the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bridge.bearer import bearer
from bridge.errors import BridgeError


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """An HTTP request that asks for a WebSocket."""

    path: str
    """Percent-decoded, without the query."""
    query: Mapping[str, str] = field(repr=False)
    """Decoded; the last value of each name. May hold tokens, so it is never printed."""
    raw_target: str = field(repr=False)
    """Path and query as they came, for signatures."""
    headers: Mapping[str, str] = field(repr=False)
    """Lower-case names."""
    peer: str
    """The client's address, trusted proxies looked through."""
    scheme: str = "ws"
    """`ws` or `wss`, trusted proxies looked through."""

    @property
    def bearer(self) -> str | None:
        """The access token: `Authorization: Bearer …`, else `?access_token=…`."""
        return bearer(self.headers, self.query)


class Socket(Protocol):
    """An open WebSocket. Nothing here blocks or raises; after the close all of it does nothing."""

    @property
    def peer(self) -> str: ...

    @property
    def unsent_bytes(self) -> int:
        """Own queue + transport buffer + what the kernel has not sent yet."""

    def send_text(self, text: bytes) -> bool:
        """Send UTF-8 text as one message; False (and nothing sent) when the socket's bound is reached."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Closing handshake, then the connection; `closed` follows on the receiver."""


class Receiver(Protocol):
    """What a door gives for an accepted socket. Must not block; an exception closes the socket with 1011."""

    def opened(self, socket: Socket) -> None: ...

    def received(self, message: bytes, is_text: bool) -> None:
        """One whole message; text is valid UTF-8."""

    def closed(self, code: int, reason: str) -> None:
        """Called exactly once, also when the connection died (1006)."""


@dataclass(frozen=True, slots=True)
class Accept:
    """Take the connection."""

    receiver: Receiver
    max_message_bytes: int = 256 * 1024
    media: bool = False
    """Small send buffers, so that the backlog is known (a media socket)."""
    subprotocol: str | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the upgrade with plain HTTP."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Dialled(Socket, Protocol):
    """An open WebSocket that the bridge opened."""

    def ask(self, mark: bytes) -> bool:
        """A ping that carries `mark` (1 to 125 bytes) behind everything sent so far.

        `confirmed(mark)` follows on the receiver once the peer has received all of that (RFC 6455 §5.5.3),
        for every mark and in their order. False, and it never follows, after the end or while 256 are
        unanswered.
        """


class Caller(Receiver, Protocol):
    """What takes the messages of a WebSocket that the bridge opened; `opened` gets a `Dialled`."""

    def confirmed(self, mark: bytes) -> None:
        """The peer has received everything sent before `ask(mark)`."""


class DialFailed(BridgeError):
    """Nothing was opened; the text says why, and holds neither query nor headers."""

    def __init__(self, text: str, status: int | None = None) -> None:
        """`status`: the service's HTTP answer, where there was one."""
        super().__init__(text)
        self.status = status


class Dial(Protocol):
    """Opens a WebSocket to a service; `bridge.runtime.ws_dial` does it."""

    async def __call__(
        self, url: str, headers: Mapping[str, str], caller: Caller, *, max_message_bytes: int
    ) -> Dialled:
        """Resolve, check, connect and greet once, with small send buffers; no redirects, no retries.

        `caller.opened` is called before this returns. Raises DialFailed, and EgressRefused where the
        address may not be reached.
        """


Door = Callable[[UpgradeRequest], Awaitable[Accept | Refuse | None]]
