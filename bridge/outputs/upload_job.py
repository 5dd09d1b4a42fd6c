"""One file on its way to object storage, as the queue sees it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from bridge.outputs.upload_orders import Order

UploadStage = Literal["waiting", "uploading", "failing", "uploaded", "missing"]

PLAYLIST_TYPE: Final = "application/vnd.apple.mpegurl"
_NAMED: Final = re.compile(rb'^(?!#)(\S+)|^#EXT-X-MAP:.*\bURI="([^"]+)"', re.MULTILINE)


class Target(Protocol):
    """`bridge.outputs.storage.Storage`. Raises StorageFailed."""

    async def put(self, path: Path, key: str, media_type: str) -> str: ...
    async def put_content(self, content: bytes, key: str, media_type: str) -> str: ...
    async def link(self, key: str, seconds: float) -> str: ...
    def read(self, key: str, begin: int, end: int) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class UploadLook:
    """How an upload goes."""

    path: Path
    stage: UploadStage
    place: str
    attempts: int = 0
    problem: str = ""
    done_at: float = 0.0
    size: int = 0
    """Of what was confirmed."""


class NotYet(Exception):
    """A playlist names what has not arrived."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What has arrived of a file."""

    size: int
    md5: str
    modified_ns: int


@dataclass(slots=True)
class Job:
    """An order, and how it goes with it."""

    order: Order
    file: Path
    """Where the order lies."""
    attempts: int = 0
    problem: str = ""
    uploading: bool = False
    missing: bool = False
    again: bool = False
    """It was ordered once more before it was through."""
    began_as: tuple[int, int] | None = None
    """The file's stamp when the attempt that goes on now began."""
    failing_since: float = 0.0
    task: asyncio.Task[None] | None = None

    @property
    def is_going(self) -> bool:
        """Somebody works at it."""
        return self.task is not None and not self.task.done()

    @property
    def is_playlist(self) -> bool:
        """It has to wait for others."""
        return self.order.media_type == PLAYLIST_TYPE

    @property
    def stage(self) -> UploadStage:
        """In a word."""
        if self.order.done_at:
            return "uploaded"
        if self.missing:
            return "missing"
        if self.uploading:
            return "uploading"
        return "failing" if self.problem else "waiting"

    def look(self) -> UploadLook:
        """How it goes."""
        order = self.order
        where = order.done_place or order.place
        return UploadLook(
            Path(order.path), self.stage, where, self.attempts, self.problem, order.done_at, order.size
        )


def check_names(playlist: Order, content: bytes, jobs: Iterable[Job]) -> None:
    """Raises NotYet, as long as something that the playlist names is not there."""
    folder = playlist.key.rpartition("/")[0]
    there = {job.order.key for job in jobs if job.order.done_at}
    for line, header in _NAMED.findall(content):
        if f"{folder}/{(line or header).decode(errors='replace')}" not in there:
            raise NotYet
