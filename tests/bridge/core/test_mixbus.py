from __future__ import annotations

import numpy as np
import pytest

from bridge.core.events import MarkPlayed, QueueCleared, TalkingChanged
from bridge.core.mixbus import PROGRAM, CoreSettings, MixBus, UnknownName
from bridge.core.ports import L16_8K, L16_16K, ULAW_8K
from tests.kit.mixing import Desk, wire
from tests.kit.tones import click_score, find_tones, tone

pytestmark = pytest.mark.unit

TONES = {"ann": 400, "ben": 700, "cat": 1100}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def seat_three(desk: Desk, seconds: float = 3.0, amplitude: float = 5000) -> dict[str, int]:
    """Three callers, each with a tone of their own, who hear the room in L16 at 8 kHz."""
    outlets = {}
    for name, frequency in TONES.items():
        desk.seat(name).play(wire(tone(frequency, seconds, 8_000, amplitude)))
        outlets[name] = desk.listen(name)
    return outlets


def tones_in(desk: Desk, outlet: int, start: int = 10, rate_hz: int = 8_000) -> dict[int, float]:
    """What an outlet gave from tick `start` on."""
    return find_tones(desk.heard(outlet)[start * rate_hz // 50 :], rate_hz)


def test_everybody_hears_all_others_at_their_level_and_not_himself(desk: Desk) -> None:
    outlets = seat_three(desk)
    desk.run(60)
    for name, outlet in outlets.items():
        expected = {frequency for other, frequency in TONES.items() if other != name}
        found = tones_in(desk, outlet)
        assert set(found) == expected
        assert all(level == pytest.approx(5000, rel=0.01) for level in found.values())


def test_program_is_everybody_at_once(desk: Desk) -> None:
    seat_three(desk)
    program = desk.listen(PROGRAM)
    desk.run(60)
    assert set(tones_in(desk, program)) == set(TONES.values())


def test_sums_at_unity_are_exact(desk: Desk) -> None:
    random = np.random.default_rng(1)
    sound = {name: random.integers(-9000, 9000, 8_000).astype(np.int16) for name in TONES}
    outlets = {}
    for name, samples in sound.items():
        desk.seat(name).play(samples.tobytes())
        outlets[name] = desk.listen(name)
    desk.run(40)
    total = sum(samples.astype(np.int32) for samples in sound.values())
    for name, outlet in outlets.items():
        heard = desk.heard(outlet)
        start = int(np.flatnonzero(heard)[0])
        expected = (total - sound[name])[np.flatnonzero(total - sound[name])[0] :]
        stretch = min(len(heard) - start, len(expected)) - 200
        assert stretch > 4000
        assert np.array_equal(heard[start : start + stretch], expected[:stretch])


def test_rates_and_encodings_meet_in_one_room(desk: Desk) -> None:
    for name, audio_format in (("ann", ULAW_8K), ("ben", L16_16K), ("cat", L16_8K)):
        sound = tone(TONES[name], 3, audio_format.rate_hz, 5000)
        desk.seat(name, audio_format).play(wire(sound, audio_format))
    narrow, wide = desk.listen("ann", ULAW_8K), desk.listen("ben", L16_16K)
    desk.run(60)
    assert desk.bus.look("room").rate_hz == 16_000
    assert set(tones_in(desk, narrow)) == {700, 1100}
    found = tones_in(desk, wide, rate_hz=16_000)
    assert set(found) == {400, 1100}
    assert all(level == pytest.approx(5000, rel=0.02) for level in found.values())


def test_muted_slot_is_absent_from_everything_after_a_fade_without_a_click(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 8000)))
    desk.seat("ben")
    heard, program, tap = desk.listen("ben"), desk.listen(PROGRAM), desk.listen("ann", solo=True)
    desk.run(40)
    desk.bus.set_fader("room", "ann", 0)
    desk.run(40)
    for outlet in (heard, program, tap):
        sound = desk.heard(outlet)
        assert click_score(sound[800:], 8_000, 400) < 1
        assert not sound[41 * 160 :].any()
        assert sound[30 * 160 : 40 * 160].any()


