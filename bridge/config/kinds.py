"""What single settings may be: addresses, tokens, ICE servers, port ranges."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from bridge.config.settings import Kind, path, several, text
from bridge.egress.hosts import host_pattern
from bridge.secret import Secret

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HASH = re.compile(r"sha256:[0-9a-f]{64}\Z")
_ICE_URL = re.compile(r"(stuns?|turns?):[^\s?]+(\?transport=(udp|tcp))?\Z")


@dataclass(frozen=True, slots=True)
class PortRange:
    """UDP ports from `low` to `high`, both included."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server that clients and the bridge may use."""

    urls: tuple[str, ...]
    username: str = ""
    credential: Secret = Secret("")


def _uuid(written: str) -> str:
    if str(UUID(written)) != written:  # clients compare ids as text, in lower case
        raise ValueError("write it in lower case, with hyphens")
    return written


def _host(written: str) -> str:
    if not written or not re.fullmatch(r"[\w.:%-]+", written):
        raise ValueError
    return written


def _name(written: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", written):
        raise ValueError
    return written


def _tag(written: str) -> tuple[str, str]:
    name, sign, value = written.partition("=")
    if not name or not sign:
        raise ValueError
    return name, value


def _base_url(written: str) -> str:
    parts = urlsplit(written)
    rest = parts.path.rstrip("/") + parts.query + parts.fragment
    if parts.scheme not in ("http", "https") or not parts.hostname or rest or parts.username:
        raise ValueError
    _ = parts.port  # raises ValueError when it is not one
    return written.rstrip("/")


def _port_range(written: str) -> PortRange:
    low, dash, high = written.partition("-")
    if not dash or not (low.strip().isdecimal() and high.strip().isdecimal()):
        raise ValueError
    ports = PortRange(int(low), int(high))
    if not 1024 <= ports.low <= ports.high <= 65535:
        raise ValueError
    return ports


def _address(written: str) -> str:
    return str(ipaddress.ip_address(written))


def _token(written: str) -> Secret:
    if not written or not written.isprintable() or " " in written:
        raise ValueError
    if written.startswith("sha256:") and not _HASH.match(written):
        raise ValueError
    return Secret(written)


def _host_pattern(written: str) -> str:
    host_pattern(written)
    return written


def _ice_url(written: str) -> str:
    if not _ICE_URL.match(written):
        raise ValueError
    return written


_ICE_URLS = several(text("a stun: or turn: address", _ice_url), "a list of stun: or turn: addresses", low=1)


def _ice_server(value: object) -> IceServer:
    if isinstance(value, str):
        value = {"urls": [value]}
    if not isinstance(value, dict) or not set(value) <= {"urls", "username", "credential"}:
        raise ValueError
    urls = value.get("urls")
    server = IceServer(
        _ICE_URLS.check([urls] if isinstance(urls, str) else urls),
        str(value.get("username", "")),
        Secret(str(value.get("credential", ""))),
    )
    turn = any(url.startswith("turn") for url in server.urls)
    if turn and not (server.username and server.credential.reveal()):
        raise ValueError
    return server


ICE_SERVERS = several(
    Kind("an ICE server", _ice_server, hidden=True),
    "a list of stun: addresses and of tables {urls, username, credential} (a turn: address needs both)",
)
APPLICATION_ID = text("a UUID in lower case", _uuid)
NETWORKS = several(
    text("a network", lambda written: ipaddress.ip_network(written)),
    'a list of addresses and networks such as "10.0.0.0/8"',
)
HOST_PATTERNS = several(
    text("a host name, *.domain, address or network", _host_pattern),
    'a list of host names, "*.domain", addresses and networks',
)
HOST = text("a host name or address", _host)
PATHS = several(path(), "a list of paths")
NAME = text("a name of letters, digits, - and _", _name)
BASE_URL = text("http(s)://host[:port] without a path", _base_url)
TAGS = several(
    text("a tag as name=value", _tag), 'a list of tags such as "team=calls", ten at the most', high=10
)
PORT_RANGE = text('"low-high" with ports from 1024 to 65535', _port_range)
ADDRESSES = several(text("an IP address", _address), "a list of IP addresses")
TOKEN = text("a text without spaces", _token, hidden=True)
TOKENS = several(TOKEN, 'one or two tokens, plain or "sha256:" and 64 hex digits', low=1, high=2)
