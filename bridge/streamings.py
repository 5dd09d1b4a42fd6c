"""The streamings of all conferences: published by RTMP or offered as HLS until the conference ends.

They are kept, and taken up again after a restart. One that fails goes on trying; `alive` says how it is. One
that could not even begin after a restart (its storage is gone, say) is tried again for as long as it exists.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from bridge.changes import Change, ConferenceClosed
from bridge.core.ports import OutputLook
from bridge.directory import Directory
from bridge.errors import BadInput, BridgeError, NoSuchRoom, Refused, frames_of
from bridge.output_desk import OutputDesk
from bridge.people import Conference
from bridge.quota import Limit, Quota
from bridge.records import KeptStreaming, StreamingRecords
from bridge.streaming_wishes import HlsWishes as HlsWishes
from bridge.streaming_wishes import PictureWishes as PictureWishes
from bridge.streaming_wishes import SoundWishes as SoundWishes
from bridge.streaming_wishes import StreamingWishes as StreamingWishes
from bridge.streaming_wishes import spec_of, wishes_of
from bridge.tokens import hash_of, new_token

log = logging.getLogger(__name__)

RTMP_SCHEMES = ("rtmp", "rtmps")
AGAIN_AFTER_S = (2.0, 5.0, 15.0, 30.0, 60.0)
"""What could not begin is tried again so long after each failure, at last always as long as the longest."""

Mark = Callable[[str, str, float], None]
"""Puts a payload into the stream of that id, for so many seconds. Raises BadInput: nobody would get it."""
Pause = Callable[[float], Awaitable[object]]


class NoSuchStreaming(Refused):
    """No streaming of that id in that conference."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """One, as it is now."""

    id: str
    url: str
    """Where it is published to, or can be seen: holds a key, or (at its creation only) a token."""
    alive: bool
    look: OutputLook | None
    wishes: StreamingWishes = StreamingWishes()


@dataclass(frozen=True, slots=True)
class StreamingLimits:
    """How many there may be."""

    streamings: int = 200
    streamings_per_application: int = 100
    streamings_per_conference: int = 20


class Streamings:
    """`load` after the directory's. `check` judges an address (EgressRefused); `hls_url` names a playlist."""

    def __init__(
        self,
        records: StreamingRecords,
        directory: Directory,
        desk: OutputDesk,
        check: Callable[[str], object],
        hls_url: Callable[[str, str], str],
        limits: StreamingLimits | None = None,
        storages: Collection[str] = (),
        mark: Mark | None = None,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """`storages`: the names of those in the configuration. `mark` puts timed metadata into one."""
        self._records = records
        self._directory = directory
        self._desk = desk
        self._check = check
        self._hls_url = hls_url
        self._limits = limits or StreamingLimits()
        self._storages = frozenset(storages)
        self._mark = mark
        self._pause = pause
        self._failing: dict[str, str] = {}
        """Streaming id → why it did not begin, while that is tried again."""
        self._trying: dict[str, asyncio.Task[None]] = {}
        self._quota = Quota()
        self._places: dict[str, tuple[Limit, ...]] = {}
        """What each streaming takes up."""
        self._kept: dict[str, dict[str, KeptStreaming]] = {}
        """Conference id → streaming id → it."""
        directory.subscribe(self._changed)

    async def load(self) -> None:
        """Go on with everything that was being streamed."""
        for kept in await self._records.load_streamings():
            conference = self._directory.find(kept.conference_id)
            if conference is None:
                continue
            self._hold(conference, kept, enforce=False)
            if not await self._taken_up(conference, kept):
                trying = self._try_again(conference.id, kept)
                self._trying[kept.id] = asyncio.get_running_loop().create_task(trying)

    async def close(self) -> None:
        """Begin nothing more; what has begun is the desk's."""
        trying = [*self._trying.values()]
        self._trying.clear()
        for task in trying:
            task.cancel()
        await asyncio.gather(*trying, return_exceptions=True)

    async def create(self, conference: Conference, url: str, wishes: StreamingWishes) -> Streaming:
        """Begin one; without `url` it is HLS. Raises BadInput, EgressRefused, LimitReached, NoSuchRoom."""
        token = ""
        if wishes.levels and not url:
            raise BadInput("`levels` are said in what is published to a `url`")
        if url:
            if wishes.hls is not None:
                raise BadInput("a streaming has a `url` or is `hls`")
            self._check(url)
            if not urlsplit(url).path.strip("/"):
                raise BadInput("`url` has no path: what follows the host is the stream's name")
        elif wishes.hls is None:
            raise BadInput("`url` is missing: where to publish to")
        else:
            if wishes.audio.codec == "opus" and wishes.hls.container == "ts":
                raise BadInput("HLS in TS has no opus")
            if wishes.hls.storage and wishes.hls.storage not in self._storages:
                raise BadInput(
                    f"there is no storage {wishes.hls.storage[:100]} in this server's configuration"
                )
            token = new_token() if wishes.hls.protected else ""
            wishes = msgspec.structs.replace(wishes, token_hash=hash_of(token) if token else "")
        kept = KeptStreaming(str(uuid4()), conference.id, url, msgspec.to_builtins(wishes))
        if self._directory.find(conference.id) is None:
            raise NoSuchRoom("no such conference")
        self._hold(conference, kept)
        try:
            await self._records.add_streaming(kept)
            if self._directory.find(conference.id) is None:
                raise NoSuchRoom("no such conference")
            await self._begin(conference, kept)
        except BaseException as error:
            self._drop(kept)
            await self._records.remove_streamings([kept.id])
            if isinstance(error, Exception) and self._directory.find(conference.id) is None:
                raise NoSuchRoom("no such conference") from None
            raise
        log.info("- streaming %s begins", kept.id, extra={"room": conference.id})
        return self._streaming(kept, token)

    def all_of(self, conference: Conference) -> list[Streaming]:
        """All of a conference, in the order of creation."""
        return [self._streaming(kept) for kept in self._kept.get(conference.id, {}).values()]

    @property
    def hls_streams(self) -> list[str]:
        """The ids of those that are HLS."""
        return [one.id for kept in self._kept.values() for one in kept.values() if not one.url]

    def get(self, conference: Conference, streaming_id: str) -> Streaming:
        """Raises NoSuchStreaming."""
        return self._streaming(self._find(conference, streaming_id))

    def mark(self, conference: Conference, streaming_id: str, payload: str, duration_s: float) -> None:
        """Timed metadata in a streaming, from now on. Raises NoSuchStreaming, BadInput."""
        kept = self._find(conference, streaming_id)
        if self._mark is None:
            raise BadInput("there is no timed metadata here")
        self._mark(kept.id, payload, duration_s)

    async def delete(self, conference: Conference, streaming_id: str) -> None:
        """End it. Raises NoSuchStreaming."""
        await self._remove(conference, [self._find(conference, streaming_id)])

    async def delete_all(self, conference: Conference) -> None:
        """End all of a conference."""
        await self._remove(conference, [*self._kept.get(conference.id, {}).values()])

    # --- inside ---

    def _find(self, conference: Conference, streaming_id: str) -> KeptStreaming:
        kept = self._kept.get(conference.id, {}).get(streaming_id)
        if kept is None:
            raise NoSuchStreaming("no such streaming")
        return kept

    def _streaming(self, kept: KeptStreaming, token: str = "") -> Streaming:
        look = self._desk.look(kept.id)
        if look is None and kept.id in self._failing:
            look = OutputLook("rtmp" if kept.url else "hls", "troubled", self._failing[kept.id])
        url = kept.url or self._hls_url(kept.id, token)
        alive = look is not None and look.state == "running"
        return Streaming(kept.id, url, alive, look, wishes_of(kept))

    async def _begin(self, conference: Conference, kept: KeptStreaming) -> None:
        self._kept.setdefault(conference.id, {})[kept.id] = kept
        await self._desk.start(conference, kept.id, spec_of(kept))

    async def _taken_up(self, conference: Conference, kept: KeptStreaming) -> bool:
        """Begin it as before the restart; one that cannot must not keep the others from it."""
        try:
            await self._begin(conference, kept)
        except Exception as error:
            known = isinstance(error, BridgeError)
            why = str(error) if known else f"it could not be begun ({type(error).__name__})"
            self._failing[kept.id] = why
            where = "" if known else "\n" + frames_of(error)
            log.error(
                "x a streaming could not be taken up again: %s%s", why, where, extra={"room": conference.id}
            )
            return False
        self._failing.pop(kept.id, None)
        return True

    async def _try_again(self, conference_id: str, kept: KeptStreaming) -> None:
        """Until it begins; cancelled when it is deleted."""
        for failures in count():
            await self._pause(AGAIN_AFTER_S[min(failures, len(AGAIN_AFTER_S) - 1)])
            conference = self._directory.find(conference_id)
            if conference is None or await self._taken_up(conference, kept):
                break
        self._trying.pop(kept.id, None)

    async def _remove(self, conference: Conference, leaving: list[KeptStreaming]) -> None:
        await self._records.remove_streamings([kept.id for kept in leaving])
        for kept in leaving:
            self._drop(kept)
        ends: list[Awaitable[None]] = [self._desk.stop(kept.id, "stopped") for kept in leaving]
        await asyncio.gather(*ends)

    def _hold(self, conference: Conference, kept: KeptStreaming, *, enforce: bool = True) -> None:
        limits = self._limits
        places = (
            Limit("streamings_per_conference", limits.streamings_per_conference, conference.id),
            Limit("streamings_per_application", limits.streamings_per_application, conference.application_id),
            Limit("streamings", limits.streamings),
        )
        self._quota.take(*places, enforce=enforce)
        self._places[kept.id] = places

    def _drop(self, kept: KeptStreaming) -> None:
        of_conference = self._kept.get(kept.conference_id, {})
        of_conference.pop(kept.id, None)
        if not of_conference:
            self._kept.pop(kept.conference_id, None)
        self._failing.pop(kept.id, None)
        trying = self._trying.pop(kept.id, None)
        if trying is not None:
            trying.cancel()
        self._quota.give_back(*self._places.pop(kept.id, ()))

    def _changed(self, change: Change) -> None:
        if isinstance(change, ConferenceClosed):
            for kept in [*self._kept.get(change.conference_id, {}).values()]:
                self._drop(kept)
