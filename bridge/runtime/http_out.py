"""HTTP requests to others, through the egress gate: callbacks, and whatever else is fetched by request.

Connections are kept by the name they were verified for, and every new one goes to an address that the gate
has just checked; so does every hop of a redirect. No proxy, no cookie, no environment variable is looked at.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import httpcore

from bridge.egress.gate import Destination, EgressGate
from bridge.errors import EgressRefused, HttpFailed, NoSuchHost
from bridge.runtime.connect_out import os_failure
from bridge.runtime.headers_out import sendable
from bridge.runtime.tls_out import client_context, tls_failure

SCHEMES = ("http", "https")
MAX_REDIRECTS = 5
MAX_BODY_BYTES = 1 << 20

_MOVED_TO_GET = (301, 302, 303)
_MOVED = (*_MOVED_TO_GET, 307, 308)
_FOR_ANYBODY = ("accept", "content-type", "user-agent")
_SocketOptions = Iterable[
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
]


@dataclass(frozen=True, slots=True)
class Response:
    """What the last hop answered, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names; the last value of each."""
    body: bytes = field(repr=False)


class Incoming:
    """An answer whose body has still to come."""

    def __init__(self, url: str, response: httpcore.Response, timeout_s: float) -> None:
        """`url`: of the last hop; holds its query."""
        self.url = url
        self.status: int = response.status
        self.headers = _named(response)
        self._response = response
        self._timeout_s = timeout_s

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes; once. Raises HttpFailed when it breaks off or stops coming."""
        with _told(self._timeout_s):
            async for piece in self._response.aiter_stream():
                if piece:
                    yield piece

    async def close(self) -> None:
        """Take no more of it."""
        await self._response.aclose()


class HttpOut:
    """One for the process; close it at the end."""

    def __init__(
        self,
        gate: EgressGate,
        *,
        ca_file: Path | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_connections: int = 200,
    ) -> None:
        """Raises OSError when `ca_file` cannot be read or used."""
        self._gate = gate
        self._max_body_bytes = max_body_bytes
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=client_context(ca_file),
            max_connections=max_connections,
            max_keepalive_connections=max_connections // 4,
            keepalive_expiry=5.0,
            network_backend=_GatedBackend(gate),
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        timeout_s: float = 10.0,
    ) -> Response:
        """Send a request and read all of the answer; follows at most 5 redirects.

        After a redirect to another host only the content's type goes along of the headers, and 301 to 303
        ask there with GET. `timeout_s` is for everything. Raises EgressRefused for an address (a redirect's,
        too) that may not be reached, HttpFailed for everything that is no answer, one too large included.
        """
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if not sendable(sent):
            raise HttpFailed("a header of the request cannot be sent")
        sent = {"accept": "*/*", "user-agent": "mediabridge", **sent}
        with _told(timeout_s):
            async with asyncio.timeout(timeout_s):
                return await self._follow(method.upper(), url, sent, content, timeout_s)

    @asynccontextmanager
    async def open(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 10.0
    ) -> AsyncIterator[Incoming]:
        """GET, with redirects as in `request`; the answer's body is taken from what this gives, as it comes.

        `timeout_s` is for everything up to the headers, and for each further piece. Raises EgressRefused and
        HttpFailed, also while the body is read.
        """
        sent = {"accept": "*/*", "user-agent": "mediabridge", **(headers or {})}
        with _told(timeout_s):
            async with asyncio.timeout(timeout_s):
                opened = await self._open(url, sent, timeout_s)
        try:
            yield opened
        finally:
            await opened.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    async def _open(self, url: str, headers: dict[str, str], timeout_s: float) -> Incoming:
        for _ in range(MAX_REDIRECTS + 1):
            hop = self._gate.check(url, SCHEMES)
            response = await self._pool.handle_async_request(_asked("GET", hop, headers, b"", timeout_s))
            incoming = Incoming(url, response, timeout_s)
            location = incoming.headers.get("location")
            if response.status not in _MOVED or location is None:
                return incoming
            await incoming.close()
            url = _joined(url, location)
            if hop.secure and not self._gate.check(url, SCHEMES).secure:
                raise HttpFailed("redirected from https to http")
        raise HttpFailed(f"redirected more than {MAX_REDIRECTS} times")

    async def _follow(
        self, method: str, url: str, headers: dict[str, str], content: bytes, timeout_s: float
    ) -> Response:
        hop = self._gate.check(url, SCHEMES)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(method, hop, headers, content, timeout_s)
            location = response.headers.get("location")
            if response.status not in _MOVED or location is None:
                return response
            url = _joined(url, location)
            next_hop = self._gate.check(url, SCHEMES)
            if hop.secure and not next_hop.secure:
                raise HttpFailed("redirected from https to http")
            if (hop.scheme, hop.host, hop.port) != (next_hop.scheme, next_hop.host, next_hop.port):
                headers = {name: value for name, value in headers.items() if name in _FOR_ANYBODY}
            if response.status in _MOVED_TO_GET and method != "HEAD":
                method, content = "GET", b""
                headers.pop("content-type", None)
            hop = next_hop
        raise HttpFailed(f"redirected more than {MAX_REDIRECTS} times")

    async def _send(
        self, method: str, hop: Destination, headers: Mapping[str, str], content: bytes, timeout_s: float
    ) -> Response:
        request = _asked(method, hop, headers, content, timeout_s)
        response = await self._pool.handle_async_request(request)
        try:
            body = bytearray()
            async for piece in response.aiter_stream():
                body += piece
                if len(body) > self._max_body_bytes:
                    raise HttpFailed(f"the answer is larger than {self._max_body_bytes} bytes")
        finally:
            await response.aclose()
        return Response(response.status, _named(response), bytes(body))


