"""The one gate for whatever the bridge reaches out to because somebody asked it to.

Streams, callbacks and everything else with an address from outside go through it, and connect to the
addresses it gives and to no others: a name is looked up once, here, so that it cannot mean one thing when
it is checked and another when it is dialled. Redirects come through the gate anew.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from string import punctuation
from urllib.parse import SplitResult, quote, urlsplit

import idna

from bridge.egress.addresses import OWN, Address, Kind, address_of, answer_of, kind_of
from bridge.egress.hosts import HostRules
from bridge.errors import EgressRefused, NoSuchHost

LookUp = Callable[[str], Awaitable[Sequence[str]]]
"""All addresses of a name, the best first; raises OSError when there are none."""

MAX_URL_CHARACTERS = 4096
MAX_ADDRESSES = 64

ALLOW_PRIVATE = "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE=true"
REQUIRE_TLS = "MEDIABRIDGE_EGRESS_REQUIRE_TLS"
ALLOWED_HOSTS = "MEDIABRIDGE_EGRESS_ALLOWED_HOSTS"
DENIED_HOSTS = "MEDIABRIDGE_EGRESS_DENIED_HOSTS"

_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443, "rtmp": 1935, "rtmps": 443}
_SECURE = ("wss", "https", "rtmps")
_METADATA_NAMES = (
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# urlsplit takes tabs and line ends out without a word, and browsers read a backslash as a slash.
_BROKEN = re.compile(r"[\x00-\x20\x7f-\x9f\\\u2028\u2029\ud800-\udfff]")
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f]*:[^\[\]]*\]|[^\[\]:]+)(:[0-9]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EgressSettings:
    """What may be reached. Patterns: a name, `*.` and a domain, an address, or a network."""

    allow_private: bool = False
    """Private, loopback, shared and unique-local addresses too; never link-local ones and their like."""
    require_tls: bool = False
    allowed_hosts: tuple[str, ...] = ()
    """If there are any: only these."""
    denied_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL taken apart, and where to connect."""

    scheme: str
    host: str
    """Lower case and ASCII: a name without its last dot, or an address without brackets."""
    port: int
    path_and_query: str = field(repr=False)
    """As it goes over the wire; may hold tokens, so it is never printed."""
    addresses: tuple[str, ...] = ()
    """Checked; to be tried in this order. Empty for a name that has not been looked up."""

    @property
    def secure(self) -> bool:
        """TLS, to be verified against `host`."""
        return self.scheme in _SECURE

    @property
    def authority(self) -> str:
        """The `Host` header: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class EgressGate:
    """Judges URLs. The texts of its refusals hold neither query nor credentials."""

    def __init__(self, settings: EgressSettings, look_up: LookUp) -> None:
        """Raises ValueError for a pattern that is none."""
        self._settings = settings
        self._allowed = HostRules(settings.allowed_hosts)
        self._denied = HostRules(settings.denied_hosts)
        self._look_up = look_up

    def check(self, url: str, schemes: Collection[str]) -> Destination:
        """What can be judged without looking the name up: for an answer at once.

        `schemes` are among `ws`, `wss`, `http`, `https`, `rtmp`, `rtmps`. Raises EgressRefused.
        """
        destination = _take_apart(url, schemes)
        if self._settings.require_tls and not destination.secure:
            raise EgressRefused(f"only {', '.join(_SECURE)} are reached: {REQUIRE_TLS} is set")
        addresses = self._literal(destination.host)
        return replace(destination, host=addresses[0], addresses=addresses) if addresses else destination

    async def resolve(self, url: str, schemes: Collection[str]) -> Destination:
        """`check`, and the addresses to connect to: looked up once, and all of them judged.

        Raises EgressRefused, and NoSuchHost when the name has no address.
        """
        destination = self.check(url, schemes)
        return replace(destination, addresses=await self.addresses(destination.host))

    async def addresses(self, host: str) -> tuple[str, ...]:
        """The second half of `resolve`, for a host that `check` gave: for those who keep connections.

        Raises EgressRefused and NoSuchHost.
        """
        if literal := self._literal(host):
            return literal
        try:
            answers = await self._look_up(host)
            addresses = list(dict.fromkeys(answer_of(answer) for answer in answers))
        except (OSError, ValueError):
            addresses = []
        if not addresses:
            raise NoSuchHost("no such host")
        if len(addresses) > MAX_ADDRESSES:
            raise EgressRefused(f"{host} has more than {MAX_ADDRESSES} addresses")
        self._judge(host, addresses, literal=False)
        return tuple(str(address) for address in addresses)

    def _literal(self, host: str) -> tuple[str, ...]:
        """The address that `host` is, judged; nothing for a name, of which only the name is judged."""
        try:
            address = address_of(host)
        except ValueError as wrong:
            raise EgressRefused(f"the host of the URL is {wrong}") from None
        if address is not None:
            self._judge(host, [address], literal=True)
            return (str(address),)
        _check_name(host)
        self._judge_name(host)
        return ()

    def _judge_name(self, host: str) -> None:
        if self._denied.has_name(host):
            raise EgressRefused(f"{host} is refused by {DENIED_HOSTS}")
        if self._allowed and not self._allowed.has_name(host) and not self._allowed.networks:
            raise EgressRefused(f"{host} is not among {ALLOWED_HOSTS}")
        if host in _METADATA_NAMES:
            raise EgressRefused(f"{host} is a metadata service, which is never reached")
        if (host == "localhost" or host.endswith(".localhost")) and not self._settings.allow_private:
            raise EgressRefused(f"{host} is this machine itself; {ALLOW_PRIVATE} allows it")

    def _judge(self, host: str, addresses: Sequence[Address], *, literal: bool) -> None:
        """One bad answer spoils a name: who controls it may serve the good one first.

        What a name's addresses are is not told, so that nobody can read the inner network's names off it.
        """
        subject = host if literal else f"an address of {host}"
        for address in addresses:
            kind = kind_of(address)
            if kind is Kind.PUBLIC or (kind in OWN and self._settings.allow_private):
                continue
            if kind in OWN:
                raise EgressRefused(f"{subject} is {kind}; {ALLOW_PRIVATE} allows it")
            raise EgressRefused(f"{subject} is {kind}, which is never reached")
        if self._denied.has_any(addresses):
            raise EgressRefused(f"{subject} is refused by {DENIED_HOSTS}")
        named = not literal and self._allowed.has_name(host)
        if self._allowed and not named and not self._allowed.has_all(addresses):
            raise EgressRefused(f"{host} is not among {ALLOWED_HOSTS}")


def _take_apart(url: str, schemes: Collection[str]) -> Destination:
    if len(url) > MAX_URL_CHARACTERS:
        raise EgressRefused(f"the URL is longer than {MAX_URL_CHARACTERS} characters")
    if _BROKEN.search(url):
        raise EgressRefused("the URL has a space, a backslash or a control character in it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressRefused("this is not a URL that can be read") from None
    if parts.scheme not in schemes or not url[len(parts.scheme) :].startswith("://"):
        raise EgressRefused(
            f"the URL must begin with {' or '.join(f'{name}://' for name in sorted(schemes))}"
        )
    if "@" in parts.netloc:
        raise EgressRefused("the URL has credentials in it, which are not sent")
    if not _HOST_AND_PORT.fullmatch(parts.netloc):
        raise EgressRefused("the URL has no host that can be read")
    port = _PORTS[parts.scheme] if port is None else port
    if not port:
        raise EgressRefused("nothing listens on port 0")
    return Destination(parts.scheme, _host(parts), port, _target(parts))


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if not host.isascii():
        try:
            # UTS 46 maps full-width digits and dots too; what it gives is what is judged and dialled.
            host = idna.encode(host, uts46=True, std3_rules=True).decode()
        except (idna.IDNAError, UnicodeError):
            raise EgressRefused("the host of the URL is not an internationalised name") from None
    host = host.removesuffix(".") if ":" not in host else host
    return host


def _check_name(host: str) -> None:
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise EgressRefused("the host of the URL is not a host name")


def _target(parts: SplitResult) -> str:
    """As it was written; only what is not ASCII is percent-encoded (RFC 3987 §3.1)."""
    written = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return quote(written, safe=punctuation)
