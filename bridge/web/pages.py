"""The pages and what belongs to them: files from `assets/`, the operator's calls, the live socket.

GET /            what this is, with links
GET /join        the join page; its link is /join#/{application}/{conference}/{token}
GET /join/ice    which STUN and TURN servers that page may use
GET /operator    the operator's page
GET /web/…       styles, scripts, pictures

Tokens come in the fragment or are typed in, so that no page request and no log line ever holds one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from bridge.sockets import Accept, Refuse, UpgradeRequest
from bridge.web.ice import IceServer, IceServers
from bridge.web.live import Live
from bridge.web.operator import OperatorApi
from bridge.web.ports import FiguresNow, Outputs, People, Rooms, Streams, Tokens

ASSETS = Path(__file__).parent / "assets"

_POLICY = (
    "default-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
CONTENT_SECURITY_POLICY = "; ".join(_POLICY)
# Its players are fed by scripts: with files that were fetched with the token, and with segments.
_MORE_POLICY = {"operator.html": ("img-src 'self' blob:", "media-src 'self' blob:")}

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}

_PAGES = {"/": "index.html", "/join": "join.html", "/operator": "operator.html", "/favicon.ico": "icon.svg"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is sent."""

    content: bytes
    content_type: str
    etag: str


def read_assets(folder: Path = ASSETS) -> dict[str, Asset]:
    """All files of known types below `folder`, by relative path with slashes."""
    assets: dict[str, Asset] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _TYPES:
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            assets[path.relative_to(folder).as_posix()] = Asset(content, _TYPES[path.suffix], etag)
    return assets


class WebPages:
    """Everything the browser's side needs; `router` for HTTP, `door` for WebSockets."""

    def __init__(
        self,
        directory: People,
        switchboard: Rooms,
        applications: Tokens,
        figures: FiguresNow,
        ice_servers: Sequence[IceServer] = (),
        *,
        streams: Streams,
        outputs: Outputs,
    ) -> None:
        self.live = Live(directory, switchboard, applications, streams, outputs)
        self._operator = OperatorApi(directory, switchboard, applications, figures, streams, outputs)
        self._ice = IceServers(directory, applications, ice_servers)
        self._assets = read_assets()

    def router(self) -> APIRouter:
        """All routes, to be included at the root before any that begin with a parameter."""
        router = APIRouter()
        for path in _PAGES:
            router.add_api_route(path, self._page, methods=["GET", "HEAD"], include_in_schema=False)
        router.add_api_route(
            "/web/{path:path}", self._asset, methods=["GET", "HEAD"], include_in_schema=False
        )
        router.include_router(self._operator.router())
        router.include_router(self._ice.router())
        return router

    async def door(self, request: UpgradeRequest) -> Accept | Refuse | None:
        """Live levels; None for paths that are not ours."""
        return await self.live.door(request)

    async def _page(self, request: Request) -> Response:
        return self._give(request, _PAGES[request.url.path])

    async def _asset(self, request: Request) -> Response:
        return self._give(request, request.path_params["path"])

    def _give(self, request: Request, name: str) -> Response:
        asset = self._assets.get(name)
        if asset is None:
            return Response("not found", 404, HEADERS, "text/plain; charset=utf-8")
        policy = "; ".join((*_POLICY, *_MORE_POLICY.get(name, ())))
        headers = {**HEADERS, "Content-Security-Policy": policy, "ETag": asset.etag}
        known = request.headers.get("if-none-match", "")
        if asset.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(None, 304, headers)
        return Response(asset.content, 200, headers, asset.content_type)
