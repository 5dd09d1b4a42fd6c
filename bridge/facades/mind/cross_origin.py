"""Lets web pages of any origin use the Mind API (CORS), errors and all.

The web SDK asks before every call whether `authorization`, `content-type` and `mind-sdk` may be sent; a
browser never takes `*` for the first of them. No cookies are used, so any origin may read the answers.
"""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UUID = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
OURS = re.compile(f"/{_UUID}(/|$)")
"""Everything below an application's id."""

ON_EVERY_ANSWER = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Accept-Ranges, Content-Length, Content-Range, Retry-After"),
)
ON_PREFLIGHT = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, PATCH, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type, mind-sdk, range"),
    (b"access-control-max-age", b"7200"),
)


class CrossOrigin:
    """ASGI middleware: answers preflights, and adds headers to every other answer below an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not OURS.match(scope["path"]):
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": list(ON_PREFLIGHT)})
            await send({"type": "http.response.body"})
        else:

            async def send_with_headers(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", ()), *ON_EVERY_ANSWER]
                await send(message)

            await self._app(scope, receive, send_with_headers)
