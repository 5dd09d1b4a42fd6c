"""What a WebRTC leg may do and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server the bridge asks for its own addresses or relays through."""

    urls: tuple[str, ...]
    username: str = ""
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WebRtcSettings:
    """Of all WebRTC legs of a server."""

    ice_servers: tuple[IceServer, ...] = ()
    """None by default: an unreachable STUN server would hold up every answer."""
    udp_port_range: tuple[int, int] | None = None
    """What the event loop was made with (`bridge.runtime.loop`), for the error text when it is used up."""
    announced_addresses: tuple[str, ...] = ()
    """Written into answers in place of the machine's own."""
    loopback_candidate: bool = False
    """Listen on 127.0.0.1 too, and say so in answers."""
    connect_timeout_s: float = 30.0
    """From the answer until media can flow; after that the leg gives up."""
    interrupted_after_s: float = 8.0
    """Silence on the wire after which the peer counts as interrupted. ICE's checks come every 4 to 6 s."""
    max_connecting: int = 100
    """Legs that have answered and whose peer has not connected yet."""
    max_sdp_bytes: int = 64 * 1024
    max_sections: int = 64
    max_candidates: int = 32
    """Candidates in one section of an offer."""
    texts_per_second: float = 20.0
    """Texts taken from one peer; what exceeds it is dropped and counted."""
    max_text_bytes: int = 16 * 1024
    """The longest text taken from a peer."""
    max_waiting_texts: int = 512
    """Texts held until the data channel opens. One more, and the leg ends so that the peer starts afresh."""
    max_waiting_bytes: int = 256 * 1024
    """The same in bytes, and for what the open channel has not sent yet."""
