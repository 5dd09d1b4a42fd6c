"""What all WebSockets of a server have in common: settings, doors, who is open, and the counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from bridge.runtime.ws_request import Network
from bridge.sockets import Accept, Door, Refuse, UpgradeRequest


@dataclass(frozen=True, slots=True)
class WebSocketSettings:
    """How WebSockets are carried."""

    trusted_proxies: tuple[Network, ...] = ()
    """Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 20.0
    """A peer from which nothing at all has come this long after a ping is dead."""
    close_timeout_s: float = 5.0
    """What the closing handshake, and sending what is left before it, may take."""
    door_timeout_s: float = 10.0
    """What the doors may take to decide."""
    queue_bytes: int = 1024 * 1024
    media_queue_bytes: int = 16 * 1024
    """What may wait in front of a socket (a media socket) whose peer is slow to read."""
    media_sndbuf_bytes: int = 16 * 1024
    """The kernel's send buffer of a media socket (Linux doubles it). It must hold what is sent in one round
    trip: L16 at 16 kHz fills 8 KiB in some 160 to 230 ms.
    """
    held_bytes: int = 64 * 1024
    """What is taken from a peer that sends before its handshake is answered; then it is not read from."""


@dataclass(slots=True)
class Counters:
    """Since the server's start."""

    opened: int = 0
    refused: int = 0
    """Upgrades answered with something else than 101."""
    door_failures: int = 0
    messages_in: int = 0
    messages_out: int = 0
    full: int = 0
    """Messages not sent because the socket's bound was reached."""
    dead: int = 0
    """Sockets whose peer no longer answered pings."""
    violations: int = 0
    """Sockets closed because the peer broke the protocol, or sent what is too large or not UTF-8."""
    receiver_failures: int = 0


class Closable(Protocol):
    """An open WebSocket, as far as the register knows it."""

    def close(self, code: int = 1000, reason: str = "") -> None: ...


@dataclass(slots=True)
class Register:
    """One for each server."""

    doors: Sequence[Door]
    settings: WebSocketSettings
    open: set[Closable] = field(default_factory=set)
    counters: Counters = field(default_factory=Counters)

    async def ask(self, request: UpgradeRequest) -> Accept | Refuse | None:
        """What the first door says whose path it is."""
        for door in self.doors:
            outcome = await door(request)
            if outcome is not None:
                return outcome
        return None

    def close_all(self, code: int, reason: str) -> None:
        """Begin the closing handshake on every open socket."""
        for socket in list(self.open):
            socket.close(code, reason)

    def figures(self) -> Mapping[str, float]:
        """The counters by name, and `open`, the number of sockets open now."""
        return {**asdict(self.counters), "open": len(self.open)}
