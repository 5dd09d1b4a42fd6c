"""Which storages a request may name: the vendors' own, and those that the operator has allowed."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from bridge.egress.gate import EgressGate
from bridge.egress.hosts import HostRules
from bridge.errors import BadInput, EgressRefused, NoSuchHost

SCHEMES = ("http", "https")


class StorageEndpoints:
    """Judges endpoints by the operator's patterns, and by the rules for whatever is reached on request."""

    def __init__(self, gate: EgressGate, patterns: Sequence[str]) -> None:
        """Raises ValueError for a pattern that is none."""
        self._gate = gate
        self._rules = HostRules(patterns)

    async def judge(self, endpoint: str, named: bool) -> None:
        """`named`: it is the request that names it, not the vendor. Raises BadInput."""
        try:
            destination = self._gate.check(endpoint, SCHEMES)
            # Whoever is not on the list is told nothing that a look-up of the name would tell.
            if named and not self._rules:
                raise BadInput("this server takes no endpoints but the vendors' own")
            if named and not self._rules.has_name(destination.host):
                literal = [ip_address(address) for address in destination.addresses]
                if not literal or not self._rules.has_all(literal):
                    raise BadInput("it is not among recordings.storage_endpoints")
            await self._gate.addresses(destination.host)
        except (EgressRefused, NoSuchHost, BadInput) as refused:
            raise BadInput(f"`storage.endpoint`: {refused}") from None
