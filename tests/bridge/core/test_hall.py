from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.core import bank
from bridge.core.mixbus import PROGRAM
from bridge.core.ports import L16_8K
from tests.kit.mixing import Desk, wire
from tests.kit.tones import find_tones, tone

pytestmark = pytest.mark.unit


def busy_room(people: int, seed: int) -> NDArray[np.int16]:
    """What everybody and the program hear, [outlets, samples], while gains and faders keep changing."""
    random = np.random.default_rng(seed)
    desk = Desk()
    queues = [desk.seat(str(number)) for number in range(people)]
    outlets = [desk.listen(str(number)) for number in range(people)] + [desk.listen(PROGRAM)]

    def change() -> None:
        for _ in range(3):
            listener, source = (str(number) for number in random.integers(0, people, 2))
            gain = float(random.choice([0, 0.5, 1, 2]))
            if random.random() < 0.7:
                desk.bus.set_gain("room", PROGRAM if random.random() < 0.1 else listener, source, gain)
            else:
                desk.bus.set_fader("room", source, gain)
        for number in random.choice(people, 4, replace=False):
            queues[number].play(random.integers(-9000, 9000, 480).astype(np.int16).tobytes())

    desk.before_tick = change
    desk.run(40)
    return np.stack([desk.heard(outlet) for outlet in outlets])


@pytest.mark.parametrize("people", [40, 65, 100])
def test_hall_gives_what_one_product_over_everything_would(people: int, monkeypatch) -> None:
    hall = busy_room(people, seed=people)
    monkeypatch.setattr(bank, "LARGEST_BANK", 1_000)
    dense = busy_room(people, seed=people)
    assert np.abs(hall).max() > 30_000
    assert np.abs(hall.astype(np.int32) - dense).max() <= 1


def test_mute_whisper_and_gains_apply_in_a_hall() -> None:
    desk = Desk()
    for number in range(40):
        desk.bus.open_slot("room", str(number))
    for number, frequency in ((0, 400), (1, 700), (2, 1100)):
        desk.bus.open_queue("room", str(number), L16_8K).play(wire(tone(frequency, 3, 8_000, 5000)))
    outlets = {number: desk.listen(str(number)) for number in (0, 3, 4, 39)}
    desk.bus.set_gain("room", "3", "0", 0)
    desk.bus.set_gain("room", "4", "1", 0.5)
    desk.bus.set_fader("room", "2", 0)
    desk.run(60)
    assert desk.bus.look("room").capacity == 64
    expected = {0: {700: 5000}, 3: {700: 5000}, 4: {400: 5000, 700: 2500}, 39: {400: 5000, 700: 5000}}
    for number, outlet in outlets.items():
        found = find_tones(desk.heard(outlet)[1600:], 8_000)
        assert found == pytest.approx(expected[number], rel=0.01)


def test_room_becomes_a_hall_without_losing_a_sample() -> None:
    desk = Desk()
    sound = np.random.default_rng(3).integers(-9000, 9000, 24_000).astype(np.int16)
    desk.seat("ann").play(sound.tobytes())
    desk.seat("ben")
    heard = desk.listen("ben")
    for number in range(60):
        desk.bus.open_slot("room", f"guest {number}")
        desk.run(1)
    assert desk.bus.look("room").capacity == 64
    out = desk.heard(heard)
    start = int(np.flatnonzero(out)[0])
    assert np.array_equal(out[start:], sound[: len(out) - start])


def test_listeners_of_a_hall_share_encodes_as_in_any_room() -> None:
    desk = Desk()
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 5000)))
    desk.seat("ben").play(wire(tone(700, 3, 8_000, 5000)))
    outlets = [desk.receive("ann"), desk.receive("ben")]
    for number in range(50):
        desk.bus.open_slot("room", str(number))
        outlets.append(desk.receive(str(number)))
    desk.run(30)
    assert desk.encodes[-1] == 3
    assert len({tuple(desk.packets[outlet][20:]) for outlet in outlets}) == 3
