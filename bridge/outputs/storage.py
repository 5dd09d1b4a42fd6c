"""Object storage: where finished files go, by the names that the configuration gives to places.

Credentials stay in this process, and in no text: what goes wrong is told by kind and place.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import obstore
from obstore.exceptions import BaseError

from bridge.errors import BadInput, BridgeError
from bridge.outputs.file_pieces import FilePieces
from bridge.outputs.storage_open import Opening, open_store
from bridge.outputs.storage_place import GOOGLE, Place, checked_key, checked_prefix, checked_tags

_CHUNK_BYTES: Final = 8 << 20
_PARTS_AT_A_TIME: Final = 4
_END_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 20

Ends = Callable[[], tuple[bytes, bytes]]
"""Gives the beginning and the end of what was sent."""


class StorageFailed(BridgeError):
    """A place did not take or give something, or is not there; says which and why, and holds no secrets."""


class Storage:
    """One place, open. All calls raise StorageFailed."""

    def __init__(self, place: Place, opening: Opening | None = None) -> None:
        """Raises BadInput for a place that cannot be."""
        self.place = place
        self._prefix = checked_prefix(place.prefix)
        checked_tags(place.tags)
        try:
            self._store = open_store(place, opening or Opening())
        except (BaseError, ValueError, OSError) as error:
            raise BadInput(f"storage {place.name} cannot be used: {type(error).__name__}") from None

    async def put(self, path: Path, key: str, media_type: str) -> str:
        """Upload a file whole, in parts where it is large, and make sure that it is there as it is here.

        Gives the MD5 of what is there. Raises FileNotFoundError when there is no such file here.
        """
        size = (await asyncio.to_thread(path.stat)).st_size
        pieces = FilePieces(path, _CHUNK_BYTES) if size > _CHUNK_BYTES else None
        await self._send(path, self._target(key), media_type, pieces)
        # Afterwards: a storage that takes nothing for hours costs no reading of large files again and again.
        sums = await asyncio.to_thread(_sums, path)
        await self._verify(self._target(key), sums, lambda: _ends(path))
        return sums.md5

    async def put_content(self, content: bytes, key: str, media_type: str) -> str:
        """The same, of what is in memory."""
        await self._send(content, self._target(key), media_type)
        sums = _Sums(len(content), hashlib.md5(content, usedforsecurity=False).hexdigest())
        await self._verify(self._target(key), sums, lambda: (content[:_END_BYTES], content[-_END_BYTES:]))
        return sums.md5

    async def remove(self, key: str) -> None:
        """Nothing happens when it is not there."""
        try:
            await obstore.delete_async(self._store, self._target(key))
        except FileNotFoundError:
            return
        except (BaseError, OSError, ValueError) as error:
            raise self._failed(error) from None

    async def link(self, key: str, seconds: float) -> str:
        """An address where whoever has it can read the file for so long; empty when none can be given."""
        if not self.place.links or (self.place.kind == "gcs" and self.place.endpoint not in ("", GOOGLE)):
            return ""  # the library signs for Google's own host, whatever the endpoint
        try:
            # Not every kind of credentials can sign, and some ask another server to do it.
            async with asyncio.timeout(5):
                signed: str = await obstore.sign_async(
                    self._store, "GET", self._target(key), timedelta(seconds=seconds)
                )
        except (BaseError, OSError, ValueError, TimeoutError):
            return ""
        return signed

    async def read(self, key: str, begin: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `begin` to before `end`, in pieces. Raises StorageFailed with the first one."""
        if begin >= end:
            return
        try:
            found = await obstore.get_async(self._store, self._target(key), options={"range": (begin, end)})
            async for piece in found.stream(min_chunk_size=_PIECE_BYTES):
                yield bytes(piece)
        except (BaseError, OSError, ValueError) as error:
            raise self._failed(error) from None

    # --- inside ---

    def _target(self, key: str) -> str:
        return checked_key(self._prefix, key) if self._prefix else checked_key(key)

    def _failed(self, error: Exception) -> StorageFailed:
        why = _reason(error)
        if why in _REFUSED and 0 < self.place.session_expires <= time.time():
            why = _EXPIRED
        return StorageFailed(f"{self.place.name}: {why}")

    async def _send(
        self, what: Path | bytes, target: str, media_type: str, pieces: FilePieces | None = None
    ) -> None:
        """`pieces` of it, where it goes in parts."""
        try:
            sending = obstore.put_async(
                self._store,
                target,
                what if pieces is None else pieces,
                attributes={"Content-Type": media_type},
                tags=dict(self.place.tags) or None,
                use_multipart=pieces is not None,
                chunk_size=_CHUNK_BYTES,
                max_concurrency=_PARTS_AT_A_TIME,
            )
            await (sending if pieces is None else pieces.sent_by(sending))
        except (BaseError, OSError, ValueError) as error:
            raise self._failed(error) from None

    async def _verify(self, target: str, sums: _Sums, ends: Ends) -> None:
        """Compare what is there: by its tag where that is made of its content, by reading otherwise."""
        try:
            there = await obstore.head_async(self._store, target)
            if there["size"] != sums.size:
                raise StorageFailed(f"{self.place.name}: {there['size']} of {sums.size} bytes arrived")
            # S3's tag is the MD5, or that of the parts' MD5s, unless what lies there is encrypted.
            if (there.get("e_tag") or "").strip('"') in sums.tags:
                return
            if sums.size <= _CHUNK_BYTES:
                content = bytes(await self._range(target, 0, sums.size))
                same = hashlib.md5(content, usedforsecurity=False).hexdigest() == sums.md5
            else:
                first, last = await asyncio.to_thread(ends)
                same = bytes(await self._range(target, 0, len(first))) == first
                same = same and bytes(await self._range(target, sums.size - len(last), sums.size)) == last
        except (BaseError, OSError, ValueError) as error:
            raise self._failed(error) from None
        if not same:
            raise StorageFailed(f"{self.place.name}: other bytes arrived than were sent")

    async def _range(self, target: str, begin: int, end: int) -> obstore.Bytes | bytes:
        if begin >= end:
            return b""
        return await obstore.get_range_async(self._store, target, start=begin, end=end)


