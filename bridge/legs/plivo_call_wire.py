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
    """Writes the messages of one stream; counts them, and the chunks of each track, from 1."""

    def __init__(self, start: CallStart) -> None:
        self._start = start
        self._headers = write_extra_headers(start.headers)
        self._sequence_number = 0
        self._chunks = dict.fromkeys(start.tracks, 0)

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

    def media(self, track: str, payload: bytes, timestamp_ms: int) -> bytes:
        """Wire audio of one track; `timestamp_ms` in Unix time."""
        chunk = self._chunks[track] = self._chunks[track] + 1
        return self._write(
            "media",
            {
                "streamId": self._start.stream_id,
                "media": {
                    "track": track,
                    "timestamp": str(timestamp_ms),
                    "chunk": chunk,
                    "payload": b2a_base64(payload, newline=False).decode(),
                },
                "extra_headers": self._headers,
            },
        )

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

    def _write(self, event: str, rest: Mapping[str, object]) -> bytes:
        self._sequence_number += 1
        return msgspec.json.encode({"event": event, "sequenceNumber": self._sequence_number, **rest})