def test_whisper_is_heard_by_one_alone(desk: Desk) -> None:
    outlets = seat_three(desk)
    program = desk.listen(PROGRAM)
    desk.bus.set_gain("room", "cat", "ann", 0)
    desk.bus.set_gain("room", PROGRAM, "ann", 0)
    desk.run(60)
    assert set(tones_in(desk, outlets["ben"])) == {400, 1100}
    assert set(tones_in(desk, outlets["cat"])) == {700}
    assert set(tones_in(desk, program)) == {700, 1100}


def test_deafened_listener_hears_nothing_and_is_heard(desk: Desk) -> None:
    outlets = seat_three(desk)
    for source in ("ben", "cat"):
        desk.bus.set_gain("room", "ann", source, 0)
    desk.run(60)
    assert not desk.heard(outlets["ann"]).any()
    assert set(tones_in(desk, outlets["ben"])) == {400, 1100}


def test_gain_of_one_pair_changes_no_other(desk: Desk) -> None:
    outlets = seat_three(desk)
    desk.bus.set_gain("room", "ann", "ben", 0.5)
    desk.run(60)
    assert tones_in(desk, outlets["ann"])[700] == pytest.approx(2500, rel=0.01)
    assert tones_in(desk, outlets["cat"])[700] == pytest.approx(5000, rel=0.01)


def test_gain_that_changes_in_mid_sound_makes_no_click(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 8000)))
    desk.seat("ben")
    heard = desk.listen("ben")
    for gain in (1, 0, 2, 0.25):
        desk.bus.set_gain("room", "ben", "ann", gain)
        desk.run(20)
    sound = desk.heard(heard)
    assert click_score(sound[800:], 8_000, 400) < 1
    assert not sound[22 * 160 : 40 * 160].any()
    assert np.abs(sound[70 * 160 :]).max() == pytest.approx(2000, abs=2)


def test_two_inputs_of_one_person_are_silent_for_each_other(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 5000)))
    desk.seat("ann/secondary", silent_for=["ann"]).play(wire(tone(500, 3, 8_000, 5000)))
    desk.seat("ben").play(wire(tone(700, 3, 8_000, 5000)))
    own, other = desk.listen("ann"), desk.listen("ben")
    desk.run(60)
    assert set(tones_in(desk, own)) == {700}
    assert set(tones_in(desk, other)) == {400, 500}


def test_tap_of_one_slot_hears_it_alone_and_below_the_gate(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 20)))
    desk.seat("ben").play(wire(tone(700, 3, 8_000, 5000)))
    tap, mix = desk.listen("ann", L16_16K, solo=True), desk.listen("ben")
    desk.run(60)
    assert not desk.heard(mix)[30 * 160 :].any()
    assert set(find_tones(desk.heard(tap)[9600:], 16_000, floor_db=-80)) == {400}


def test_rooms_do_not_hear_each_other(desk: Desk) -> None:
    outlets = seat_three(desk)
    desk.bus.open_room("other")
    desk.bus.open_slot("other", "ann")
    desk.bus.open_queue("other", "ann", L16_8K).play(wire(tone(900, 3, 8_000, 5000)))
    desk.bus.open_slot("other", "ben")
    heard = desk.bus.open_frame_outlet("other", "ben", L16_8K)
    desk.run(60)
    assert set(tones_in(desk, outlets["ann"])) == {700, 1100}
    sound = np.frombuffer(b"".join(desk.frames[heard][10:]), np.int16)
    assert set(find_tones(sound, 8_000)) == {900}


def test_closing_in_mid_sound_fades_instead_of_cutting(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 8000)))
    desk.seat("ben")
    heard = desk.listen("ben")
    desk.run(40)
    desk.bus.close_slot("room", "ann")
    desk.run(20)
    sound = desk.heard(heard)
    assert click_score(sound[800:], 8_000, 400) < 1
    assert sound[40 * 160 : 41 * 160].any()
    assert not sound[41 * 160 :].any()


