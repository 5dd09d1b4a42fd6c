"""The live HLS streams of this server, as players ask for them. In the server, on the event loop's thread.

    index.m3u8             the master playlist
    media.m3u8             sound and picture
    captions.m3u8          what is said, when there are captions
    s…  p…  h…  c…         segments, parts, headers, captions

A protected stream's token stands in the query of each request (`?token=…`; then the playlists write it
behind every URI) or in the path (`t/{token}/index.m3u8`; relative URIs carry it by themselves).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from bridge.errors import BadInput
from bridge.outputs.date_range import DateRange
from bridge.outputs.hls_answer import HlsAnswer, PlaylistText, file_answer, refusal
from bridge.outputs.hls_delivery import Directives, parse_directives, verdict
from bridge.outputs.hls_names import CAPTIONS, MASTER, MEDIA
from bridge.outputs.hls_place import remove as delete
from bridge.outputs.hls_stream import HlsStream
from bridge.outputs.read_files import ReadFiles

log = logging.getLogger(__name__)

MAX_WAITING = 20_000
"""Requests of one stream that wait for what comes; more are told to come back."""
MAX_TARGETS = 3
"""So many target durations a request waits at most (RFC 8216bis §6.2.5.2)."""
_TEXTS = 64
"""Variants of the playlists kept until the next change: by delta update, by token."""

_FILE = re.compile(r"[a-z0-9.]{1,40}")
_SECRET_PATH = re.compile(r"t/([A-Za-z0-9_-]{1,200})/(.*)", re.DOTALL)


def token_digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class _Shelved:
    def __init__(
        self,
        stream: HlsStream,
        directory: Path,
        digest: bytes | None,
        also: Callable[[DateRange], None] | None,
    ) -> None:
        self.stream, self.directory, self.digest, self.also = stream, directory, digest, also
        self.texts: dict[tuple[object, ...], PlaylistText] = {}
        self.texts_version = -1
        self.leaving: asyncio.TimerHandle | None = None
        self.gone = False


class HlsShelf:
    """Answers players. Streams are put on and taken off; files are deleted only of those that `retire`."""

    def __init__(self, now_ms: Callable[[], float] = lambda: time.time() * 1_000) -> None:
        """`now_ms`: the wall clock, Unix ms."""
        self._now_ms = now_ms
        self._streams: dict[str, _Shelved] = {}
        self._files = ReadFiles()

    def put(
        self,
        stream_id: str,
        stream: HlsStream,
        directory: Path,
        token: bytes | None = None,
        also: Callable[[DateRange], None] | None = None,
    ) -> None:
        """Have it answered for; `token`: the digest of the token that players must show.

        `also`: who else is told of timed metadata.
        """
        self._streams[stream_id] = _Shelved(stream, directory, token, also)

    def remove(self, stream_id: str) -> None:
        """Nobody gets it any more. Requests that wait are refused: it may go on elsewhere, or later."""
        shelved = self._streams.pop(stream_id, None)
        if shelved is None:
            return
        if shelved.leaving is not None:
            shelved.leaving.cancel()
        self._files.forget_all(shelved.directory)
        shelved.gone = True
        shelved.stream.wake()

    def retire(self, stream_id: str, after_s: float) -> None:
        """It is over. Players are behind: they get the rest for so long yet, then its directory goes."""
        shelved = self._streams.get(stream_id)
        if shelved is not None:
            shelved.stream.end()
            loop = asyncio.get_running_loop()
            shelved.leaving = loop.call_later(after_s, self._leave, stream_id, shelved)

    def close(self) -> None:
        """Take everything off: whatever waits is answered, so that a server can go down.

        Directories of those that were to leave are left to the next server's sweep.
        """
        for stream_id in [*self._streams]:
            self.remove(stream_id)

    def mark(self, stream_id: str, payload: str, duration_s: float) -> None:
        """Timed metadata from now on: `payload` as X-PAYLOAD, in base64.

        Raises KeyError for another id, BadInput for more than a playlist holds.
        """
        told = base64.b64encode(payload.encode()).decode()
        now_ms = self._now_ms()
        named = f"{round(now_ms)}-{secrets.token_hex(4)}"
        date_range = DateRange(named, now_ms, duration_s, (("X-PAYLOAD", told),))
        shelved = self._streams[stream_id]
        try:
            shelved.stream.mark(date_range)
        except ValueError as error:
            raise BadInput(str(error)) from None
        if shelved.also is not None:
            shelved.also(date_range)

    def forget(self, directory: Path, files: list[str]) -> None:
        """These are deleted."""
        for file in files:
            self._files.forget(directory / file)

    async def answer(
        self, stream_id: str, path: str, query: Mapping[str, str], *, gzip_accepted: bool = False
    ) -> HlsAnswer:
        """What to say to a GET of `path` below the stream. Waits where that was asked for; never raises."""
        shelved = self._streams.get(stream_id)
        if shelved is None:
            return refusal(404, "there is no such stream")
        shown = query.get("token")
        if (secret := _SECRET_PATH.fullmatch(path)) is not None:
            in_path, path = secret.groups()
            shown = in_path
        else:
            in_path = None
        if shelved.digest is not None and not (
            shown is not None and hmac.compare_digest(token_digest(shown), shelved.digest)
        ):
            return refusal(403, "this stream needs its token")
        if not _FILE.fullmatch(path):
            return refusal(404, "there is no such file")
        behind = ""
        if shelved.digest is not None and in_path is None and shown is not None:
            behind = "token=" + quote(shown, safe="")
        if path in (MASTER, MEDIA, CAPTIONS):
            return await self._playlist(shelved, path, query, behind, gzip_accepted)
        return await self._file(stream_id, shelved, path)

    # --- playlists ---

    async def _playlist(
        self, shelved: _Shelved, name: str, query: Mapping[str, str], behind: str, gzip_accepted: bool
    ) -> HlsAnswer:
        stream = shelved.stream
        try:
            asked = parse_directives(query)
        except BadInput as error:
            return refusal(400, str(error))
        if name != MASTER and asked.sequence is not None:
            refused = await self._until_there(shelved, name, asked)
            if refused is not None:
                return refused
        text = self._text(shelved, name, asked, behind)
        if text is None:
            return refusal(404, "the stream has not begun", retry_after_s=1)
        # A moment is enough to serve a crowd from a cache, and too short to be late by.
        age_s = 0 if shelved.digest is not None else 1
        if stream.ended:
            age_s = 60
        return await text.answer(
            name, gzip_accepted=gzip_accepted, max_age_s=age_s, private=shelved.digest is not None
        )

    async def _until_there(self, shelved: _Shelved, name: str, asked: Directives) -> HlsAnswer | None:
        """Wait until the playlist answers what is asked; None then, else why not."""
        stream = shelved.stream
        until: float | None = None
        while True:
            playlist = stream.playlist(name)
            if playlist is None:
                return None
            match verdict(playlist, asked):
                case "ready":
                    return None
                case "too far":
                    return refusal(400, "that is too far ahead")
            if until is None:
                until = asyncio.get_running_loop().time() + MAX_TARGETS * playlist.target_s
            refused = await self._wait(shelved, until)
            if refused is not None:
                return refused

    async def _wait(self, shelved: _Shelved, until: float) -> HlsAnswer | None:
        """For the next change; None when there was one."""
        stream = shelved.stream
        if stream.waiting >= MAX_WAITING:
            return refusal(503, "too many wait for this stream", retry_after_s=1)
        stream.waiting += 1
        try:
            async with asyncio.timeout_at(until):
                await stream.changed.wait()
        except TimeoutError:
            return refusal(503, "it did not come", retry_after_s=1)
        finally:
            stream.waiting -= 1
        return refusal(503, "the stream is not here any more", retry_after_s=1) if shelved.gone else None

    def _text(self, shelved: _Shelved, name: str, asked: Directives, behind: str) -> PlaylistText | None:
        stream = shelved.stream
        if name == MASTER:
            master = stream.master()
            return None if master is None else PlaylistText(master.text(behind))
        playlist, window = stream.playlist(name), stream.window(name)
        if playlist is None or window is None:
            return None
        if shelved.texts_version != stream.version:
            shelved.texts.clear()
            shelved.texts_version = stream.version
        # Delta updates that depend on when they are asked for differ by seconds, not by requests.
        moment = int(self._now_ms() / 1_000) if asked.skip == "date ranges too" else 0
        key = (name, asked.skip, moment, behind)
        text = shelved.texts.get(key)
        if text is None:
            text = PlaylistText(playlist.text(window.skip(asked, self._now_ms()), behind))
            if len(shelved.texts) < _TEXTS:
                shelved.texts[key] = text
        return text

    def _leave(self, stream_id: str, shelved: _Shelved) -> None:
        if self._streams.get(stream_id) is shelved:
            self.remove(stream_id)
            asyncio.get_running_loop().run_in_executor(None, _delete, shelved.directory)

    # --- files ---

    async def _file(self, stream_id: str, shelved: _Shelved, file: str) -> HlsAnswer:
        stream = shelved.stream
        until: float | None = None
        while not stream.knows(file):
            playlist = stream.playlist(MEDIA)
            if playlist is None or not stream.hinted(file):
                return refusal(404, "there is no such file")
            if until is None:
                until = asyncio.get_running_loop().time() + MAX_TARGETS * playlist.target_s
            refused = await self._wait(shelved, until)
            if refused is not None:
                return refused
        try:
            content = await self._files.content(shelved.directory / file)
        except OSError as error:
            log.warning("x a file of the stream %s cannot be read: %s", stream_id, error.strerror)
            return refusal(404, "there is no such file")
        return file_answer(file, content, private=shelved.digest is not None)


def _delete(directory: Path) -> None:
    try:
        delete(directory)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "no reason given"
        log.error("x the files of the stream %s cannot be deleted: %s", directory.name, why)
