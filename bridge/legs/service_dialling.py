"""Attempts to reach a service, one after another: when the next one is made, and when it is enough."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from bridge.core.ports import ServiceStream
from bridge.errors import EgressRefused
from bridge.legs.service_line import ServiceLine
from bridge.legs.service_settings import ServiceSettings, Surroundings, Timer
from bridge.sockets import Dial, DialFailed

log = logging.getLogger(__name__)


class Dialling:
    """One for each stream. A line that opens says so itself; here it is only noted with `connected`."""

    def __init__(
        self,
        dial: Dial,
        spec: ServiceStream,
        settings: ServiceSettings,
        around: Surroundings,
        *,
        new_line: Callable[[], ServiceLine],
        failed_often: Callable[[str], None],
        given_up: Callable[[str], None],
        where: Mapping[str, str],
    ) -> None:
        """`given_up` is told why, once. `failed_often` is told when a stream that is redialled would
        otherwise have been given up.
        """
        self._dial = dial
        self._spec = spec
        self._settings = settings
        self._around = around
        self._new_line = new_line
        self._failed_often = failed_often
        self._given_up = given_up
        self._where = where
        self._task: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._stopped = False
        self._ever_connected = False
        self._failures = 0
        """In a row; a connection that does not last is one too."""
        self._connected_ms = 0

    def attempt(self) -> None:
        """Make one now."""
        if not self._stopped:
            self._timer = None
            self._task = asyncio.get_running_loop().create_task(self._attempt())

    def connected(self) -> None:
        """The attempt was good."""
        self._ever_connected = True
        self._connected_ms = self._around.sound_ms()

    def lost(self) -> None:
        """The connection is gone: make another attempt in a while."""
        if self._around.sound_ms() - self._connected_ms >= self._settings.good_after_s * 1000:
            self._failures = 0
        self._again_in(self._pause_s())
        self._failures += 1

    def stop(self) -> None:
        """No more attempts."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def _attempt(self) -> None:
        spec, settings = self._spec, self._settings
        spec.ledger.attempts += 1
        most = settings.max_message_bytes if spec.bidirectional else settings.max_ignored_bytes
        line = self._new_line()
        try:
            await self._dial(spec.url, spec.handshake(), line, max_message_bytes=most)
        except EgressRefused as refused:
            self._give_up(str(refused))
        except DialFailed as failed:
            self._failed(str(failed))
        except Exception:
            log.exception("x an attempt to connect broke", extra=self._where)
            self._failed("internal error")

    def _failed(self, text: str) -> None:
        first = self._settings.first_pauses_s
        log.info(
            "x %s: attempt %d failed: %s", self._host, self._spec.ledger.attempts, text, extra=self._where
        )
        if not self._ever_connected and self._failures == len(first):
            if not self._spec.redial:
                self._give_up(text)
                return
            self._failed_often(text)
        if not self._ever_connected and self._failures < len(first):
            self._again_in(first[self._failures] * (0.8 + 0.4 * self._around.chance()))
        else:
            self._again_in(self._pause_s())
        self._failures += 1

    def _give_up(self, text: str) -> None:
        if not self._stopped:
            self._stopped = True
            self._given_up(text)

    def _again_in(self, pause_s: float) -> None:
        if self._timer is not None:  # an attempt can fail in the moment in which what it opened is lost
            self._timer.cancel()
        if not self._stopped:
            self._timer = self._around.call_later(pause_s, self.attempt)

    def _pause_s(self) -> float:
        settings = self._settings
        # Bounded before it is raised, so that it stays a number.
        doubled = settings.least_pause_s * (1 << min(self._failures, 10))
        return min(doubled * (0.5 + self._around.chance()), settings.most_pause_s)

    @property
    def _host(self) -> str:
        """Never more of the URL: path and query may hold secrets."""
        try:
            return urlsplit(self._spec.url).hostname or "?"
        except ValueError:
            return "?"
