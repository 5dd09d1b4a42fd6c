"""One connection of a forked stream, as its service sees it: keeps what it is told, does what it is asked.

Messages are read with its own eyes (`json`, `base64`); what a strict SDK would refuse is complained about.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from plivo.utils import validate_v3_signature
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request

from bridge.core.ports import L16_8K, L16_16K, PTIME_MS, ULAW_8K, AudioFormat
from bridge.harness.sound import encode
from tests.kit.stream_sound import Line, MediaFrame, TrackEar, line_of

FORMATS = {
    ("audio/x-l16", 8000): L16_8K,
    ("audio/x-l16", 16000): L16_16K,
    ("audio/x-mulaw", 8000): ULAW_8K,
}


class ServiceSocket:
    """One connection of a stream."""

    def __init__(self, connection: ServerConnection, auth_token: str, scheme: str = "http") -> None:
        request = connection.request
        assert request is not None
        self.target = request.path
        self.headers = request.headers
        self.signed = signed_well(request, auth_token, scheme)
        self.start: dict[str, Any] = {}
        self.media: list[MediaFrame] = []
        self.events: list[dict[str, Any]] = []
        """All but `start` and `media`, each with `came_s`."""
        self.complaints: list[str] = []
        self.code: int | None = None
        self.reason = ""
        self._connection = connection
        self._frames: dict[str, list[MediaFrame]] = {}
        self._ears: dict[str, TrackEar] = {}
        self._reading = asyncio.Event()
        self._reading.set()
        self._pause_s = 0.0
        self._told = asyncio.Event()
        self._sequence_number = 0

    # --- what it was told ---

    @property
    def format(self) -> AudioFormat:
        announced = self.start["start"]["mediaFormat"]
        return FORMATS[announced["encoding"], announced["sampleRate"]]

    @property
    def stream_id(self) -> str:
        return str(self.start["start"]["streamId"])

    @property
    def call_id(self) -> str:
        return str(self.start["start"]["callId"])

    @property
    def extra(self) -> dict[str, str]:
        """`extra_headers`, decoded."""
        return read_headers(self.start["extra_headers"])

    @property
    def over(self) -> bool:
        return self.code is not None

    def frames(self, track: str = "inbound") -> list[MediaFrame]:
        """In the order in which they came; the list grows."""
        return self._frames.setdefault(track, [])

    def ear(self, track: str = "inbound") -> TrackEar:
        """For `hears` and `listen`."""
        if track not in self._ears:
            self._ears[track] = TrackEar(self.frames(track), self.format)
        return self._ears[track]

    def line(self, track: str = "inbound") -> Line:
        """What came so far, by time."""
        return line_of(self.frames(track), self.format)

    def events_named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("event") == name]

    async def until(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Wait until what was told makes `condition` true."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._told.clear()
                await self._told.wait()

    async def started(self, timeout: float = 10.0) -> ServiceSocket:
        await self.until(lambda: self.start, timeout)
        return self

    async def event(
        self, event: str, number: int = 0, /, timeout: float = 10.0, **fields: object
    ) -> dict[str, Any]:
        """The nth event of that name with those fields."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.events_named(event) if fields.items() <= one.items()]

        await self.until(lambda: len(found()) > number, timeout)
        return found()[number]

    async def frames_came(self, number: int, timeout: float = 10.0) -> None:
        """So many of all tracks, from the start."""
        await self.until(lambda: len(self.media) >= number, timeout)

    async def ended(self, timeout: float = 10.0) -> int:
        """The close code; 1006 when the connection was lost."""
        await self.until(lambda: self.over, timeout)
        assert self.code is not None
        return self.code

    def assert_in_order(self) -> None:
        """Signed, complete from the first frame on, and nothing that a strict service would refuse."""
        assert self.complaints == []
        assert self.signed
        for track in self.start["start"]["tracks"]:
            assert self.frames(track)[0].chunk == 1

    # --- what it says ---

    async def say(self, message: str | bytes | dict[str, Any]) -> None:
        """Anything at all; nothing happens when the connection is gone."""
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(json.dumps(message) if isinstance(message, dict) else message)

    async def play(self, samples: NDArray[np.int16], audio_format: AudioFormat | None = None) -> None:
        """`playAudio`, in the stream's format unless another is given."""
        used = audio_format or self.format
        kind, rate_hz = next(name for name, known in FORMATS.items() if known == used)
        payload = base64.b64encode(encode(samples, used)).decode()
        media = {"contentType": kind, "sampleRate": rate_hz, "payload": payload}
        await self.say({"event": "playAudio", "media": media})

    async def mark(self, name: str) -> None:
        await self.say({"event": "checkpoint", "streamId": self.stream_id, "name": name})

    async def clear(self) -> None:
        await self.say({"event": "clearAudio", "streamId": self.stream_id})

    async def press(self, digits: str) -> None:
        await self.say({"event": "sendDTMF", "dtmf": digits})

    # --- how it behaves ---

    def stall(self) -> None:
        """Read no more: messages fill the connection, and then wait with the sender."""
        self._reading.clear()

    def go_on(self) -> None:
        self._reading.set()

    def slow(self, messages_per_s: float) -> None:
        """Read no faster than that; 0 for as fast as they come."""
        self._pause_s = 1 / messages_per_s if messages_per_s else 0.0

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self._reading.set()
        await self._connection.close(code, reason)

    def abort(self) -> None:
        """Lose the connection without a word."""
        self._reading.set()
        self._connection.transport.abort()

    # --- inside ---

    async def read(self) -> None:
        """Until the connection ends."""
        try:
            while True:
                await self._reading.wait()
                message = await self._connection.recv()
                self._take(message)
                self._told.set()
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
        except ConnectionClosed:
            pass
        finally:
            self.code = self._connection.close_code or 1006
            self.reason = self._connection.close_reason or ""
            self._told.set()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.complaints.append("a binary message")
            return
        told = json.loads(message)
        self._sequence_number += 1
        self._check(told.get("sequenceNumber") == self._sequence_number, "sequenceNumber", told)
        kind = told.get("event")
        if kind == "start":
            self._check(not self.start and self._sequence_number == 1, "start is not the first", told)
            self._check(isinstance(told.get("extra_headers"), str), "extra_headers", told)
            self.start = told
            return
        self._check(told.get("streamId") == self.stream_id, "streamId", told)
        if kind == "media":
            self._take_media(told)
        else:
            self.events.append({**told, "came_s": asyncio.get_running_loop().time()})

    def _take_media(self, told: dict[str, Any]) -> None:
        media = told["media"]
        self._check(isinstance(told.get("extra_headers"), str), "extra_headers", told)
        self._check(isinstance(media["timestamp"], str) and media["timestamp"].isdigit(), "timestamp", told)
        self._check(type(media["chunk"]) is int and media["chunk"] >= 1, "chunk", told)
        self._check(media["track"] in self.start["start"]["tracks"], "track", told)
        payload = base64.b64decode(media["payload"], validate=True)
        self._check(len(payload) == self.format.frame_bytes, "length", told)
        came_s = asyncio.get_running_loop().time()
        frame = MediaFrame(media["track"], int(media["timestamp"]), media["chunk"], payload, came_s)
        before = self.frames(frame.track)
        if before:
            stepped = frame.at_ms - before[-1].at_ms == PTIME_MS * (frame.chunk - before[-1].chunk)
            self._check(stepped and frame.chunk > before[-1].chunk, "step", told)
        before.append(frame)
        self.media.append(frame)

    def _check(self, holds: bool, what: str, told: dict[str, Any]) -> None:
        if not holds:
            self.complaints.append(f"{what}: {json.dumps(told)[:300]}")


def signed_well(request: Request, auth_token: str, scheme: str) -> bool:
    """As the vendor's code judges an upgrade: a GET of the http form of the URL."""
    return bool(
        validate_v3_signature(
            "GET",
            f"{scheme}://{request.headers['Host']}{request.path}",
            request.headers.get("X-Plivo-Signature-V3-Nonce", ""),
            auth_token,
            request.headers.get("X-Plivo-Signature-V3", ""),
        )
    )


def read_headers(written: str) -> dict[str, str]:
    """`key=value;key=value`, percent-decoded; `{}` for none."""
    if written == "{}":
        return {}
    pairs = (pair.partition("=") for pair in written.split(";"))
    return {unquote(key): unquote(value) for key, _, value in pairs}
