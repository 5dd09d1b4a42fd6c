"""What SIGTERM, SIGINT and SIGHUP ask for."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from types import TracebackType

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """While entered: the first stop signal sets `asked`, the second `insisted`, a third kills at once.

    SIGHUP calls `reload`, whose errors are logged. Outside the main thread nothing is listened to.
    """

    def __init__(self, reload: Callable[[], None]) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        self._reload = reload
        self._installed = False

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in STOP_SIGNALS:
                loop.add_signal_handler(number, self.stop)
            loop.add_signal_handler(signal.SIGHUP, self.hang_up)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._installed:
            loop = asyncio.get_running_loop()
            for number in (*STOP_SIGNALS, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """What a stop signal does."""
        if not self.asked.is_set():
            self.asked.set()
            return
        self.insisted.set()
        if self._installed:
            # Whatever still hangs now, the next signal ends it without asking us.
            loop = asyncio.get_running_loop()
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)

    def hang_up(self) -> None:
        """What SIGHUP does."""
        try:
            self._reload()
        except Exception as wrong:
            log.error("x not reloaded, everything stays as it was: %s", wrong)
        else:
            log.info("- reloaded certificates and tokens")
