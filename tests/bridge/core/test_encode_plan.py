from __future__ import annotations

import numpy as np
import pytest

from bridge.core.encode_plan import AGREE_TICKS
from bridge.core.encoders import QUIET_TICKS
from bridge.core.mixbus import PROGRAM, CoreSettings
from bridge.core.ports import L16_8K
from mediacodecs.opus import OpusEncoder, OpusSettings
from tests.kit.mixing import Desk, wire
from tests.kit.tones import click_score, find_tones, tone

pytestmark = pytest.mark.unit


CODED = -30.0
"""Below this, relative to full scale, there is coding noise."""


def seat_listeners(desk: Desk, count: int) -> list[int]:
    outlets = []
    for number in range(count):
        desk.seat(f"listener {number}")
        outlets.append(desk.receive(f"listener {number}"))
    return outlets


def bursts(frequency: float, *ticks: int, rate_hz: int = 8_000) -> bytes:
    """A tone that is on and off for so many ticks by turns, faded in and out within 20 ms."""
    sound = tone(frequency, sum(ticks) * 0.02, rate_hz, 8000)
    gain, at, on = np.zeros(len(sound), np.float32), 0, True
    for length in ticks:
        gain[at * rate_hz // 50 : (at + length) * rate_hz // 50] = on
        at, on = at + length, not on
    window = np.hanning(rate_hz // 50)
    return wire(sound * np.convolve(gain, window / window.sum(), mode="same").astype(np.float32))


def test_twelve_listeners_to_one_talker_cost_one_encode() -> None:
    desk = Desk()
    desk.seat("talker").play(wire(tone(400, 3, 8_000, 8000)))
    own = desk.receive("talker")
    outlets = seat_listeners(desk, 12)
    desk.run(60)
    assert desk.encodes[-1] == 1  # the talker himself hears nothing, which needs no encoding
    assert {len(desk.packets[outlet]) for outlet in [own, *outlets]} == {60}
    for outlet in outlets:
        assert desk.packets[outlet] == desk.packets[outlets[0]]
    assert find_tones(desk.decoded(outlets[0])[48_000:], 48_000, CODED)[400] == pytest.approx(8000, rel=0.05)
    assert not desk.decoded(own)[48_000:].any()


def test_each_talker_costs_one_more_and_nobody_hears_himself() -> None:
    desk = Desk()
    own = {}
    for name, frequency in (("ann", 400), ("ben", 700), ("cat", 1100)):
        desk.seat(name).play(wire(tone(frequency, 3, 8_000, 5000)))
        own[name] = desk.receive(name)
    outlets = seat_listeners(desk, 9)
    desk.run(60)
    assert desk.encodes[-1] == 4
    assert set(find_tones(desk.decoded(outlets[4])[48_000:], 48_000, CODED)) == {400, 700, 1100}
    for name, others in (("ann", {700, 1100}), ("ben", {400, 1100}), ("cat", {400, 700})):
        found = find_tones(desk.decoded(own[name])[48_000:], 48_000, CODED)
        assert set(found) == others
        assert all(level == pytest.approx(5000, rel=0.08) for level in found.values())


def test_silent_rooms_cost_no_encodes_and_decode_to_silence() -> None:
    desk = Desk()
    outlets = seat_listeners(desk, 3)
    desk.run(30)
    assert sum(desk.encodes) == 0
    assert len(desk.packets[outlets[0]]) == 30
    assert not desk.decoded(outlets[0]).any()
    assert desk.bus.figures().encoders == 0


@pytest.mark.parametrize("application", ["lowdelay", "voip", "audio"])
def test_ready_made_silence_between_two_bursts_makes_no_sound_of_its_own(application) -> None:
    desk = Desk(CoreSettings(opus=OpusSettings(application=application)))
    desk.seat("talker").play(bursts(400, 40, 60, 40, 20))
    desk.seat("listener")
    outlet = desk.receive("listener")
    desk.run(160)
    assert desk.bus.figures().silent_packets > 30
    sound = desk.decoded(outlet).astype(int)
    middle = sound[70 * 960 : 98 * 960]
    assert np.abs(middle).max() <= 2
    # Where sound begins again it begins as softly as it was sent.
    again = sound[95 * 960 : 160 * 960]
    onset = int(np.flatnonzero(np.abs(again) > 30)[0])
    assert np.abs(again[onset : onset + 48]).max() < 1500
    assert np.abs(np.diff(again)).max() < 1.3 * 8000 * 2 * np.pi * 400 / 48_000


def test_going_over_to_an_own_encoder_and_back_makes_no_click() -> None:
    """The listener hears a steady tone; while he talks himself, he needs an encoder of his own."""
    desk = Desk()
    desk.seat("tone").play(wire(tone(400, 6, 8_000, 8000)))
    desk.seat("ann").play(bursts(900, 40, 60, 40, 60, 40))
    own = desk.receive("ann")
    seat_listeners(desk, 2)
    desk.run(260)
    assert max(desk.encodes[20:]) == 2 and min(desk.encodes[20:]) == 1
    sound = desk.decoded(own)[14_400:]
    scores = [click_score(part, 48_000, 400) for part in np.array_split(sound, 40)]
    assert max(scores) < 0.3
    levels = [find_tones(part, 48_000).get(400, 0) for part in np.array_split(sound, 40)]
    assert min(levels) == pytest.approx(8000, rel=0.1)


def test_cold_encoder_would_be_heard() -> None:
    """What the test above would find, if encoders were not fed what was heard last."""
    desk = Desk()
    desk.seat("tone").play(wire(tone(400, 6, 8_000, 8000)))
    own = seat_listeners(desk, 1)[0]
    desk.run(60)
    cold = OpusEncoder(48_000, OpusSettings())
    sound = np.rint(tone(400, 1, 48_000, 8000)).astype(np.int16)
    desk.packets[own] += [cold.encode(sound[at : at + 960]) for at in range(0, 48_000, 960)]
    assert click_score(desk.decoded(own)[14_400:], 48_000, 400) > 1


def test_program_that_nobody_took_for_a_while_is_taken_up_without_a_click() -> None:
    """Two people talk at once, so nobody hears the program; then one falls silent and hears it again."""
    desk = Desk()
    desk.seat("ann").play(wire(tone(400, 6, 8_000, 8000)))
    desk.seat("ben").play(bursts(900, 100, 80, 60))
    desk.receive("ann")
    own = desk.receive("ben")
    desk.run(230)
    assert desk.encodes[90] == 2
    sound = desk.decoded(own)[14_400:]
    scores = [click_score(part, 48_000, 400) for part in np.array_split(sound, 40)]
    assert max(scores) < 0.5


def test_own_encoder_is_kept_until_enough_frames_were_the_same() -> None:
    desk = Desk()
    desk.seat("tone").play(wire(tone(400, 6, 8_000, 8000)))
    desk.seat("ann").play(bursts(900, 20, 100))
    desk.receive("ann")
    seat_listeners(desk, 2)
    desk.run(100)
    ones = [tick for tick, count in enumerate(desk.encodes) if count == 1 and tick > 10]
    assert 20 + AGREE_TICKS <= ones[0] <= 20 + AGREE_TICKS + 3


def test_listeners_with_equal_gains_of_their_own_share_an_encode() -> None:
    desk = Desk()
    for name, frequency in (("ann", 400), ("ben", 700)):
        desk.seat(name).play(wire(tone(frequency, 5, 8_000, 5000)))
    outlets = seat_listeners(desk, 10)
    desk.run(20)
    for number in range(5):
        desk.bus.set_gain("room", f"listener {number}", "ann", 0.25)
        desk.run(3)  # one after the other: they first get an encoder each
    desk.run(30)
    assert desk.encodes[-1] == 2
    desk.run(30)
    assert desk.packets[outlets[0]][-20:] == desk.packets[outlets[4]][-20:]
    assert desk.packets[outlets[0]][-20:] != desk.packets[outlets[5]][-20:]
    for outlet, level in ((outlets[0], 1250), (outlets[9], 5000)):
        assert find_tones(desk.decoded(outlet)[-24_000:], 48_000, CODED)[400] == pytest.approx(
            level, rel=0.08
        )
    assert desk.bus.figures().encoders == 2


def test_shared_encoder_outlives_the_one_it_was_made_for() -> None:
    desk = Desk()
    for name, frequency in (("ann", 400), ("ben", 700)):
        desk.seat(name).play(wire(tone(frequency, 5, 8_000, 5000)))
    outlets = seat_listeners(desk, 6)
    for number in range(3):
        desk.bus.set_gain("room", f"listener {number}", "ann", 0)
    desk.run(30)
    assert desk.encodes[-1] == 2
    desk.bus.close_slot("room", "listener 0")
    desk.run(10)
    desk.bus.set_gain("room", "listener 1", "ann", 1)
    desk.run(40)
    assert desk.encodes[-1] == 2
    assert len(desk.packets[outlets[0]]) == 30
    assert set(find_tones(desk.decoded(outlets[2])[-24_000:], 48_000, CODED)) == {700}
    assert set(find_tones(desk.decoded(outlets[1])[-24_000:], 48_000, CODED)) == {400, 700}
    for name in list(desk.bus.look("room").slots):
        desk.bus.close_slot("room", name)
    assert desk.bus.figures().encoders == 0


def test_program_itself_can_be_received() -> None:
    desk = Desk()
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 5000)))
    program = desk.receive(PROGRAM)
    outlets = seat_listeners(desk, 2)
    desk.run(40)
    for number in range(4):
        desk.seat(f"guest {number}")
    desk.run(20)
    assert desk.packets[program] == desk.packets[outlets[0]]
    assert desk.encodes[-1] == 1