def test_next_slot_does_not_inherit_what_the_last_one_left(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 8000)))
    desk.seat("ben")
    heard = desk.listen("ben")
    desk.bus.set_gain("room", "ben", "ann", 0.25)
    desk.bus.set_fader("room", "ann", 0.5)
    desk.run(30)
    desk.bus.close_slot("room", "ann")
    desk.seat("cat").play(wire(tone(1100, 3, 8_000, 6000)))
    desk.run(60)
    assert tones_in(desk, heard, start=45) == {1100: pytest.approx(6000, rel=0.01)}
    assert set(desk.bus.look("room").slots) == {"ben", "cat"}


def test_last_sound_of_an_input_closed_before_its_slot_is_not_heard_from_the_next_slot(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 8000)))
    desk.seat("ben", silent_for=["ann"])
    heard, program = desk.listen("ben"), desk.listen(PROGRAM)
    desk.run(30)
    desk.bus.close_input("room", "ann")
    desk.bus.close_slot("room", "ann")
    desk.seat("cat")
    desk.run(5)
    assert not desk.heard(heard).any()
    assert click_score(desk.heard(program)[800:], 8_000, 400) < 1
    desk.bus.open_slot("room", "dan")
    desk.bus.open_slot("room", "eva")
    desk.run(1)
    assert desk.bus.look("room").capacity == 4  # the index has rested and is used again


def test_input_that_is_replaced_at_once_goes_on_with_the_new_sound(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 8000)))
    desk.seat("ben")
    heard = desk.listen("ben")
    desk.run(30)
    desk.bus.close_input("room", "ann")
    desk.bus.open_queue("room", "ann", L16_8K).play(wire(tone(1100, 3, 8_000, 6000)))
    desk.run(60)
    assert set(tones_in(desk, heard, start=45)) == {1100}


def test_closed_inputs_and_outlets_do_nothing_more(desk: Desk) -> None:
    queue = desk.seat("ann")
    queue.play(wire(tone(400, 1, 8_000, 8000)))
    desk.seat("ben")
    heard = desk.listen("ben")
    desk.run(10)
    desk.bus.close_outlet(heard)
    desk.bus.close_input("room", "ann")
    desk.run(5)
    assert len(desk.frames[heard]) == 10
    assert queue.play(wire(tone(400, 1, 8_000, 8000))) == 0
    queue.mark("end")
    queue.clear()
    assert queue.look().depth_ms == 0
    desk.run(5)
    assert not [event for event in desk.events if isinstance(event, MarkPlayed | QueueCleared)]


def test_closing_a_room_takes_everything_in_it_along(desk: Desk) -> None:
    outlets = seat_three(desk)
    desk.bus.open_room("other")
    desk.bus.open_slot("other", "ann")
    other = desk.bus.open_frame_outlet("other", "ann", L16_8K)
    desk.run(5)
    desk.bus.close_room("room")
    desk.run(5)
    assert {len(desk.frames[outlet]) for outlet in outlets.values()} == {5}
    assert len(desk.frames[other]) == 10
    figures = desk.bus.figures()
    assert (figures.rooms, figures.slots, figures.inputs, figures.frame_outlets) == (1, 1, 0, 1)
    with pytest.raises(UnknownName):
        desk.bus.look("room")


def test_talking_and_level_follow_the_speaker(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 1, 8_000, 8000)))
    desk.seat("ben")
    desk.listen("ben")
    desk.run(45)
    look = desk.bus.look("room").slots
    assert look["ann"].talking and not look["ben"].talking
    assert look["ann"].level_dbov == pytest.approx(-15.25, abs=0.3)
    assert look["ben"].level_dbov == -127
    desk.run(80)
    talks = [event for event in desk.events if isinstance(event, TalkingChanged)]
    assert [(one.slot, one.talking) for one in talks] == [("ann", True), ("ann", False)]
    assert talks[0].ago_ms == 40  # the attack
    assert talks[1].ago_ms > 1_000  # level and hold


