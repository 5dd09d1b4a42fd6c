"""The door of the application's WebSocket: who may watch a conference."""

from __future__ import annotations

import logging
import re
from uuid import UUID

from bridge.facades.mind import errors
from bridge.facades.mind.gate import Gate
from bridge.facades.mind.notifications import Notifications, Watcher
from bridge.facades.mind.permissions import Operation
from bridge.sockets import Accept, Refuse, UpgradeRequest

log = logging.getLogger(__name__)

WATCH_PATH = re.compile(r"/([0-9a-fA-F-]{32,36})/([0-9a-fA-F-]{32,36})/?")
MAX_MESSAGE = 4096
"""Applications have nothing to say here."""


class WatchDoor:
    """Opens on a conference's own path."""

    def __init__(self, gate: Gate, notifications: Notifications) -> None:
        self._gate = gate
        self._notifications = notifications

    def __call__(self, request: UpgradeRequest) -> Accept | Refuse | None:
        """None when the path is not a conference's."""
        ids = _ids(request.path)
        if ids is None:
            return None
        try:
            _, conference = self._gate.conference(request.bearer, *ids, Operation.WATCH)
        except Exception as error:  # answered as over HTTP
            said = errors.answer(error)
            log.debug("x a watcher was refused with %d: %s", said.status_code, error, extra={"room": ids[1]})
            return Refuse(said.status_code, bytes(said.body), headers=tuple(errors.headers_of(error).items()))
        return Accept(Watcher(self._notifications, conference.id), max_message_bytes=MAX_MESSAGE)


def _ids(path: str) -> tuple[str, str] | None:
    found = WATCH_PATH.fullmatch(path)
    try:
        return (str(UUID(found[1])), str(UUID(found[2]))) if found else None
    except ValueError:
        return None