def test_two_outlets_of_one_slot_get_the_same_packets() -> None:
    desk = Desk()
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 5000)))
    desk.seat("ben")
    first, second = desk.receive("ben"), desk.receive("ben")
    desk.run(20)
    desk.bus.close_outlet(first)
    desk.run(20)
    assert desk.packets[first] == desk.packets[second][:20]
    assert len(desk.packets[second]) == 40


def test_one_slot_alone_is_encoded_once_for_all_who_want_it() -> None:
    desk = Desk()
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 5000)))
    desk.seat("ben").play(wire(tone(700, 3, 8_000, 5000)))
    solos = [desk.receive("ann", solo=True) for _ in range(5)]
    desk.run(50)
    assert desk.encodes[-1] == 1
    assert {len(desk.packets[outlet]) for outlet in solos} == {50}
    assert set(find_tones(desk.decoded(solos[3])[24_000:], 48_000, CODED)) == {400}
    desk.bus.set_fader("room", "ann", 0)
    desk.run(QUIET_TICKS + 3)
    assert desk.encodes[-1] == 0
    for solo in solos:
        desk.bus.close_outlet(solo)
    assert desk.bus.figures().encoders == 0


def test_solo_goes_on_when_its_room_moves() -> None:
    desk = Desk()
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 5000)))
    solo = desk.receive("ann", solo=True)
    desk.run(40)
    for number in range(9):
        desk.bus.open_slot("room", f"guest {number}")
    desk.run(40)
    sound = desk.decoded(solo)[9600:]
    assert click_score(sound, 48_000, 400) < 0.5


