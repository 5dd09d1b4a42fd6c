"""Verbs in any order: the mixer must always give what one plain object for each participant would."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.core.gate import GateSettings
from bridge.core.mixbus import PROGRAM, CoreSettings, MixBus
from bridge.core.ports import L16_8K

pytestmark = pytest.mark.unit

GAINS = st.sampled_from([0.0, 0.5, 1.0, 2.0])
AHEAD = 4  # frames queued before the first tick: more than any prefill


@dataclass
class Person:
    """Sends a constant, so that every sample of a settled tick is one number."""

    value: int
    queue: object
    fader: float = 1.0
    hears: dict[str, float] = field(default_factory=dict)
    outlet: int | None = None


class Mixer(RuleBasedStateMachine):
    """A bus beside a plain model: rooms of people with gains for one another."""

    def __init__(self) -> None:
        super().__init__()
        self.bus = MixBus(CoreSettings(gate=GateSettings(enabled=False)))
        self.rooms: dict[str, dict[str, Person]] = {}
        self.programs: dict[str, dict[str, float]] = {}
        self.now = 10.0
        self.made = 0

    @initialize(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5))
    def begin(self, sizes: list[int]) -> None:
        for index, size in enumerate(sizes):
            self.open_room()
            for number in range(size):
                self.open_slot(index, False, number % 4 != 3)

    def _room(self, number: int) -> str:
        return sorted(self.rooms)[number % len(self.rooms)]

    def _person(self, room: str, number: int) -> str:
        return sorted(self.rooms[room])[number % len(self.rooms[room])]

    @rule()
    def open_room(self) -> None:
        self.made += 1
        room = f"room {self.made}"
        self.bus.open_room(room)
        self.rooms[room], self.programs[room] = {}, {}

    @precondition(lambda self: self.rooms)
    @rule(room=st.integers(0, 20), apart=st.booleans(), listening=st.booleans())
    def open_slot(self, room: int, apart: bool, listening: bool) -> None:
        name = self._room(room)
        people = self.rooms[name]
        self.made += 1
        new = f"person {self.made}"
        silent_for = sorted(people)[:1] if apart else []
        self.bus.open_slot(name, new, silent_for)
        queue = self.bus.open_queue(name, new, L16_8K)
        value = 40 + 13 * (self.made % 50)
        person = Person(value, queue)
        for other, them in people.items():
            person.hears[other] = them.hears[new] = float(other not in silent_for)
        person.hears[new] = 0.0
        self.programs[name][new] = 1.0
        if listening:
            person.outlet = self.bus.open_frame_outlet(name, new, L16_8K)
        people[new] = person
        queue.play(np.full(160 * AHEAD, value, np.int16).tobytes())

    @precondition(lambda self: any(self.rooms.values()))
    @rule(
        room=st.integers(0, 20),
        who=st.integers(0, 20),
        whom=st.integers(0, 20),
        gain=GAINS,
        program=st.booleans(),
    )
    def set_gain(self, room: int, who: int, whom: int, gain: float, program: bool) -> None:
        name = self._room(room)
        if not self.rooms[name]:
            return
        source = self._person(name, whom)
        if program:
            self.bus.set_gain(name, PROGRAM, source, gain)
            self.programs[name][source] = gain
        else:
            listener = self._person(name, who)
            self.bus.set_gain(name, listener, source, gain)
            self.rooms[name][listener].hears[source] = gain

    @precondition(lambda self: any(self.rooms.values()))
    @rule(room=st.integers(0, 20), who=st.integers(0, 20), gain=GAINS)
    def set_fader(self, room: int, who: int, gain: float) -> None:
        name = self._room(room)
        if self.rooms[name]:
            person = self._person(name, who)
            self.bus.set_fader(name, person, gain)
            self.rooms[name][person].fader = gain

    @precondition(lambda self: any(self.rooms.values()))
    @rule(room=st.integers(0, 20), who=st.integers(0, 20))
    def close_slot(self, room: int, who: int) -> None:
        name = self._room(room)
        if self.rooms[name]:
            person = self._person(name, who)
            self.bus.close_slot(name, person)
            del self.rooms[name][person], self.programs[name][person]
            for other in self.rooms[name].values():
                other.hears.pop(person, None)

    @precondition(lambda self: any(self.rooms.values()))
    @rule(room=st.integers(0, 20), who=st.integers(0, 20))
    def open_or_close_outlet(self, room: int, who: int) -> None:
        name = self._room(room)
        if self.rooms[name]:
            slot = self._person(name, who)
            person = self.rooms[name][slot]
            if person.outlet is None:
                person.outlet = self.bus.open_frame_outlet(name, slot, L16_8K)
            else:
                self.bus.close_outlet(person.outlet)
                person.outlet = None

    @precondition(lambda self: any(self.rooms.values()))
    @rule(room=st.integers(0, 20), who=st.integers(0, 20), when=st.booleans())
    def replace_input(self, room: int, who: int, when: bool) -> None:
        name = self._room(room)
        if self.rooms[name]:
            slot = self._person(name, who)
            person = self.rooms[name][slot]
            self.bus.close_input(name, slot)
            if when:
                self._tick()
            person.queue = self.bus.open_queue(name, slot, L16_8K)
            person.queue.play(np.full(160 * AHEAD, person.value, np.int16).tobytes())

    @precondition(lambda self: self.rooms)
    @rule(room=st.integers(0, 20))
    def close_room(self, room: int) -> None:
        name = self._room(room)
        self.bus.close_room(name)
        del self.rooms[name], self.programs[name]

    @rule()
    def tick(self) -> None:
        self._tick()

    def _tick(self) -> dict[int, np.ndarray]:
        for people in self.rooms.values():
            for person in people.values():
                person.queue.play(np.full(160, person.value, np.int16).tobytes())
        self.now += 0.02
        result = self.bus.tick(self.now)
        return {
            outlet: np.frombuffer(payload, np.int16)
            for batch in result.frames
            for outlet, payload in zip(batch.outlets, batch.payloads, strict=True)
        }

    @invariant()
    def everybody_hears_the_sum_of_what_he_should(self) -> None:
        # Two ticks for ramps and fades to arrive and queues to begin, one to listen to.
        for _ in range(2):
            self._tick()
        frames = self._tick()
        open_outlets = 0
        for people in self.rooms.values():
            for person in people.values():
                if person.outlet is None:
                    continue
                open_outlets += 1
                total = sum(
                    them.value * them.fader * person.hears.get(other, 0.0) for other, them in people.items()
                )
                heard = frames[person.outlet]
                assert len(heard) == 160
                assert np.abs(heard - total).max() <= 1, (heard, total)
        assert len(frames) == open_outlets

    @invariant()
    def names_are_those_that_were_opened(self) -> None:
        for room, people in self.rooms.items():
            assert set(self.bus.look(room).slots) == set(people)


TestMixer = Mixer.TestCase
TestMixer.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
