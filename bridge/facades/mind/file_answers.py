"""A file of a recording as an answer: all of it or a range, whole or still growing (RFC 9110 §13, §14)."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bridge.core.ports import OutputFile

_PIECE_BYTES = 1 << 18
_RANGE = re.compile(r"bytes *= *(\d{0,19}) *- *(\d{0,19})")


class Unsatisfiable(Exception):
    """A range that has no byte of the file in it."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file, from `start` until before `end`."""

    start: int
    end: int


def asked_span(header: str, size: int) -> Span | None:
    """What a Range header asks for of `size` bytes; None: the whole file is to be given.

    That is what a server may do with a header that it does not understand, or with several ranges in one
    (§14.2). Raises Unsatisfiable.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None or found[0].endswith("=-"):
        return None
    first, last = found.groups()
    if first and last and int(last) < int(first):
        return None
    if not first:
        span = Span(max(0, size - int(last)), size)
    else:
        span = Span(int(first), min(size, int(last) + 1) if last else size)
    if span.start >= span.end:
        raise Unsatisfiable
    return span


async def file_answer(request: Request, found: OutputFile) -> Response:
    """What there is of it now, however much comes later. Raises FileNotFoundError when it is gone."""
    file = await asyncio.to_thread(_OpenFile, found)
    status, span, headers = answer_head(request.headers, file.size, file.tag)
    answer: Response
    if request.method == "HEAD" or span is None:
        file.close()
        answer = Response(status_code=status, headers=headers)
    else:
        answer = _FileBody(file, span, status, headers)
    answer.headers["Content-Type"] = found.media_type
    return answer


def answer_head(asked: Mapping[str, str], size: int, tag: str) -> tuple[int, Span | None, dict[str, str]]:
    """To a request with those headers for a file with that tag (empty: it grows).

    Status, what of the file goes into the body (None: there is none), headers.
    """
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if tag:
        headers["ETag"] = tag
        if tag in (known.strip().removeprefix("W/") for known in asked.get("if-none-match", "").split(",")):
            return 304, None, headers
    span = None
    # A growing file has no tag: nobody can say that what a client has of it belongs to what there is now.
    if asked.get("if-range", tag).strip() == tag:
        try:
            span = asked_span(asked.get("range", ""), size)
        except Unsatisfiable:
            return 416, None, {**headers, "Content-Range": f"bytes */{size}"}
    whole = Span(0, size)
    headers["Content-Length"] = str((span or whole).end - (span or whole).start)
    if span is None:
        return 200, whole, headers
    return 206, span, {**headers, "Content-Range": f"bytes {span.start}-{span.end - 1}/{size}"}


class _OpenFile:
    """Read in threads, and closed when nobody reads: a reader may be given up in the middle of it."""

    def __init__(self, found: OutputFile) -> None:
        self._file = found.path.open("rb", buffering=0)
        self._lock = threading.Lock()
        seen = os.fstat(self._file.fileno())
        self.size = seen.st_size
        self.tag = ""
        """Of what is in it; empty while it grows."""
        if found.complete:
            self.tag = f'"{seen.st_ino:x}-{seen.st_mtime_ns:x}-{seen.st_size:x}"'

    def read(self, length: int, at: int) -> bytes:
        """Empty at its end, and once it is closed."""
        with self._lock:
            return b"" if self._file.closed else os.pread(self._file.fileno(), length, at)

    def close(self) -> None:
        with self._lock:
            self._file.close()


class _FileBody(StreamingResponse):
    """Closes the file, also when nobody waits for the end of it."""

    def __init__(self, file: _OpenFile, span: Span, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(_pieces(file, span), status, headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            asyncio.get_running_loop().run_in_executor(None, self._file.close)


async def _pieces(file: _OpenFile, span: Span) -> AsyncIterator[bytes]:
    at = span.start
    while at < span.end and (
        piece := await asyncio.to_thread(file.read, min(_PIECE_BYTES, span.end - at), at)
    ):
        at += len(piece)
        yield piece
