"""What a Plivo call says to a service, in writing: the opposite of `plivo_wire.read_from_call`. Pure.

The vendor's SDKs check strictly: integer sequence numbers, timestamps as text, ids that are UUIDs,
`extra_headers` always there.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping

import msgspec

from bridge.core.ports import CallStart
from bridge.legs.plivo_format import format_name
from bridge.legs.plivo_headers import write_extra_headers


class CallWriter:
    """Writes the messages of one connection of a stream; counts them, and each track's chunks, from 1."""

    __slots__ = ("_chunks", "_headers", "_media", "_sequence_number", "_start")

    def __init__(self, start: CallStart) -> None:
        self._start = start
        self._headers = write_extra_headers(start.headers)
        self._sequence_number = 0
        self._chunks = dict.fromkeys(start.tracks, 0)
        # Of a frame's message all but four places stays the same.
        stream_id, headers = (_escaped(text) for text in (start.stream_id, self._headers))
        self._media = {
            track: b'{"event":"media","sequenceNumber":%%d,"streamId":%b,"media":{"track":%b,'
            b'"timestamp":"%%d","chunk":%%d,"payload":"%%b"},"extra_headers":%b}'
            % (stream_id, _escaped(track), headers)
            for track in start.tracks
        }

    def start(self) -> bytes:
        """The first message."""
        start = self._start
        return self._write(
            "start",
            {
                "start": {
                    "callId": start.call_id,
                    "streamId": start.stream_id,
                    "accountId": start.account_id,
                    "tracks": start.tracks,
                    "mediaFormat": {
                        "encoding": format_name(start.audio_format),
                        "sampleRate": start.audio_format.rate_hz,
                    },
                },
                "extra_headers": self._headers,
            },
        )

    def media(self, track: str, payload: bytes, timestamp_ms: int, chunk: int | None = None) -> bytes:
        """Wire audio of one track; `timestamp_ms` in Unix time, `chunk` where the caller counts by itself."""
        if chunk is None:
            chunk = self._chunks[track] + 1
        self._chunks[track] = chunk
        self._sequence_number += 1
        written = b2a_base64(payload, newline=False)
        return self._media[track] % (self._sequence_number, timestamp_ms, chunk, written)

    def dtmf(self, track: str, digit: str, timestamp_ms: int) -> bytes:
        """A key was pressed."""
        return self._write(
            "dtmf",
            {
                "streamId": self._start.stream_id,
                "dtmf": {"track": track, "digit": digit, "timestamp": str(timestamp_ms)},
                "extra_headers": self._headers,
            },
        )

    def played(self, name: str) -> bytes:
        """Everything before the checkpoint `name` has been played."""
        return self._write("playedStream", {"streamId": self._start.stream_id, "name": name})

    def cleared(self) -> bytes:
        """The queue was emptied."""
        return self._write("clearedAudio", {"streamId": self._start.stream_id})

    def stop(self) -> bytes:
        """The stream ends. Plivo's current versions do not say so, and its SDKs complain when told."""
        return self._write("stop", {"streamId": self._start.stream_id})

    def take_back(self) -> None:
        """The message written last was not sent: the next one gets its number."""
        self._sequence_number -= 1

    def _write(self, event: str, rest: Mapping[str, object]) -> bytes:
        self._sequence_number += 1
        return msgspec.json.encode({"event": event, "sequenceNumber": self._sequence_number, **rest})


def _escaped(text: str) -> bytes:
    """JSON text as a part of a template."""
    return msgspec.json.encode(text).replace(b"%", b"%%")
