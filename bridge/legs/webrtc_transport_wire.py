"""The transport of an SDP offer: ICE and DTLS (RFC 8839, 8842), shared by all its sections. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.errors import BadOffer

FINGERPRINTS = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Algorithms we can check, and the bytes each has."""

_ICE_TEXT = re.compile(r"[A-Za-z0-9+/]{4,256}\Z")
_CANDIDATE = re.compile(
    r"(?P<foundation>\S{1,64}) (?P<component>\d{1,3}) (?P<protocol>\S+) (?P<priority>\d{1,10})"
    r" (?P<address>\S+) (?P<port>\d{1,5}) typ (?P<type>\S+)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """An address at which a peer may be reached (RFC 8839 §5.1)."""

    foundation: str
    component: int
    protocol: str
    priority: int
    address: str
    port: int
    type: str = "host"
    related_address: str | None = None
    related_port: int | None = None


@dataclass(frozen=True, slots=True)
class PeerTransport:
    """Where and as whom the peer will be met: the one transport all sections share (RFC 8843)."""

    ufrag: str
    password: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    """Algorithm and value, both as written."""
    setup: str
    """`actpass`, `active` or `passive` (RFC 8842)."""
    candidates: tuple[IceCandidate, ...]
    ice_lite: bool = False


class Attributes:
    """The `a=` lines of a session or section."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._values: dict[str, list[str]] = {}
        for line in lines:
            if line.startswith("a="):
                name, _, value = line[2:].partition(":")
                self._values.setdefault(name, []).append(value.strip())

    def has(self, name: str) -> bool:
        """Whether there is such a line."""
        return name in self._values

    def all(self, name: str) -> list[str]:
        """The values of all such lines."""
        return self._values.get(name, [])

    def first(self, name: str) -> str | None:
        """The value of the first such line."""
        values = self._values.get(name)
        return values[0] if values else None


def read_transport(head: Attributes, order: Sequence[Attributes]) -> PeerTransport:
    """What the session and its sections, the one that speaks for all first, say. Raises BadOffer."""

    def find(name: str) -> str | None:
        values = (source.first(name) for source in [*order, head])
        return next((value for value in values if value is not None), None)

    ufrag, password = find("ice-ufrag"), find("ice-pwd")
    if not ufrag or not password:
        raise BadOffer("the offer has no ice-ufrag or no ice-pwd")
    if not _ICE_TEXT.match(ufrag) or not _ICE_TEXT.match(password) or len(password) < 22:
        raise BadOffer("the offer's ice-ufrag or ice-pwd is malformed")
    fingerprints = next(
        (source.all("fingerprint") for source in [*order, head] if source.has("fingerprint")), []
    )
    known = tuple(parsed for parsed in map(_fingerprint, fingerprints) if parsed is not None)
    if not known:
        raise BadOffer("the offer has no certificate fingerprint of sha-256, sha-384 or sha-512")
    setup = find("setup") or "actpass"
    if setup not in ("actpass", "active", "passive"):
        raise BadOffer("the offer's setup must be actpass, active or passive")
    candidates = (_candidate(value) for source in order[:1] for value in source.all("candidate"))
    return PeerTransport(
        ufrag=ufrag,
        password=password,
        fingerprints=known,
        setup=setup,
        candidates=tuple(candidate for candidate in candidates if candidate is not None),
        ice_lite=head.has("ice-lite"),
    )


def _fingerprint(value: str) -> tuple[str, str] | None:
    algorithm, _, digest = value.partition(" ")
    digest = digest.strip()
    length = FINGERPRINTS.get(algorithm.lower())
    if length is None or not re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*", digest):
        return None
    return (algorithm.lower(), digest.upper()) if len(digest) == 3 * length - 1 else None


def _candidate(value: str) -> IceCandidate | None:
    """A UDP candidate with an address; None for others.

    A name in `.local` hides an address behind multicast DNS: such a peer is found by its own checks instead.
    """
    found = _CANDIDATE.match(value)
    if found is None or found["protocol"].lower() != "udp" or found["component"] != "1":
        return None
    if found["address"].lower().endswith(".local") or not 0 < int(found["port"]) < 65536:
        return None
    if found["type"] not in ("host", "srflx", "relay"):
        return None
    return IceCandidate(
        foundation=found["foundation"],
        component=1,
        protocol="udp",
        priority=min(int(found["priority"]), 0x7FFFFFFF),
        address=found["address"],
        port=int(found["port"]),
        type=found["type"],
    )