class _GatedBackend(httpcore.AsyncNetworkBackend):
    """Connects to what the gate makes of a host; httpcore then verifies TLS against the host itself."""

    def __init__(self, gate: EgressGate) -> None:
        self._gate = gate
        self._beneath = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._gate.addresses(host)
        failed: httpcore.ConnectError | httpcore.ConnectTimeout
        for address in addresses:
            share = timeout / len(addresses) if timeout is not None else None
            try:
                return await self._beneath.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: _SocketOptions | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise HttpFailed("sockets of this machine are not reached")

    async def sleep(self, seconds: float) -> None:
        await self._beneath.sleep(seconds)


def _asked(
    method: str, hop: Destination, headers: Mapping[str, str], content: bytes, timeout_s: float
) -> httpcore.Request:
    own = {"host": hop.authority, "accept-encoding": "identity"}
    if content or method in ("POST", "PUT", "PATCH"):
        own["content-length"] = str(len(content))
    return httpcore.Request(
        method,
        httpcore.URL(scheme=hop.scheme, host=hop.host, port=hop.port, target=hop.path_and_query),
        headers=list({**own, **headers}.items()),
        content=content,
        extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)},
    )


def _named(response: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}


@contextmanager
def _told(timeout_s: float) -> Iterator[None]:
    """Failures of httpcore, and of time, as ours."""
    try:
        yield
    except (TimeoutError, httpcore.TimeoutException):
        raise HttpFailed(f"no answer within {timeout_s:g} s") from None
    except NoSuchHost as failed:
        raise HttpFailed(str(failed)) from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as failed:
        raise HttpFailed(_reason(failed)) from None


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise EgressRefused("redirected to what is not a URL that can be read") from None


def _reason(failed: Exception) -> str:
    """What went wrong, for users: the system's own reason lies below httpcore's."""
    reason: str | None = None
    cause: BaseException | None = failed
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls_failure(cause)
        if isinstance(cause, OSError) and cause.errno is not None:
            reason = os_failure(cause)
        cause = cause.__cause__ or cause.__context__
    if reason is not None:
        return reason
    if isinstance(failed, httpcore.LocalProtocolError):
        return "the request cannot be sent"
    if isinstance(failed, httpcore.ProtocolError):
        return "the answer is not HTTP, or was not finished"
    return "the connection was closed"