def test_jobs_hold_copies_that_the_next_tick_does_not_touch() -> None:
    desk = Desk()
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 5000)))
    desk.bus.open_slot("room", "ben")
    outlet = desk.bus.open_packet_outlet("room", "ben")
    desk.run(20)
    jobs = [job for job in desk.bus.tick(desk.clock.tick()).encodes if outlet in job.outlets]
    kept = [job.pcm.copy() for job in jobs]
    desk.bus.close_outlet(outlet)
    desk.run(5)
    assert len(jobs) == 1 and list(jobs[0].outlets) == [outlet]
    assert np.array_equal(jobs[0].pcm, kept[0]) and kept[0].any()


def test_nothing_is_decoded_that_nobody_hears() -> None:
    desk = Desk()
    desk.seat("ann").play(wire(tone(400, 3, 8_000, 5000)))
    feeds = list(desk.bus._pools.feeds.values())
    desk.run(5)
    assert not feeds[0].pool.wanted.any()
    desk.seat("ben")
    desk.listen("ben", L16_8K)
    desk.run(5)
    assert feeds[0].pool.wanted[:2].tolist() == [True, False]
    desk.bus.set_fader("room", "ann", 0)
    desk.run(3)
    assert not feeds[0].pool.wanted.any()
    desk.bus.set_fader("room", "ann", 1)
    desk.bus.set_gain("room", "ben", "ann", 0)
    desk.run(3)
    assert not feeds[0].pool.wanted.any()
    desk.listen("ann", solo=True)
    desk.run(3)
    assert feeds[0].pool.wanted[:2].tolist() == [True, False]
