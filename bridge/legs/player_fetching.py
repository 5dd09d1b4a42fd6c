"""Gets what HLS consists of, whole or in part, from others' servers."""

from __future__ import annotations

import asyncio

from bridge.legs.hls_media_wire import Place
from bridge.legs.player_settings import PlayerSettings
from bridge.legs.player_supply import Remote, SupplyFailed

_PARTIAL = 206


async def fetched(
    remote: Remote, url: str, settings: PlayerSettings, most_bytes: int, place: Place | None = None
) -> tuple[bytes, str]:
    """A resource, or the bytes of it that `place` says; and its address after all redirects.

    Raises EgressRefused, HttpFailed, SupplyFailed.
    """
    headers, start, count = {}, 0, None
    if place is not None and place.count is not None:
        start, count = place.start, place.count
        if count > most_bytes:
            raise SupplyFailed(f"a segment is larger than {most_bytes} bytes")
        headers["range"] = f"bytes={start}-{start + count - 1}"
    try:
        async with asyncio.timeout(settings.fetch_s), remote.get(url, headers) as incoming:
            if incoming.status not in (200, _PARTIAL):
                raise SupplyFailed(f"the server answered {incoming.status}")
            if incoming.status == _PARTIAL:
                start = 0  # it gives nothing but what was asked for
            content = bytearray()
            async for piece in incoming.pieces():
                content += piece
                if count is not None and len(content) >= start + count:
                    break
                if len(content) > most_bytes:
                    raise SupplyFailed(f"more than {most_bytes} bytes came at once")
            whole = bytes(content[start : None if count is None else start + count])
            if count is not None and len(whole) < count:
                raise SupplyFailed("a part of a segment is not all there")
            return whole, incoming.url
    except TimeoutError:
        raise SupplyFailed(f"no answer within {settings.fetch_s:g} s") from None
