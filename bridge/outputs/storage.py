"""Object storage: where finished files go, by the names that the configuration gives to places.

Credentials stay in this process, and in no text: what goes wrong is told by kind and place.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from bridge.errors import BadInput, BridgeError

_CHUNK_BYTES = 8 << 20
_KEY = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")
_PREFIX_CHARACTERS = 512


class StorageFailed(BridgeError):
    """A place did not take something, or is not there; the text says which and why, and holds no secrets."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket (or container) and how to reach it."""

    name: str
    kind: Literal["s3", "gcs", "azure"]
    bucket: str
    prefix: str = ""
    """Before every key."""
    region: str = ""
    endpoint: str = ""
    """Of what is compatible with the kind; empty: the vendor's own."""
    access_key: str = field(default="", repr=False)
    """Azure: the account's name; GCS: unused."""
    secret_key: str = field(default="", repr=False)
    """GCS: the service account's key file, as JSON."""
    session_token: str = field(default="", repr=False)
    backup: str = ""
    """The name of the place that is used when this one keeps failing."""


def checked_key(*parts: str) -> str:
    """The parts joined by slashes. Raises BadInput for what could leave its prefix or is no portable key."""
    key = "/".join(part.strip("/") for part in parts if part.strip("/"))
    if len(key) > _PREFIX_CHARACTERS or not _KEY.fullmatch(key):
        raise BadInput("a storage prefix has letters, digits, - _ . ! * ' ( ) and slashes between names")
    if any(name in (".", "..") for name in key.split("/")):
        raise BadInput("a storage prefix cannot lead elsewhere")
    return key


class Storage:
    """One place, open. All calls raise StorageFailed."""

    def __init__(self, place: Place, ca_file: Path | None = None, timeout_s: float = 60.0) -> None:
        """Raises BadInput for a place that cannot be."""
        self.place = place
        self._prefix = checked_key(place.prefix) if place.prefix else ""
        try:
            self._store = _open(place, ca_file, timeout_s)
        except (BaseError, ValueError, OSError) as error:
            raise BadInput(f"storage {place.name} cannot be used: {type(error).__name__}") from None

    async def put(self, path: Path, key: str, media_type: str) -> None:
        """Upload a file whole, in parts where it is large, and make sure that it is there as it is here."""
        target = checked_key(self._prefix, key) if self._prefix else checked_key(key)
        size, digest = await asyncio.to_thread(_size_and_md5, path)
        try:
            await obstore.put_async(
                self._store,
                target,
                path,
                attributes={"Content-Type": media_type},
                use_multipart=size > _CHUNK_BYTES,
                chunk_size=_CHUNK_BYTES,
                max_concurrency=4,
            )
            there = await obstore.head_async(self._store, target)
        except (BaseError, OSError, ValueError) as error:
            raise StorageFailed(f"{self.place.name}: {_reason(error)}") from None
        if there["size"] != size:
            raise StorageFailed(f"{self.place.name}: {there['size']} of {size} bytes arrived")
        tag = (there.get("e_tag") or "").strip('"')
        # S3's tag of what came in one piece, and was not encrypted with a key of the customer's, is its MD5.
        if self.place.kind == "s3" and re.fullmatch("[0-9a-f]{32}", tag) and size <= _CHUNK_BYTES:
            if tag != digest:
                raise StorageFailed(f"{self.place.name}: other bytes arrived than were sent")

    async def remove(self, key: str) -> None:
        """Nothing happens when it is not there."""
        target = checked_key(self._prefix, key) if self._prefix else checked_key(key)
        try:
            await obstore.delete_async(self._store, target)
        except FileNotFoundError:
            return
        except (BaseError, OSError, ValueError) as error:
            raise StorageFailed(f"{self.place.name}: {_reason(error)}") from None

    async def keys(self, prefix: str) -> list[str]:
        """Everything below `prefix`, without the place's own prefix."""
        below = checked_key(self._prefix, prefix) if self._prefix else checked_key(prefix)
        found: list[str] = []
        try:
            async for batch in obstore.list(self._store, below):
                found += [str(one["path"]) for one in batch]
        except (BaseError, OSError, ValueError) as error:
            raise StorageFailed(f"{self.place.name}: {_reason(error)}") from None
        cut = len(self._prefix) + 1 if self._prefix else 0
        return sorted(key[cut:] for key in found)


def _open(place: Place, ca_file: Path | None, timeout_s: float) -> ObjectStore:
    client: Any = {"timeout": timedelta(seconds=timeout_s), "connect_timeout": timedelta(seconds=10)}
    if place.endpoint:
        parts = urlsplit(place.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("no such endpoint")
        client["allow_http"] = parts.scheme == "http"
    if ca_file is not None:
        client["root_certificate"] = ca_file.read_bytes()
    # Trying again is the queue's work, which outlives a restart.
    retry: Any = {"max_retries": 1, "retry_timeout": timedelta(seconds=timeout_s)}
    given: dict[str, Any] = {"client_options": client, "retry_config": retry}
    match place.kind:
        case "s3":
            config: Any = {"region": place.region or "us-east-1"}
            if place.access_key:
                config |= {"access_key_id": place.access_key, "secret_access_key": place.secret_key}
            if place.session_token:
                config["session_token"] = place.session_token
            if place.endpoint:
                config["endpoint"] = place.endpoint
            return S3Store(place.bucket, config=config, **given)
        case "gcs":
            config = {"service_account_key": place.secret_key} if place.secret_key else {}
            return GCSStore(place.bucket, config=config, **given)
        case "azure":
            config = {"account_name": place.access_key, "account_key": place.secret_key}
            if place.endpoint:
                config["endpoint"] = place.endpoint
            return AzureStore(place.bucket, config=config, **given)


def _size_and_md5(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return file.tell(), digest


_KINDS = {
    "PermissionDeniedError": "access is denied",
    "UnauthenticatedError": "the credentials are not accepted",
    "FileNotFoundError": "there is no such bucket or file",
}
_STATUS = re.compile(r"\b(?:status|HTTP)[^0-9]{0,20}([45][0-9]{2})\b", re.IGNORECASE)


def _reason(error: Exception) -> str:
    """What went wrong, without what the library quotes: addresses may be signed, answers may echo keys."""
    named = _KINDS.get(type(error).__name__)
    if named:
        return named
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    status = _STATUS.search(str(error))
    if status:
        return f"it answered {status[1]}"
    text = str(error).lower()
    if "timed out" in text or "timeout" in text:
        return "it did not answer in time"
    return "it is out of reach" if "error sending request" in text or "connect" in text else "it failed"
