"""What a request for something of a live stream is answered with, framework-free."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.outputs.hls_names import content_type

_KEPT_S = 3_600
"""Files never change under their name; streams are over, or have moved on, after a while."""
_WORTH_COMPRESSING = 300
_LONG = 16_384
"""Compressing so much takes a millisecond: a thread does it."""

_ALL = {
    # Players are pages of other sites, and media is no page.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Date, Age, Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class HlsAnswer:
    """One response."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class PlaylistText:
    """A playlist's text, compressed once at most, however many ask for it."""

    def __init__(self, text: str) -> None:
        self.plain = text.encode()
        self._compressing: asyncio.Future[bytes] | None = None

    async def answer(self, file: str, *, gzip_accepted: bool, max_age_s: int, private: bool) -> HlsAnswer:
        """The text as a response; `max_age_s` 0: to be asked for anew each time."""
        body, headers = self.plain, _headers(file, max_age_s, private=private)
        if len(body) >= _WORTH_COMPRESSING:
            headers["Vary"] = "Accept-Encoding"
            if gzip_accepted:
                body = await self._compressed()
                headers["Content-Encoding"] = "gzip"
        return HlsAnswer(200, headers, body)

    async def _compressed(self) -> bytes:
        if self._compressing is None:
            loop = asyncio.get_running_loop()
            if len(self.plain) > _LONG:
                self._compressing = loop.run_in_executor(None, gzip.compress, self.plain, 5)
            else:
                self._compressing = loop.create_future()
                self._compressing.set_result(gzip.compress(self.plain, 5, mtime=0))
        # Whoever gives up waiting must not take it away from the others.
        return await asyncio.shield(self._compressing)


def file_answer(file: str, content: bytes, *, private: bool) -> HlsAnswer:
    """A segment, a part, a header, captions: what never changes."""
    return HlsAnswer(200, _headers(file, _KEPT_S, private=private, immutable=True), content)


def refusal(status: int, why: str, retry_after_s: int | None = None) -> HlsAnswer:
    """`why` in a line of plain text; not to be kept by anybody."""
    headers = {**_ALL, "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return HlsAnswer(status, headers, why.encode() + b"\n")


def _headers(file: str, max_age_s: int, *, private: bool, immutable: bool = False) -> dict[str, str]:
    words = ["private" if private else "public"]
    words += [f"max-age={max_age_s}"] if max_age_s else ["no-cache"]
    words += ["immutable"] if immutable else []
    return {**_ALL, "Content-Type": content_type(file), "Cache-Control": ", ".join(words)}
