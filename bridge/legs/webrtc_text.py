"""Text over a leg's data channel: held until the channel opens, bounded, and rate-limited the other way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from bridge.legs.webrtc_settings import WebRtcSettings


class Channel(Protocol):
    """A data channel, as far as text goes; aiortc's is one."""

    @property
    def readyState(self) -> str: ...  # noqa: N802

    @property
    def bufferedAmount(self) -> int: ...  # noqa: N802

    def send(self, data: str) -> None: ...

    def on(self, event: str, listener: Callable[..., Any]) -> Any: ...


class TextChannel:
    """One channel at a time. `deliver(text)` gets what the peer says.

    Nothing that is to be sent is ever dropped in silence: when more waits than the settings allow,
    `overflow()` is called once, and the leg ends so that the peer comes back and reads everything anew.
    """

    def __init__(
        self,
        settings: WebRtcSettings,
        deliver: Callable[[str], None],
        overflow: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._deliver = deliver
        self._overflow = overflow
        self._clock = clock
        self._channel: Channel | None = None
        self._waiting: deque[str] = deque()
        self._waiting_bytes = 0
        self._overflown = False
        self._allowance = self._burst = max(1.0, 2 * settings.texts_per_second)
        self._allowed_at = clock()
        self.sent = 0
        self.received = 0
        self.dropped = 0
        """Texts that the peer does not take (too long for it) or sent too fast or too long for us."""

    @property
    def open(self) -> bool:
        """Texts go out."""
        return self._channel is not None and self._channel.readyState == "open"

    @property
    def unsent_bytes(self) -> int:
        """Held here or in the channel."""
        return self._waiting_bytes + (self._channel.bufferedAmount if self._channel is not None else 0)

    def listen(self, channel: Channel) -> None:
        """Take what the peer says on `channel`."""
        channel.on("message", self._received)

    def use(self, channel: Channel) -> None:
        """Send on `channel`, which is open, from now on; first what waited."""
        self._channel = channel
        waiting, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        for text in waiting:
            self.send(text)

    def lose(self, channel: Channel) -> bool:
        """`channel` has closed: was it the one in use?"""
        if self._channel is not channel:
            return False
        self._channel = None
        return True

    def send(self, text: str) -> None:
        """Send, or hold until there is a channel. Never raises."""
        if self._overflown:
            return
        size = len(text.encode("utf-8", "replace"))
        full = self.unsent_bytes + size > self._settings.max_waiting_bytes
        if full or len(self._waiting) >= self._settings.max_waiting_texts:
            self._overflown = True
            self._waiting.clear()
            self._waiting_bytes = 0
            self._overflow()
            return
        if self._channel is None or self._channel.readyState != "open":
            self._waiting.append(text)
            self._waiting_bytes += size
            return
        try:
            self._channel.send(text)
        except ValueError:  # longer than the peer said it takes
            self.dropped += 1
        else:
            self.sent += 1

    def _received(self, message: str | bytes) -> None:
        now = self._clock()
        grown = self._allowance + (now - self._allowed_at) * self._settings.texts_per_second
        self._allowance, self._allowed_at = min(self._burst, grown), now
        too_long = len(message) > self._settings.max_text_bytes
        if self._allowance < 1 or too_long or not isinstance(message, str):
            self.dropped += 1
            return
        self._allowance -= 1
        self.received += 1
        self._deliver(message)
