"""What kind of address something is, and how addresses are written. Pure.

An IPv6 address that stands for an IPv4 one (mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP) is
judged by every IPv4 address that lies in it. Sources: the IANA special-purpose registries (RFC 6890), and
the RFC beside each network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Kind(StrEnum):
    """What an address is for; every one but PUBLIC completes "an address that is …"."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    SHARED = "shared (carrier-grade NAT)"
    UNIQUE_LOCAL = "unique-local"
    METADATA = "a metadata service"
    LINK_LOCAL = "link-local"
    SITE_LOCAL = "site-local"
    UNSPECIFIED = "unspecified"
    MULTICAST = "multicast"
    BROADCAST = "broadcast"
    DOCUMENTATION = "for documentation"
    BENCHMARKING = "for benchmarking"
    RESERVED = "reserved"


OWN = frozenset({Kind.LOOPBACK, Kind.PRIVATE, Kind.SHARED, Kind.UNIQUE_LOCAL})
"""Kinds of address that an operator's own services have; everything else but PUBLIC is never reached."""

_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")

# The first network that holds an address decides.
_IPV4 = [
    (ip_network(network), kind)
    for network, kind in (
        ("168.63.129.16", Kind.METADATA),  # Azure's, in public space
        ("100.100.100.200", Kind.METADATA),  # Alibaba's, in shared space
        ("192.0.0.192", Kind.METADATA),  # Oracle's
        ("0.0.0.0/8", Kind.UNSPECIFIED),  # Linux connects to itself
        ("10.0.0.0/8", Kind.PRIVATE),
        ("172.16.0.0/12", Kind.PRIVATE),
        ("192.168.0.0/16", Kind.PRIVATE),
        ("100.64.0.0/10", Kind.SHARED),
        ("127.0.0.0/8", Kind.LOOPBACK),
        ("169.254.0.0/16", Kind.LINK_LOCAL),
        ("192.0.0.0/24", Kind.RESERVED),
        ("192.0.2.0/24", Kind.DOCUMENTATION),
        ("198.51.100.0/24", Kind.DOCUMENTATION),
        ("203.0.113.0/24", Kind.DOCUMENTATION),
        ("198.18.0.0/15", Kind.BENCHMARKING),
        ("192.88.99.0/24", Kind.RESERVED),  # 6to4 relays, RFC 7526
        ("224.0.0.0/4", Kind.MULTICAST),
        ("255.255.255.255", Kind.BROADCAST),
        ("240.0.0.0/4", Kind.RESERVED),
        ("0.0.0.0/0", Kind.PUBLIC),
    )
]
_IPV6 = [
    (ip_network(network), kind)
    for network, kind in (
        ("fd00:ec2::/32", Kind.METADATA),  # Amazon's
        ("fd20:ce::/32", Kind.METADATA),  # Google's
        ("::", Kind.UNSPECIFIED),
        ("::1", Kind.LOOPBACK),
        ("::/96", Kind.PUBLIC),  # compatible, judged by the IPv4 address (RFC 4291 §2.5.5.1)
        ("::ffff:0:0/96", Kind.PUBLIC),  # mapped, likewise (RFC 4291 §2.5.5.2)
        ("::ffff:0:0:0/96", Kind.PUBLIC),  # translated, likewise (RFC 2765 §2.1)
        ("64:ff9b::/96", Kind.PUBLIC),  # NAT64, likewise (RFC 6052 §2.1)
        ("64:ff9b:1::/48", Kind.PRIVATE),  # NAT64 of a network's own (RFC 8215)
        ("fc00::/7", Kind.UNIQUE_LOCAL),
        ("fe80::/10", Kind.LINK_LOCAL),
        ("fec0::/10", Kind.SITE_LOCAL),
        ("ff00::/8", Kind.MULTICAST),
        ("2001::/32", Kind.PUBLIC),  # Teredo, judged by its IPv4 addresses (RFC 4380 §4)
        ("2001:2::/48", Kind.BENCHMARKING),
        ("2001:db8::/32", Kind.DOCUMENTATION),
        ("3fff::/20", Kind.DOCUMENTATION),
        ("2001::/23", Kind.RESERVED),
        ("2000::/3", Kind.PUBLIC),
        ("::/0", Kind.RESERVED),
    )
]  # fmt: skip

_LAST_32_BITS = (
    IPv6Network("::/96"),
    IPv6Network("::ffff:0:0/96"),
    IPv6Network("::ffff:0:0:0/96"),
    IPv6Network("64:ff9b::/96"),
)
_OWN_NAT64 = IPv6Network("64:ff9b:1::/48")
_6TO4 = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def kind_of(address: Address) -> Kind:
    """The worst that can be said of it: never reached before the operator's own before public."""
    kinds = {_listed(address)}
    if isinstance(address, IPv6Address) and int(address) > 1:
        kinds |= {_listed(inner) for inner in _embedded(address)}
    if bad := kinds - OWN - {Kind.PUBLIC}:
        return min(bad)
    return min(kinds & OWN, default=Kind.PUBLIC)


def _listed(address: Address) -> Kind:
    for network, kind in _IPV4 if address.version == 4 else _IPV6:
        if address in network:
            return kind
    raise AssertionError("the last network holds every address")


def _embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    bits = int(address)
    if any(address in network for network in _LAST_32_BITS):
        yield _ipv4(bits)
    if address in _OWN_NAT64:
        # RFC 6052 §2.2: under a prefix of 48, 56 or 64 bits the address lies around the octet of bits 64–71,
        # under one of 96 at the end. How long it is cannot be seen: every reading counts that leads anywhere.
        joined = bits >> 64 << 56 | bits & (1 << 56) - 1
        for reading in (joined >> 40, joined >> 32, joined >> 24, bits):
            inner = _ipv4(reading)
            if inner.packed[0]:
                yield inner
    if address in _6TO4:  # RFC 3056 §2
        yield _ipv4(bits >> 80)
    if address in _TEREDO:  # RFC 4380 §4: the server, and the client with every bit turned
        yield _ipv4(bits >> 64)
        yield _ipv4(~bits)
    if bits >> 32 & 0xFFFF_FFFF in _ISATAP:  # RFC 5214 §6.1
        yield _ipv4(bits)


def _ipv4(bits: int) -> IPv4Address:
    """Of the last 32 bits."""
    return IPv4Address(bits & 0xFFFF_FFFF)


# --- how addresses are written ---


def address_of(host: str) -> Address | None:
    """The address that a URL's host (lower case, ASCII, without brackets) is; None for a name.

    IPv4 in one to four parts, each decimal, octal or hexadecimal: whatever C libraries and browsers read
    (WHATWG URL §3.5, "ends in a number"). Raises ValueError for what is like an address and none; an IPv6
    zone is refused so too, since it means something on one machine only.
    """
    if ":" in host:
        if "%" in host:
            raise ValueError("an address with a zone")
        return IPv6Address(host)
    parts = host.split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError("not an IPv4 address")
    *first, last = (_number(part) for part in parts)
    if any(part > 255 for part in first) or last >= 256 ** (4 - len(first)):
        raise ValueError("not an IPv4 address")
    return IPv4Address(sum(part << 24 - 8 * place for place, part in enumerate(first)) + last)


def answer_of(written: str) -> Address:
    """An address as a resolver gives it; raises ValueError."""
    return ip_address(written.partition("%")[0])


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    if len(part) > 12:  # no address is that large, and long numbers are costly to read
        raise ValueError("not an IPv4 address")
    return int(part, 8 if part.startswith("0") else 10)
