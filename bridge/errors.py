"""Everything the bridge raises on purpose.

    BridgeError
    ├── ConfigError            the configuration cannot be used
    ├── Refused                the request is understood and not granted
    │   ├── NotAllowed         the caller may not do this
    │   ├── NoSuchRoom         no conference of that id (for this application)
    │   ├── NoSuchParticipant  no participant of that id in that conference
    │   ├── Draining           the server is going down; try again elsewhere or later
    │   ├── Overloaded         ticks run late; new media is turned away
    │   ├── NoRoom             the disk has no room for what would be written
    │   └── LimitReached       a configured limit is reached; names it
    ├── BadInput               the peer sent something that cannot be understood
    │   ├── BadOffer           an SDP offer that cannot be answered
    │   ├── BodyTooLarge       a request's body is longer than it may be
    │   └── EgressRefused      an address the bridge may not reach out to; names the setting
    ├── NoSuchHost             a name to be reached has no address
    ├── HttpFailed             a request the bridge made got no answer; says why
    ├── RtmpFailed             an RTMP stream could not be played, or broke off; says why
    └── MissingLibrary         a native library is not to be found; says what to install

Facades map these types to a status and a vendor code in one table each.
"""

from __future__ import annotations

import traceback


class BridgeError(Exception):
    """Root of the tree drawn above."""


class ConfigError(BridgeError):
    """The configuration cannot be used; the text names the key and what is wrong with it."""


class Refused(BridgeError):
    """Understood, and not granted."""


class NotAllowed(Refused):
    """The caller is known and may not do this."""


class NoSuchRoom(Refused):
    """No conference of that id, or not one of this application's."""


class NoSuchParticipant(Refused):
    """No participant of that id in that conference."""


class Draining(Refused):
    """The server is going down and takes no new work."""

    def __init__(self, retry_after_s: int = 5) -> None:
        super().__init__("the server is shutting down")
        self.retry_after_s = retry_after_s


class Overloaded(Refused):
    """Ticks run late, so new media is turned away to keep what is live on time."""

    def __init__(self, retry_after_s: int = 5) -> None:
        super().__init__("the server is overloaded")
        self.retry_after_s = retry_after_s


class NoRoom(Refused):
    """What would be written has no room, or no disk; the text says so."""


class LimitReached(Refused):
    """A configured limit is reached."""

    def __init__(self, limit: str, value: int) -> None:
        super().__init__(f"the limit {limit} = {value} is reached")
        self.limit = limit
        self.value = value


class BadInput(BridgeError):
    """The peer sent something that cannot be understood."""


class BadOffer(BadInput):
    """An SDP offer that cannot be answered."""


class BodyTooLarge(BadInput):
    """A request's body is longer than it may be."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"the body is larger than {most_bytes} bytes")


class EgressRefused(BadInput):
    """An address that the bridge may not reach out to; the text names the setting that would allow it."""


class NoSuchHost(BridgeError):
    """A name that the bridge is to reach has no address."""


class HttpFailed(BridgeError):
    """A request that the bridge made got no answer; the text says why, and holds no query."""


class RtmpFailed(BridgeError):
    """An RTMP stream could not be played, or broke off; the text says why, and holds no stream's name."""


class MissingLibrary(BridgeError):
    """A native library is not to be found."""


def frames_of(error: BaseException) -> str:
    """Where it was raised, for the log; without its text, which could quote an address with a key in it."""
    return "".join(traceback.format_tb(error.__traceback__)).rstrip()