class _Sums:
    """Of a content: its size, its MD5, and the tags that S3 gives it."""

    def __init__(self, size: int, md5: str, parts_md5: str = "", parts: int = 0) -> None:
        self.size, self.md5 = size, md5
        self.tags = {md5, f"{parts_md5}-{parts}"} if parts else {md5}


def _sums(path: Path) -> _Sums:
    whole, of_parts = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    parts = size = 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            whole.update(piece)
            of_parts.update(hashlib.md5(piece, usedforsecurity=False).digest())
            parts += 1
            size += len(piece)
    return _Sums(size, whole.hexdigest(), of_parts.hexdigest(), parts)


def _ends(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        first = file.read(_END_BYTES)
        file.seek(-min(_END_BYTES, path.stat().st_size), 2)
        return first, file.read(_END_BYTES)


_EXPIRED: Final = "the session token has expired: files wait here for a new one"
_NO_TOKEN: Final = "the session token is not accepted"
# What S3 and what is compatible call it; nothing else of their answers is repeated.
_CODES: Final = {
    "ExpiredToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "SecurityTokenExpired": _EXPIRED,
    "InvalidToken": _NO_TOKEN,
    "InvalidTokenId": _NO_TOKEN,
    "InvalidSecurityToken": _NO_TOKEN,
    "RequestTimeTooSkewed": "its clock and the one here differ by too much",
    "InvalidTag": "it does not take the tags",
}
_CODE: Final = re.compile(r"<Code>(\w{1,50})</Code>")
_KINDS: Final = {
    "PermissionDeniedError": "access is denied",
    "UnauthenticatedError": "the credentials are not accepted",
    "FileNotFoundError": "there is no such bucket or file",
}
_HTTP_KINDS = {
    "Connect": "it is out of reach",
    "Timeout": "it did not answer in time",
    "Interrupted": "the connection broke",
    "Request": "the connection broke",
    "Decode": "its answer cannot be read",
    "Unknown": "the connection broke",
}
_REFUSED: Final = ("access is denied", "the credentials are not accepted", _NO_TOKEN, "it answered 400")
_HTTP_ERROR = re.compile(r"HttpError \{\s*kind: (\w+)")
_STATUS = re.compile(r"\b(?:status|HTTP)[^0-9]{0,20}([45][0-9]{2})\b", re.IGNORECASE)


def _reason(error: Exception) -> str:
    """What went wrong, without what the library quotes: addresses may be signed, answers may echo keys."""
    code = _CODE.search(str(error))
    named = _CODES.get(code[1] if code else "") or _KINDS.get(type(error).__name__)
    if named:
        return named
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text, _, details = str(error).partition("Debug source")
    if status := _STATUS.search(text):
        return f"it answered {status[1]}"
    if "InvalidCertificate" in details:
        return "its certificate is not to be trusted"
    kind = _HTTP_ERROR.search(details)
    return _HTTP_KINDS.get(kind[1] if kind else "", "it failed")
