"""Who gets whose packets undecoded: listeners of one participant alone."""

from __future__ import annotations

from bridge.core.ports import InputLook, PacketInput
from bridge.dispatch import PacketTrunk


class Relay:
    """Which trunks want which slot's packets undecoded."""

    def __init__(self) -> None:
        self._trunks: dict[str, list[PacketTrunk]] = {}
        self._muted: set[str] = set()

    def trunks(self, slot: str) -> list[PacketTrunk] | tuple[()]:
        """Those to give a packet of `slot`; none while it is muted."""
        return () if slot in self._muted else self._trunks.get(slot, ())

    def add(self, slot: str, trunk: PacketTrunk) -> None:
        """From now on `trunk` gets the packets of `slot`."""
        trunk.switch()
        self._trunks.setdefault(slot, []).append(trunk)

    def remove(self, slot: str, trunk: PacketTrunk) -> None:
        """Nothing more of `slot` for `trunk`."""
        trunks = self._trunks.get(slot, [])
        if trunk in trunks:
            trunks.remove(trunk)
            if not trunks:
                del self._trunks[slot]

    def mute(self, slot: str, muted: bool) -> None:
        """Stop or resume passing on `slot`."""
        (self._muted.add if muted else self._muted.discard)(slot)


class RelayedInput:
    """A packet input whose packets also go, as they are, to those who want this participant alone."""

    __slots__ = ("_relay", "_under", "slot")

    def __init__(self, under: PacketInput, relay: Relay, slot: str) -> None:
        self._under = under
        self._relay = relay
        self.slot = slot

    def push(self, payload: bytes, sequence_number: int, timestamp: int, now: float) -> None:
        """Into the mix, and on to the listeners of this input alone."""
        self._under.push(payload, sequence_number, timestamp, now)
        for trunk in self._relay.trunks(self.slot):
            trunk.relay(payload, timestamp, now)

    def look(self) -> InputLook:
        """The mixer's view of it."""
        return self._under.look()
