"""A recording's HLS playlist for players that know its address only, with the token in it.

What a playlist names is asked for without the query of the playlist's own address (RFC 3986 §5.2.2), so the
token has to stand behind every name.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
_URI = re.compile(r'\bURI="([^"]*)"')


def carries_token(request: Request, media_type: str) -> bool:
    """Whether it is a playlist that was asked for by an address with a token."""
    return media_type == PLAYLIST_TYPE and bool(request.query_params.get("access_token"))


def playlist_answer(request: Request, playlist: bytes) -> Response:
    """The playlist, with the request's token behind every URI. Never a part of it, and never kept."""
    behind = "?access_token=" + quote(request.query_params["access_token"], safe="")
    content = _with_query(playlist.decode(), behind).encode()
    headers = {"Cache-Control": "no-store", "Content-Length": str(len(content))}
    body = b"" if request.method == "HEAD" else content
    return Response(body, headers=headers, media_type=PLAYLIST_TYPE)


def _with_query(playlist: str, behind: str) -> str:
    lines = []
    for line in playlist.split("\n"):
        if line.startswith("#"):
            lines.append(_URI.sub(lambda found: f'URI="{found[1]}{behind}"', line))
        else:
            lines.append(line + behind if line.strip() else line)
    return "\n".join(lines)
