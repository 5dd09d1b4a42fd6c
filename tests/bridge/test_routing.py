from __future__ import annotations

import pytest

from bridge.core.mixbus import PROGRAM
from bridge.routing import GainTable, Routing, slot_name, slot_owner

pytestmark = pytest.mark.unit

ATTENDEE = Routing(primary_in_mix=False)
SPEAKER = Routing()
MODERATOR = Routing(secondary_in_mix=True)


class Gains:
    """Crosspoints as the mixer would hold them: 1 until said otherwise."""

    def __init__(self) -> None:
        self.set: dict[tuple[str, str], float] = {}
        self.table = GainTable(self._put)

    def _put(self, listener: str, source: str, gain: float) -> None:
        assert (listener, source) not in self.set or self.set[listener, source] != gain
        self.set[listener, source] = gain

    def of(self, listener: str, source: str) -> float:
        return self.set.get((listener, source), 1.0)


def test_slot_names_go_both_ways() -> None:
    for name in ("primary", "secondary"):
        assert slot_owner(slot_name("p", name)) == ("p", name)


@pytest.mark.parametrize(
    ("routing", "name", "gain"),
    [
        (ATTENDEE, "primary", 0.0),
        (ATTENDEE, "secondary", 0.0),
        (SPEAKER, "primary", 1.0),
        (SPEAKER, "secondary", 0.0),
        (MODERATOR, "primary", 1.0),
        (MODERATOR, "secondary", 1.0),
    ],
)
def test_role_decides_what_enters_the_mix(routing: Routing, name: str, gain: float) -> None:
    gains = Gains()
    slot = slot_name("a", name)  # type: ignore[arg-type]
    gains.table.refresh_source(slot, ["a", "b"], {"a": routing, "b": SPEAKER})
    assert gains.of("b", slot) == gain
    assert gains.of(PROGRAM, slot) == gain


def test_override_wins_over_role_for_one_listener_only() -> None:
    gains = Gains()
    routings = {"a": ATTENDEE, "b": Routing(hears={"a": 0.5}), "c": SPEAKER}
    gains.table.refresh_source("a", ["a", "b", "c"], routings)
    assert gains.of("b", "a") == 0.5
    assert gains.of("c", "a") == 0.0
    assert gains.of(PROGRAM, "a") == 0.0


def test_override_never_brings_back_a_secondary_that_is_not_in_the_mix() -> None:
    gains = Gains()
    gains.table.refresh_source("a/secondary", ["b"], {"a": SPEAKER, "b": Routing(hears={"a": 1.0})})
    assert gains.of("b", "a/secondary") == 0.0


def test_listener_row_is_refreshed_as_a_whole() -> None:
    gains = Gains()
    deaf = Routing(hears={"a": 0.0, "b": 0.0})
    routings = {"a": SPEAKER, "b": MODERATOR, "c": deaf}
    gains.table.refresh_listener("c", deaf, ["a", "b", "b/secondary", "c"], routings)
    assert [gains.of("c", slot) for slot in ("a", "b", "b/secondary")] == [0.0, 0.0, 0.0]
    assert ("c", "c") not in gains.set


def test_only_changes_are_sent_and_a_closed_slot_starts_anew() -> None:
    gains = Gains()
    routings = {"a": ATTENDEE, "b": SPEAKER}
    gains.table.refresh_source("a", ["b"], routings)
    gains.table.refresh_source("a", ["b"], routings)
    gains.table.forget("a")
    gains.set.clear()
    gains.table.refresh_source("a", ["b"], routings)
    assert gains.of("b", "a") == 0.0
