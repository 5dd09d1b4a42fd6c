"""One HLS media playlist, read again and again while it goes on, and the segments it names, in their order.

Every address that playlists name goes through the egress gate by itself (`Remote`): those of keys and
redirects too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from bridge.errors import BadInput, HttpFailed
from bridge.legs.hls_media_wire import MediaPlaylist, Place, Segment, read_playlist
from bridge.legs.player_fetching import fetched
from bridge.legs.player_hls_keys import HlsKeys
from bridge.legs.player_settings import PlayerSettings
from bridge.legs.player_supply import Remote, SupplyFailed, SupplyRefused

_TRIES = 3
_TRY_AGAIN_S = 0.5
_MOST_LOST = 3
"""Segments in a row that may be left out of what goes on."""
_LEAST_RELOAD_S = 0.25
_STALLED_S = 15.0


class HlsMedia:
    """`segments` once. What goes on is joined `hold_back_s` before its end, and again when too far behind."""

    def __init__(self, remote: Remote, url: str, playlist: MediaPlaylist, settings: PlayerSettings) -> None:
        self._remote = remote
        self._url = url
        self._settings = settings
        self._keys = HlsKeys(remote, settings)
        self.playlist = playlist
        self._number: int | None = None
        """Of the segment that is next; None: it has to be found out where to go on."""
        self._joined = False
        """It was, so that segment does not go on from the one before."""
        self._stale = False
        """The playlist was read long ago."""
        self._lost = 0
        """In a row."""
        self._loop = asyncio.get_running_loop()
        self._read_at = self._grew_at = self._loop.time()
        self._pause_s = playlist.target_s

    async def segments(self) -> AsyncGenerator[tuple[bytes, bool], None]:
        """Each one's bytes, and whether it begins something: then with what is to be read before it.

        Raises SupplyFailed, SupplyRefused, EgressRefused.
        """
        header: Place | None = None
        begins = True
        while (due := await self._due()) is not None:
            number, segment = due
            begins |= self._joined or segment.apart or segment.header != header
            content = await self._content(segment, begins)
            self._number, self._joined = number + 1, False
            if content is None:
                begins = True
                continue
            yield content, begins
            header, begins = segment.header, False
            self._catch_up()  # who was paused may have waited here for long

    async def _due(self) -> tuple[int, Segment] | None:
        while True:
            if self._stale:
                await self._read_again()
                continue
            playlist = self.playlist
            if self._number is None:
                self._number, self._joined = self._join(), True
            index = self._number - playlist.first
            if 0 <= index < len(playlist.segments):
                return self._number, playlist.segments[index]
            if playlist.ended:
                return None
            if index < 0 or index > len(playlist.segments) + 1:  # it went on without us, or began anew
                self._number = None
                continue
            await self._read_again()

    def _join(self) -> int:
        """Where to begin."""
        playlist = self.playlist
        if playlist.ended:
            return playlist.first
        number, left_s = playlist.first + len(playlist.segments), playlist.hold_back_s
        for segment in reversed(playlist.segments):
            if left_s <= 0:
                break
            number -= 1
            left_s -= segment.seconds
        return number

    def _catch_up(self) -> None:
        """Leave out what is too long ago, of what goes on."""
        playlist = self.playlist
        if playlist.ended or self._number is None:
            return
        index = max(self._number - playlist.first, 0)
        behind_s = sum(segment.seconds for segment in playlist.segments[index:])
        behind_s += self._loop.time() - self._read_at
        if behind_s > 2 * playlist.hold_back_s + playlist.target_s:
            self._number, self._stale = None, True
            self._grew_at = self._loop.time()

    async def _read_again(self) -> None:
        await asyncio.sleep(max(self._read_at + self._pause_s - self._loop.time(), _LEAST_RELOAD_S))
        before, settings = self.playlist, self._settings
        self._read_at, self._pause_s = self._loop.time(), before.target_s / 2
        try:
            content, base = await fetched(self._remote, self._url, settings, settings.playlist_bytes)
            playlist = read_playlist(content, base)
        except (HttpFailed, SupplyFailed, BadInput) as failed:
            self._stalled(str(failed))
            return
        if not isinstance(playlist, MediaPlaylist):
            raise SupplyRefused("the playlist has become one of playlists")
        self.playlist, self._stale = playlist, False
        if playlist.ended or _end(playlist) != _end(before):
            self._grew_at = self._read_at
            self._pause_s = playlist.target_s
        else:
            self._stalled("the playlist does not go on")

    def _stalled(self, why: str) -> None:
        if self._loop.time() - self._grew_at > max(3 * self.playlist.target_s, _STALLED_S):
            raise SupplyFailed(why)

    async def _content(self, segment: Segment, begins: bool) -> bytes | None:
        """None: it is not to be had, and what goes on goes on without it."""
        if segment.gap:
            return None
        places = [segment.header, segment.place] if begins and segment.header else [segment.place]
        for place in places:
            self._keys.check(place.key)
        for attempt in range(_TRIES):
            try:
                content = b"".join([await self._bytes_of(place) for place in places if place])
                self._lost = 0
                return content
            except (HttpFailed, SupplyFailed) as failed:
                if attempt == _TRIES - 1:
                    self._lost += 1
                    if self.playlist.ended or self._lost >= _MOST_LOST:
                        raise SupplyFailed(str(failed)) from None
            await asyncio.sleep(_TRY_AGAIN_S)
        return None

    async def _bytes_of(self, place: Place) -> bytes:
        settings = self._settings
        content, _ = await fetched(self._remote, place.url, settings, settings.segment_bytes, place)
        return content if place.key is None else await self._keys.opened(content, place.key)


def _end(playlist: MediaPlaylist) -> int:
    return playlist.first + len(playlist.segments)
