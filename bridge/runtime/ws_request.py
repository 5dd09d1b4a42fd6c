"""An upgrade request as the doors see it: decoded, and with trusted proxies looked through."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import parse_qsl, unquote

from websockets.http11 import Request

from bridge.sockets import UpgradeRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_QUERY_FIELDS = 100


def read_request(
    request: Request, peer: str, secure: bool, trusted_proxies: Sequence[Network]
) -> UpgradeRequest:
    """What `request`, come from the address `peer`, asks for; raises ValueError when its query is too long.

    `X-Forwarded-For` and `X-Forwarded-Proto` are believed only as far as trusted proxies wrote them: the
    client is the last address in the chain that is not a trusted proxy's own.
    """
    raw_path, _, query = request.path.partition("?")
    headers: dict[str, str] = {}
    for name, value in request.headers.raw_items():
        lower = name.lower()
        # RFC 9110 §5.3: repeated fields are one list.
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
    scheme = "wss" if secure else "ws"
    if _trusted(peer, trusted_proxies):
        peer = _client(peer, headers.get("x-forwarded-for", ""), trusted_proxies)
        # The last word is the nearest proxy's; those before it may be the client's invention.
        proto = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
        scheme = {"https": "wss", "wss": "wss", "http": "ws", "ws": "ws"}.get(proto, scheme)
    return UpgradeRequest(
        path=unquote(raw_path, errors="replace"),
        query=dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)),
        raw_target=request.path,
        headers=headers,
        peer=peer,
        scheme=scheme,
    )


def _client(nearest: str, forwarded_for: str, trusted_proxies: Sequence[Network]) -> str:
    client = nearest
    for hop in reversed(forwarded_for.split(",")):
        address = _address(hop)
        if address is None:
            break
        client = str(address)
        if not _trusted(client, trusted_proxies):
            break
    return client


def _trusted(peer: str, trusted_proxies: Sequence[Network]) -> bool:
    address = _address(peer)
    return address is not None and any(
        address.version == network.version and address in network for network in trusted_proxies
    )


def _address(written: str) -> Address | None:
    """An address as proxies write it: bare, `[v6]`, `[v6]:port` or `v4:port`."""
    written = written.strip().strip('"')
    if written.startswith("["):
        written = written[1:].partition("]")[0]
    elif written.count(":") == 1:
        written = written.partition(":")[0]
    try:
        address = ipaddress.ip_address(written.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else address
