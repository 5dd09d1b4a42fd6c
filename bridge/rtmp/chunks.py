"""RTMP's messages and the chunks they travel in (Adobe's RTMP specification 1.0, §5.3 and §5.4). Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from bridge.errors import BadInput

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 1, 2, 3, 4, 5, 6
SOUND, PICTURE, METADATA, COMMAND = 8, 9, 18, 20
COMMAND_3, AGGREGATE = 17, 22
"""Types of messages; those of sound, picture and metadata are FLV's types of tags."""

FIRST_CHUNK_BYTES = 128
_LATE = 0xFFFFFF
"""Times from here on stand in a field of their own."""
_MOST_BYTES = 1 << 20
"""Of a message that is kept; others may be as long as there can be any."""
_LONGEST_MESSAGE = 0xFFFFFF
_MOST_CHUNK_STREAMS = 64
_MOST_KEPT_BYTES = 4 << 20
"""Of all messages that have begun to come."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    kind: int
    body: bytes = field(repr=False)
    at_ms: int = 0
    stream: int = 0


class ChunkWriter:
    """Every message begins with a full header: whoever reads needs to remember nothing."""

    def __init__(self) -> None:
        self.chunk_bytes = FIRST_CHUNK_BYTES

    def write(self, message: Message, chunk_stream: int) -> bytes:
        """As it goes over the connection; `chunk_stream` 2 to 63. Times are taken modulo 2**32."""
        at_ms = message.at_ms & 0xFFFFFFFF
        late = at_ms.to_bytes(4) if at_ms >= _LATE else b""
        head = bytes((chunk_stream,)) + min(at_ms, _LATE).to_bytes(3) + len(message.body).to_bytes(3)
        head += bytes((message.kind,)) + message.stream.to_bytes(4, "little") + late
        between = bytes((0xC0 | chunk_stream,)) + late
        pieces = [
            message.body[at : at + self.chunk_bytes] for at in range(0, len(message.body), self.chunk_bytes)
        ]
        return head + between.join(pieces)


class _Coming:
    """A chunk stream: the header of its last message, and what has come of the one in the making."""

    def __init__(self) -> None:
        self.at_ms = self.step_ms = self.length = self.kind = self.stream = 0
        self.late: int | None = None
        """What stands in the field of its own, where the last header had one."""
        self.came = 0
        self.body = bytearray()


class ChunkReader:
    """Gives whole messages. Raises BadInput for what cannot be read; nothing can be read after that."""

    def __init__(self, passed_over: Collection[int] = ()) -> None:
        """`passed_over`: kinds that are not kept, however long, and not given."""
        self._passed_over = passed_over
        self._chunk_bytes = FIRST_CHUNK_BYTES
        self._held = bytearray()
        self._skip = 0
        """Bytes still to come of a chunk that nobody wants."""
        self._kept_bytes = 0
        self._streams: dict[int, _Coming] = {}

    def feed(self, piece: bytes) -> list[Message]:
        """The messages that are complete; those about the chunks themselves are followed, and given too."""
        skipped = min(self._skip, len(piece))
        self._skip -= skipped
        self._held += piece[skipped:] if skipped else piece
        messages: list[Message] = []
        while (taken := self._chunk()) is not None:
            if isinstance(taken, Message):
                self._follow(taken)
                messages.append(taken)
        return messages

    def _follow(self, message: Message) -> None:
        if message.kind not in (SET_CHUNK_SIZE, ABORT):
            return
        if len(message.body) < 4:
            raise BadInput("an RTMP control message is too short")
        number = int.from_bytes(message.body[:4])
        if message.kind == ABORT:
            if number in self._streams:
                self._forget(self._streams[number])
        elif not 1 <= number < 1 << 31:
            raise BadInput("RTMP chunks of no size")
        else:
            self._chunk_bytes = min(number, _LONGEST_MESSAGE)

    def _chunk(self) -> Message | bool | None:
        """Take one chunk off: a message, or True when that gives none; None when the chunk is not whole."""
        held, at = self._held, 1
        if not held:
            return None
        number, format_ = held[0] & 0x3F, held[0] >> 6
        if number < 2:  # a number of one or two bytes follows
            at += 1 + number
            if len(held) < at:
                return None
            number = 64 + int.from_bytes(held[1:at], "little")
        header = (11, 7, 3, 0)[format_]
        if len(held) < at + header:
            return None
        coming = self._streams.get(number)
        if coming is None:
            if format_ > 1:  # 0 by the rules; some begin with 1
                raise BadInput("an RTMP chunk that follows from none")
            if len(self._streams) >= _MOST_CHUNK_STREAMS:
                raise BadInput("too many RTMP chunk streams")
            coming = _Coming()
        fields = bytes(held[at : at + header])
        at += header
        begins = bool(header) or not coming.came
        moment = int.from_bytes(fields[:3]) if header else coming.step_ms
        late: int | None = None
        if moment == _LATE if header else coming.late is not None:
            if len(held) < at + 4:
                return None
            late = int.from_bytes(held[at : at + 4])
            if begins:
                at, moment = at + 4, late
            elif late == coming.late:
                at += 4
            # Otherwise it is not there: some leave it out of what goes on with a message.
        length = int.from_bytes(fields[3:6]) if header >= 7 else coming.length
        kept = (fields[6] if header >= 7 else coming.kind) not in self._passed_over
        if kept and length > _MOST_BYTES:
            raise BadInput("an RTMP message is too long")
        here = min(self._chunk_bytes, length - (0 if begins else coming.came))
        if kept and len(held) < at + here:
            return None
        self._streams[number] = coming
        if begins:
            self._forget(coming)  # what was begun before and never ended is lost
            coming.late, coming.length = late, length
            self._begin(coming, format_, fields, moment)
        coming.came += here
        if kept:
            coming.body += held[at : at + here]
            self._kept_bytes += here
            if self._kept_bytes > _MOST_KEPT_BYTES:
                raise BadInput("too many RTMP messages that do not end")
        else:
            self._skip = max(0, at + here - len(held))
        del held[: at + here]
        if coming.came < length:
            return True
        message = Message(coming.kind, bytes(coming.body), coming.at_ms, coming.stream)
        self._forget(coming)
        return message if kept else True

    def _forget(self, coming: _Coming) -> None:
        """What has come of a message is to no purpose, or was given."""
        self._kept_bytes -= len(coming.body)
        coming.came = 0
        coming.body.clear()

    def _begin(self, coming: _Coming, format_: int, fields: bytes, moment: int) -> None:
        coming.step_ms = moment
        if format_ < 2:
            coming.kind = fields[6]
        if format_ == 0:
            coming.stream = int.from_bytes(fields[7:11], "little")
            coming.at_ms = moment
        else:
            coming.at_ms = (coming.at_ms + moment) & 0xFFFFFFFF
