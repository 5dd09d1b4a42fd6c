"""RTMP messages from and to the chunks they travel in (Adobe's RTMP specification 1.0, §5.3). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST_CHUNK_BYTES = 128
MOST_CHUNK_BYTES = 1 << 24
MOST_MESSAGE_BYTES = 1 << 20
"""Of what is kept: sound and commands."""
_MOST_STREAMS = 64
_EXTENDED = 0xFFFFFF
_HEADER_BYTES = (11, 7, 3, 0)

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 1, 2, 3, 4, 5, 6
AUDIO, VIDEO, DATA, COMMAND_3, COMMAND, AGGREGATE = 8, 9, 18, 17, 20, 22


class BadChunks(ValueError):
    """What comes is no RTMP, or too much of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One, whole."""

    kind: int
    timestamp_ms: int
    stream_id: int
    payload: bytes = field(repr=False)


@dataclass(slots=True)
class _ChunkStream:
    """What the next chunk of the same stream may leave out."""

    timestamp_ms: int = 0
    delta_ms: int = 0
    length: int = 0
    kind: int = 0
    stream_id: int = 0
    extended: bool = False
    began: bool = False
    """A message is under way."""
    got: int = 0
    content: bytearray = field(default_factory=bytearray)


class ChunkReader:
    """`feed` it what the server sends. Pictures are passed over, not kept."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._streams: dict[int, _ChunkStream] = {}
        self._chunk_bytes = FIRST_CHUNK_BYTES

    def feed(self, piece: bytes) -> list[Message]:
        """The messages that `piece` completes. Raises BadChunks."""
        self._held += piece
        found: list[Message] = []
        at = 0
        while (end := self._chunk(at, found)) is not None:
            at = end
        del self._held[:at]
        return found

    def _chunk(self, at: int, found: list[Message]) -> int | None:
        """Read the chunk that begins there; gives where it ends, None while it is not all there."""
        held = self._held
        if len(held) <= at:
            return None
        form, number = held[at] >> 6, held[at] & 0x3F
        begin = at + 1 + (2 if number == 1 else 1 if number == 0 else 0)
        if len(held) < begin:
            return None
        if number < 2:
            number = 64 + held[at + 1] + (held[at + 2] << 8 if number == 1 else 0)
        stream = self._streams.get(number)
        if stream is None:
            if form == 3 or len(self._streams) >= _MOST_STREAMS:
                raise BadChunks("chunks that do not follow from anything")
            stream = _ChunkStream()
        body = begin + _HEADER_BYTES[form]
        if len(held) < body:
            return None
        header = bytes(held[begin:body])
        stamp = int.from_bytes(header[:3]) if form < 3 else None
        extended = stream.extended if stamp is None else stamp == _EXTENDED
        if extended:
            if len(held) < body + 4:
                return None
            if stamp is not None:
                stamp = int.from_bytes(held[body : body + 4])
            body += 4
        length = int.from_bytes(header[3:6]) if form < 2 else stream.length
        going_on = form == 3 and stream.began
        size = min(self._chunk_bytes, length - (stream.got if going_on else 0))
        if len(held) < body + size:
            return None
        if not going_on:
            self._begin(stream, form, header, stamp, extended, length)
            self._streams[number] = stream
        self._add(stream, held[body : body + size], found)
        return body + size

    def _begin(
        self, stream: _ChunkStream, form: int, header: bytes, stamp: int | None, extended: bool, length: int
    ) -> None:
        if form < 2:
            stream.length, stream.kind = length, header[6]
        if form == 0:
            stream.stream_id = int.from_bytes(header[7:11], "little")
        if stamp is not None:
            stream.extended = extended
            stream.delta_ms = stamp
        if form == 0:
            stream.timestamp_ms, stream.delta_ms = stream.delta_ms, 0
        else:
            stream.timestamp_ms = (stream.timestamp_ms + stream.delta_ms) & 0xFFFFFFFF
        if stream.kind != VIDEO and length > MOST_MESSAGE_BYTES:
            raise BadChunks("a message that is far too long")
        stream.began, stream.got = True, 0
        stream.content.clear()

    def _add(self, stream: _ChunkStream, content: bytearray, found: list[Message]) -> None:
        stream.got += len(content)
        if stream.kind != VIDEO:
            stream.content += content
        if stream.got < stream.length:
            return
        stream.began = False
        if stream.kind == VIDEO:
            return
        message = Message(stream.kind, stream.timestamp_ms, stream.stream_id, bytes(stream.content))
        if message.kind == SET_CHUNK_SIZE:
            self._chunk_bytes = int.from_bytes(message.payload[:4]) & 0x7FFFFFFF
            if not 1 <= self._chunk_bytes <= MOST_CHUNK_BYTES:
                raise BadChunks("chunks of no possible size")
        elif message.kind == ABORT:
            aborted = self._streams.get(int.from_bytes(message.payload[:4]))
            if aborted is not None:
                aborted.began = False
        else:
            found.append(message)


def chunks_of(kind: int, payload: bytes, *, chunk_stream: int, stream_id: int = 0) -> bytes:
    """A message as a client sends it: a full header, and chunks of the first size."""
    header = bytes([chunk_stream]) + bytes(3) + len(payload).to_bytes(3) + bytes([kind])
    pieces = [payload[at : at + FIRST_CHUNK_BYTES] for at in range(0, len(payload), FIRST_CHUNK_BYTES)]
    return header + stream_id.to_bytes(4, "little") + bytes([0xC0 | chunk_stream]).join(pieces)
