"""The first words of an RTMP client, so that a relay can put the real address where ours stands. Pure.

A client of a relay says `tcUrl=rtmp://127.0.0.1:…` in its `connect`; servers that tell virtual hosts apart
by it need what was meant (Adobe's RTMP specification 1.0, §5.3 chunks, §7.2.1.1 connect; AMF0 §2).
"""

from __future__ import annotations

_HANDSHAKE_BYTES = 1 + 1536 + 1536
"""C0, C1 and C2."""
_CHUNK_BYTES = 128
"""Until a side says otherwise, which clients do after `connect`."""
_HEADER_BYTES = 12
_COMMAND = 20
_MOST_BYTES = 1 << 16
_KEY = b"\x00\x05tcUrl\x02"
"""A property's name, and that its value is a string."""


class ConnectRewriter:
    """`feed` it everything that the client sends; what it gives is to be sent on."""

    def __init__(self, tc_url: str) -> None:
        self._tc_url = tc_url.encode()
        self._handshake = _HANDSHAKE_BYTES
        self._held = b""
        self._done = False

    def feed(self, piece: bytes) -> bytes:
        """Holds back the `connect` until it is whole, and passes everything else."""
        if self._done:
            return piece
        passed = piece[: self._handshake]
        self._handshake -= len(passed)
        self._held += piece[len(passed) :]
        if self._handshake or not self._held:
            return passed
        return passed + self._rewrite()

    def _rewrite(self) -> bytes:
        held = self._held
        if len(held) < _HEADER_BYTES:
            return b""
        length, kind = int.from_bytes(held[4:7]), held[7]
        # A full header of a short chunk stream id and no extended timestamp: how every client begins.
        if held[0] >> 6 or held[0] & 0x3F < 2 or kind != _COMMAND or held[1:4] == b"\xff\xff\xff":
            return self._give_up()
        if length > _MOST_BYTES:
            return self._give_up()
        between = (length - 1) // _CHUNK_BYTES if length else 0
        end = _HEADER_BYTES + length + between
        if len(held) < end:
            return b""
        body = _without_headers(held[_HEADER_BYTES:end])
        at = body.find(_KEY)
        if at < 0:
            return self._give_up()
        start = at + len(_KEY)
        old = int.from_bytes(body[start : start + 2])
        body = body[:start] + len(self._tc_url).to_bytes(2) + self._tc_url + body[start + 2 + old :]
        header = held[:4] + len(body).to_bytes(3) + held[7:_HEADER_BYTES]
        self._done = True
        return header + _with_headers(body, held[0] & 0x3F) + held[end:]

    def _give_up(self) -> bytes:
        """Not what is known here: the far side may know better."""
        self._done = True
        return self._held


def _without_headers(chunks: bytes) -> bytes:
    """The message that lies in chunks with a header of one byte between them."""
    step = _CHUNK_BYTES + 1
    return b"".join(chunks[at : at + _CHUNK_BYTES] for at in range(0, len(chunks), step))


def _with_headers(body: bytes, chunk_stream: int) -> bytes:
    pieces = (body[at : at + _CHUNK_BYTES] for at in range(0, len(body), _CHUNK_BYTES))
    return bytes([0xC0 | chunk_stream]).join(pieces)


def tc_url_of(scheme: str, authority: str, path: str) -> str:
    """What a client would say that connects to this address itself: all of it but the stream's name.

    `path`: with the query. A single segment is no stream's name.
    """
    application = path.partition("?")[0].rpartition("/")[0]
    return f"{scheme}://{authority}{application or path}"
