"""Who hears whom, as numbers: turns each participant's routing into crosspoint gains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from bridge.core.mixbus import PROGRAM
from bridge.core.ports import InputName


@dataclass(frozen=True, slots=True)
class Routing:
    """What one participant gives to the mix and takes from it."""

    primary_in_mix: bool = True
    secondary_in_mix: bool = False
    muted: bool = False
    """Neither heard in the mix nor alone."""
    hears: Mapping[str, float] = field(default_factory=dict)
    """Participant id → gain of what this one hears of them; others are heard as their own routing says."""
    tags: frozenset[str] = frozenset()
    """What `hears_only` and `heard_by` of others may name this one by: its id, its role, and so on."""
    hears_only: frozenset[str] | None = None
    """Tags of those whom this one hears, and nobody else; None: everybody."""
    heard_by: frozenset[str] | None = None
    """Tags of those who hear this one, and nobody else; the program does not. None: everybody."""


def slot_name(participant_id: str, name: InputName) -> str:
    """The mixer's name for an input. The primary slot's row is also what the participant hears."""
    return participant_id if name == "primary" else f"{participant_id}/{name}"


def slot_owner(slot: str) -> tuple[str, InputName]:
    """The opposite of `slot_name`."""
    participant_id, _, rest = slot.partition("/")
    return participant_id, "secondary" if rest else "primary"


class GainTable:
    """The crosspoints of one room, of which only the changes are sent on.

    `set_gain(listener, source, gain)` is called for every crosspoint that differs from what was set before;
    a fresh slot stands at 1 for everybody but its own participant.
    """

    def __init__(self, set_gain: Callable[[str, str, float], None]) -> None:
        self._set_gain = set_gain
        self._applied: dict[tuple[str, str], float] = {}

    def refresh_listener(
        self, listener: str, routing: Routing, sources: Iterable[str], routings: Mapping[str, Routing]
    ) -> None:
        """Set what `listener` hears of every slot in `sources`."""
        for slot in sources:
            owner, name = slot_owner(slot)
            if owner != listener:
                self._put(listener, slot, _gain(routing, owner, name, routings[owner]))

    def refresh_source(self, slot: str, listeners: Iterable[str], routings: Mapping[str, Routing]) -> None:
        """Set how loud `slot` is for every listener and in the program."""
        owner, name = slot_owner(slot)
        routing = routings[owner]
        self._put(PROGRAM, slot, float(_in_mix(routing, name)))
        for listener in listeners:
            if listener != owner:
                self._put(listener, slot, _gain(routings[listener], owner, name, routing))

    def forget(self, slot: str) -> None:
        """`slot` was closed."""
        self._applied = {pair: gain for pair, gain in self._applied.items() if slot not in pair}

    def _put(self, listener: str, source: str, gain: float) -> None:
        if self._applied.get((listener, source), 1.0) != gain:
            self._applied[listener, source] = gain
            self._set_gain(listener, source, gain)


def _in_mix(routing: Routing, name: InputName) -> bool:
    if routing.heard_by is not None:
        return False
    return routing.primary_in_mix if name == "primary" else routing.secondary_in_mix


def _gain(listener: Routing, owner: str, name: InputName, source: Routing) -> float:
    if source.heard_by is not None and source.heard_by.isdisjoint(listener.tags):
        return 0.0
    if listener.hears_only is not None and listener.hears_only.isdisjoint(source.tags):
        return 0.0
    override = listener.hears.get(owner)
    if name == "secondary":
        return (1.0 if override is None else override) if source.secondary_in_mix else 0.0
    if override is not None:
        return override
    return float(source.primary_in_mix)
