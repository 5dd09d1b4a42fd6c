"""The mixer on its real pools: live raw audio, Opus packets and a play queue in one room."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.core.ports import L16_16K, ULAW_8K
from mediacodecs.opus import OpusEncoder, OpusSettings
from tests.kit.mixing import Desk, wire
from tests.kit.tones import find_tones, tone

pytestmark = pytest.mark.unit


class Caller:
    """Sends a tone as a live phone stream does."""

    def __init__(self, desk: Desk, slot: str, frequency: float) -> None:
        desk.bus.open_slot("room", slot)
        self.input = desk.bus.open_playout("room", slot, ULAW_8K)
        self._sound = wire(tone(frequency, 5, 8_000, 5000), ULAW_8K)
        self._at = 0

    def send(self, now: float) -> None:
        self.input.push(self._sound[self._at : self._at + 160], now)
        self._at += 160


class Browser:
    """Sends a tone as Opus packets."""

    def __init__(self, desk: Desk, slot: str, frequency: float) -> None:
        desk.bus.open_slot("room", slot)
        self.input = desk.bus.open_packets("room", slot)
        sound = np.rint(tone(frequency, 8, 48_000, 5000)).astype(np.int16)
        encoder = OpusEncoder(48_000, OpusSettings())
        self._packets = [encoder.encode(sound[at : at + 960]) for at in range(0, len(sound), 960)]
        self._sent = 0

    def send(self, now: float, *, lost: bool = False) -> None:
        if not lost:
            self.input.push(self._packets[self._sent], 65_500 + self._sent & 0xFFFF, self._sent * 960, now)
        self._sent += 1


def test_phone_browser_and_bot_hear_each_other_and_not_themselves() -> None:
    desk = Desk()
    phone, browser = Caller(desk, "phone", 400), Browser(desk, "browser", 700)
    desk.seat("bot", L16_16K).play(wire(tone(1100, 5, 16_000, 5000), L16_16K))
    to_phone, to_bot, to_browser = (
        desk.listen("phone", ULAW_8K),
        desk.listen("bot", L16_16K),
        desk.receive("browser"),
    )

    def send() -> None:
        phone.send(desk.clock.now - 0.012)
        browser.send(desk.clock.now - 0.006)

    desk.before_tick = send
    desk.run(100)
    assert desk.bus.look("room").rate_hz == 48_000
    heard = {
        "phone": find_tones(desk.heard(to_phone)[8_000:], 8_000, -30),
        "bot": find_tones(desk.heard(to_bot)[16_000:], 16_000, -30),
        "browser": find_tones(desk.decoded(to_browser)[48_000:], 48_000, -30),
    }
    expected = {"phone": {700, 1100}, "bot": {400, 700}, "browser": {400, 1100}}
    for name, tones in expected.items():
        assert set(heard[name]) == tones
        assert all(level == pytest.approx(5000, rel=0.08) for level in heard[name].values())
    inputs = {name: slot.input for name, slot in desk.bus.look("room").slots.items()}
    assert all(look is not None and look.frames_in >= 99 and look.lost == 0 for look in inputs.values())


def test_lost_packets_are_counted_and_stay_in_the_totals_after_the_input_is_closed() -> None:
    desk = Desk()
    browser = Browser(desk, "browser", 700)
    desk.bus.open_slot("room", "ear")
    ear = desk.receive("ear")
    sent = 0

    def send() -> None:
        nonlocal sent
        sent += 1
        browser.send(desk.clock.now - 0.006, lost=sent in (40, 61))

    desk.before_tick = send
    desk.run(100)
    look = browser.input.look()
    assert look.lost == 2 and look.concealed + look.recovered >= 2
    assert desk.bus.figures().lost == 2
    desk.before_tick = lambda: None
    desk.bus.close_input("room", "browser")
    desk.run(5)
    figures = desk.bus.figures()
    assert (figures.lost, figures.inputs, figures.depths_ms) == (2, 0, ())
    assert browser.input.look().lost == 0
    browser.send(desk.clock.now)
    assert len(desk.packets[ear]) == 105


def test_whom_nobody_hears_has_a_level_for_as_long_as_somebody_looks_and_sounds_right_afterwards() -> None:
    desk = Desk()
    browser = Browser(desk, "browser", 700)
    desk.before_tick = lambda: browser.send(desk.clock.now - 0.006)
    desk.run(50)
    alone = desk.bus.look("room").slots["browser"]
    assert alone.level_dbov == -127 and not alone.talking
    desk.bus.look("room", watched=True)
    desk.run(40)
    watched = desk.bus.look("room").slots["browser"]
    assert watched.level_dbov == pytest.approx(20 * np.log10(5000 / 32_768 / np.sqrt(2)), abs=1.5)
    assert watched.talking
    desk.run(90)  # looking without watching keeps nothing decoded
    assert desk.bus.look("room").slots["browser"].level_dbov < -60
    desk.bus.look("room", watched=True)
    desk.run(10)
    desk.bus.set_fader("room", "browser", 0)
    desk.run(90)
    assert desk.bus.look("room").slots["browser"].level_dbov < -60
    desk.bus.set_fader("room", "browser", 1)
    desk.bus.open_slot("room", "ear")
    ear = desk.listen("ear", L16_16K)
    desk.run(20)
    assert set(find_tones(desk.heard(ear)[3_200:], 16_000, -30)) == {700}