def test_marks_and_clears_come_back_with_their_names(desk: Desk) -> None:
    queue = desk.seat("ann")
    queue.play(wire(tone(400, 0.1, 8_000)))
    queue.mark("first")
    queue.play(wire(tone(400, 5, 8_000)))
    queue.mark("second")
    desk.seat("ben")
    desk.listen("ben")
    desk.run(15)
    queue.clear()
    desk.run(5)
    marks = [event for event in desk.events if isinstance(event, MarkPlayed | QueueCleared)]
    assert marks == [MarkPlayed("room", "ann", "first"), QueueCleared("room", "ann", ("second",))]


def test_silence_is_marked_as_such(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 0.2, 8_000)))
    desk.seat("ben", ULAW_8K)
    heard = desk.listen("ben", ULAW_8K)
    desk.run(30)
    silent = desk.silent[heard]
    assert not all(silent) and silent[-1]
    assert all(
        frame == b"\xff" * 160 for frame, still in zip(desk.frames[heard], silent, strict=True) if still
    )


def test_verbs_take_effect_at_the_next_tick_and_not_before(desk: Desk) -> None:
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 8000)))
    desk.seat("ben")
    heard = desk.listen("ben")
    desk.run(20)
    before = desk.bus.look("room")
    desk.bus.set_fader("room", "ann", 0)
    assert desk.bus.look("room") == before
    desk.bus.set_fader("room", "ann", 1)
    desk.run(20)
    assert click_score(desk.heard(heard)[800:], 8_000, 400) < 0.2


@pytest.mark.parametrize(
    "verb",
    [
        lambda bus: bus.open_slot("nowhere", "ann"),
        lambda bus: bus.close_slot("room", "nobody"),
        lambda bus: bus.open_slot("room", "new", silent_for=["nobody"]),
        lambda bus: bus.set_gain("room", "ann", "nobody", 1),
        lambda bus: bus.set_gain("room", "nobody", "ann", 1),
        lambda bus: bus.set_fader("room", "nobody", 1),
        lambda bus: bus.open_playout("room", "nobody", L16_8K),
        lambda bus: bus.open_frame_outlet("room", "nobody", L16_8K),
        lambda bus: bus.open_packet_outlet("nowhere", PROGRAM),
        lambda bus: bus.close_input("room", "nobody"),
        lambda bus: bus.close_outlet(99),
        lambda bus: bus.close_room("nowhere"),
        lambda bus: bus.look("nowhere"),
    ],
)
def test_unknown_names_are_refused_at_once(verb) -> None:
    bus = MixBus(CoreSettings())
    bus.open_room("room")
    bus.open_slot("room", "ann")
    with pytest.raises(UnknownName):
        verb(bus)


@pytest.mark.parametrize(
    "verb",
    [
        lambda bus: bus.open_room("room"),
        lambda bus: bus.open_slot("room", "ann"),
        lambda bus: bus.open_slot("room", PROGRAM),
        lambda bus: bus.open_queue("room", "ann", L16_8K),
        lambda bus: bus.set_gain("room", PROGRAM, "ann", -1),
        lambda bus: bus.set_gain("room", PROGRAM, "ann", float("nan")),
        lambda bus: bus.set_fader("room", "ann", float("inf")),
        lambda bus: bus.open_frame_outlet("room", PROGRAM, L16_8K, solo=True),
    ],
)
def test_wrong_values_and_names_in_use_are_refused_at_once(verb) -> None:
    bus = MixBus(CoreSettings())
    bus.open_room("room")
    bus.open_slot("room", "ann")
    bus.open_queue("room", "ann", L16_8K)
    with pytest.raises(ValueError):
        verb(bus)


def test_refused_slot_leaves_nothing_behind(desk: Desk) -> None:
    desk.seat("ann")
    with pytest.raises(UnknownName):
        desk.bus.open_slot("room", "ben", silent_for=["nobody"])
    assert set(desk.bus.look("room").slots) == {"ann"}
    desk.run(1)
    assert desk.bus.look("room").capacity == 2
