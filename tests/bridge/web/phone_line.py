"""The bridge's end of a streaming phone call, for one caller: plays half a second, asks when it was heard."""

from __future__ import annotations

import base64
import json
from time import monotonic
from typing import Any

from bridge.sockets import Accept, Refuse, Socket, UpgradeRequest

FRAME = base64.b64encode(b"\x00\x10" * 320).decode()


class PhoneLine:
    """A door for `…/plivo`, and the receiver of the one call that comes."""

    def __init__(self) -> None:
        self.socket: Socket | None = None
        self.heard: list[dict[str, Any]] = []
        self.waited_s = 0.0

    async def door(self, request: UpgradeRequest) -> Accept | Refuse | None:
        if not request.path.endswith("/plivo"):
            return None
        return Accept(self) if request.bearer else Refuse(401)

    def opened(self, socket: Socket) -> None:
        self.socket = socket

    def received(self, message: bytes, is_text: bool) -> None:
        said = json.loads(message)
        self.heard.append(said)
        if said["event"] == "start":
            media = {"contentType": "audio/x-l16", "sampleRate": 16000, "payload": FRAME}
            for _ in range(25):
                self._send({"event": "playAudio", "media": media})
            stream_id = said["start"]["streamId"]
            self._asked_at = monotonic()
            self._send({"event": "checkpoint", "streamId": stream_id, "name": "half a second"})
        elif said["event"] == "playedStream":
            self.waited_s = monotonic() - self._asked_at
            self._send({"event": "clearAudio", "streamId": said["streamId"]})

    def closed(self, code: int, reason: str) -> None:
        self.socket = None

    def said(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["event"] == event]

    def _send(self, message: dict[str, Any]) -> None:
        assert self.socket is not None
        self.socket.send_text(json.dumps(message).encode())
