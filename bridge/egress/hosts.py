"""Patterns of hosts, as the settings name them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv6Address, ip_network

from bridge.egress.addresses import Address, Network

_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class HostRules:
    """A set of patterns: names, `*.` and a domain (all below it, not itself), addresses, networks."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises ValueError for a pattern that is none of these."""
        self._names: set[str] = set()
        self._domains: list[str] = []
        self.networks: list[Network] = []
        for pattern in patterns:
            written = host_pattern(pattern)
            if isinstance(written, str):
                if written.startswith("*."):
                    self._domains.append(written[1:])
                else:
                    self._names.add(written)
            else:
                self.networks.append(written)

    def __bool__(self) -> bool:
        return bool(self._names or self._domains or self.networks)

    def has_name(self, host: str) -> bool:
        """Whether a pattern of names fits."""
        return host in self._names or any(host.endswith(domain) for domain in self._domains)

    def has_any(self, addresses: Sequence[Address]) -> bool:
        """Whether one of the addresses lies in a network."""
        return any(self._has(address) for address in addresses)

    def has_all(self, addresses: Sequence[Address]) -> bool:
        """Whether all of them do."""
        return all(self._has(address) for address in addresses)

    def _has(self, address: Address) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network or address in network for network in self.networks)


def host_pattern(written: str) -> str | Network:
    """A network (an address is one, too), or a pattern of names in lower case; raises ValueError."""
    try:
        return ip_network(written.strip("[]"))
    except ValueError:
        pass
    name = written.lower().removesuffix(".")
    if not _NAME.fullmatch(name) or name.rpartition(".")[2].isdecimal():
        raise ValueError("not a host name, *.domain, address or network")
    return name
