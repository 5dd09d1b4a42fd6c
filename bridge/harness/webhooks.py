"""The vendor's requests to a bot's web server: signed, in time, and no larger than they may be."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from types import TracebackType
from urllib.parse import urlencode

import httpx

from bridge.errors import BridgeError
from bridge.harness.account import Account
from bridge.harness.addresses import without_query
from bridge.legs.plivo_answer_wire import MAX_BYTES, is_address
from bridge.legs.plivo_signature_wire import FORM, as_asked, with_query

TIMEOUT_S = 15.0
"""The vendor waits no longer for an answer."""
MAX_CONNECTIONS = 1_000
REST_HEADER = "X-Mediabridge-Rest-Url"
"""Ours: where the bot reaches the desk."""

# It tells of every request with the query in it, where secrets may be.
logging.getLogger("httpx").setLevel(logging.WARNING)


class WebhookFailed(BridgeError):
    """A request did not come back with what it should; the text holds no query."""


class Webhooks:
    """`async with Webhooks(account) as webhooks`."""

    def __init__(self, account: Account, rest_url: str = "", timeout_s: float = TIMEOUT_S) -> None:
        """`rest_url`: of the desk, told in a header of every request."""
        self._account = account
        self._timeout_s = timeout_s
        # Compressed, a few bytes could become any number of them.
        self._headers = {"User-Agent": "mediabridge-test", "Accept-Encoding": "identity"}
        if rest_url:
            self._headers[REST_HEADER] = rest_url
        self._http: httpx.AsyncClient

    async def __aenter__(self) -> Webhooks:
        # Servers close idle connections after 2 s or more: one that is about to be closed is not used again.
        limits = httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=1.0)
        # Whom WebSockets trust: the system's authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR.
        trusted = ssl.create_default_context()
        self._http = httpx.AsyncClient(
            verify=trusted, timeout=None, limits=limits, trust_env=False, follow_redirects=False
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def marked(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Of a WebSocket's handshake: `headers`, and where the desk is."""
        rest_url = self._headers.get(REST_HEADER)
        return dict(headers) | ({REST_HEADER: rest_url} if rest_url else {})

    async def ask(self, method: str, url: str, fields: Mapping[str, str]) -> bytes:
        """What `url` answers: at most one byte more than an answer may have. Raises WebhookFailed."""
        if not is_address(url, ("http", "https")):
            raise WebhookFailed("the address does not begin with https:// or http://, or names no host")
        shown = without_query(url)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._ask(method, url, fields)
        except TimeoutError:
            raise WebhookFailed(f"{shown} did not answer within {self._timeout_s:g} s") from None
        except httpx.HTTPStatusError as refused:
            raise WebhookFailed(f"{shown} answered {refused.response.status_code}") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as wrong:
            raise WebhookFailed(f"{shown} cannot be reached: {_reason(wrong)}") from None

    async def _ask(self, method: str, url: str, fields: Mapping[str, str]) -> bytes:
        posted = dict(fields) if method == "POST" else {}
        asked = str(httpx.URL(as_asked(url if posted else with_query(url, fields))))
        headers = self._headers | self._account.signed(method, asked, posted)
        content = urlencode(posted).encode()
        if posted:
            headers["Content-Type"] = FORM
        body = bytearray()
        async with self._http.stream(method, asked, content=content, headers=headers) as response:
            if not response.is_success:  # a redirection is no answer to the vendor either
                raise httpx.HTTPStatusError("", request=response.request, response=response)
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MAX_BYTES:
                    break
        return bytes(body[: MAX_BYTES + 1])


def _reason(wrong: Exception) -> str:
    """In words; never the address, which some of the library's texts repeat."""
    match wrong:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            cause: BaseException | None = wrong
            while cause is not None and not isinstance(cause, OSError):
                cause = cause.__cause__ or cause.__context__
            text = cause.strerror if isinstance(cause, OSError) else ""
            return text or "no connection"
        case httpx.RemoteProtocolError():
            return "what came back is not HTTP"
        case httpx.ReadError() | httpx.WriteError():
            return "the connection was lost"
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | UnicodeError():
            return "it is no address"
        case _:
            return type(wrong).__name__
