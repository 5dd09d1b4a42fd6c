"""From when to when each side spoke: known speech gives exactly those utterances."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bridge.harness.ear_watch import EarWatch
from bridge.harness.phone_playout import PhonePlayout
from bridge.harness.sound import Samples
from bridge.harness.speech import SpeechLines
from bridge.harness.speech_bands import SpeechBands
from bridge.harness.timeline import Timeline
from bridge.legs.plivo_play_wire import ClearAudio
from bridge.turns.report import TurnSettings
from tests.kit.tones import tone

pytestmark = pytest.mark.unit

FRAME = 320
CLEAR = b'{"event": "clearAudio"}'
Bands = list[tuple[int, int]]


def bands(*spans_ms: tuple[int, int], until_ms: int = 2_000, cuts_ms: tuple[int, ...] = ()) -> Bands:
    found = SpeechBands(200)
    for at_ms in range(0, until_ms, 20):
        if at_ms in cuts_ms:
            found.cut(at_ms)
        found.take(any(begin <= at_ms < end for begin, end in spans_ms), at_ms)
    return found.until(until_ms)


class Call:
    """A caller's ear and mouth without sockets: a tick is 20 ms."""

    def __init__(self) -> None:
        self.timeline = Timeline(lambda: self.ticks * 0.02)
        self.playout = PhonePlayout(16_000)
        self.ticks = 0
        self.ear = EarWatch(self.timeline, self.playout, SpeechLines(), TurnSettings())
        self.timeline.begin()

    def plays(self, ms: int) -> None:
        samples = tone(1_000, ms / 1000, 16_000).astype(np.int16)
        self.playout.queue(samples)
        self.ear.queued(samples)

    def clears(self) -> None:
        self.ear.took(ClearAudio(), CLEAR, True)
        self.playout.clear()

    def ticks_on(self, until_ms: int, *, speaks: bool = False) -> None:
        while self.ticks * 20 < until_ms:
            said: Samples = np.zeros(FRAME, np.int16)
            if speaks:
                said = tone(440, 0.02, 16_000).astype(np.int16)
            heard, _ = self.playout.tick()
            self.ear.ticked(said, said, heard, 0.0)
            self.ticks += 1


def test_what_lies_between_two_pauses_is_one_utterance() -> None:
    assert bands((100, 500), (700, 900)) == [(100, 500), (700, 900)]
    assert bands((100, 500), (680, 900)) == [(100, 900)]
    assert bands() == []


def test_speech_that_goes_on_at_the_end_ends_there() -> None:
    assert bands((100, 5_000), until_ms=1_000) == [(100, 1_000)]


def test_a_cut_ends_an_utterance_and_nothing_continues_it() -> None:
    assert bands((100, 500), (540, 900), cuts_ms=(500,)) == [(100, 500), (540, 900)]
    assert bands((100, 900), cuts_ms=(500,)) == [(100, 500), (500, 900)]
    # The cut came a little after the sound had ceased; and long after, it is of nothing.
    assert bands((100, 500), (600, 900), cuts_ms=(560,)) == [(100, 500), (600, 900)]
    assert bands((100, 500), (600, 900), cuts_ms=(580,)) == [(100, 900)]


def test_known_speech_of_both_sides_comes_out_to_the_millisecond() -> None:
    call = Call()
    call.ticks_on(100)
    call.ticks_on(500, speaks=True)
    call.ticks_on(600)
    call.plays(400)  # heard from the next tick on, and that 20 ms are heard after they were said
    call.ticks_on(1_600)
    call.ticks_on(1_900, speaks=True)
    call.ticks_on(2_000)
    assert call.ear.speech() == ([(100, 500), (1_600, 1_900)], [(620, 1_020)])


def test_a_clear_cuts_what_is_heard_with_the_frame_in_the_ear() -> None:
    call = Call()
    call.plays(2_000)
    call.ticks_on(1_000)
    call.clears()
    call.ticks_on(1_100)
    call.plays(200)  # 100 ms later: no pause, and still another utterance
    call.ticks_on(2_000)
    assert call.ear.speech()[1] == [(20, 1_020), (1_120, 1_320)]


def test_what_is_played_at_once_after_a_clear_begins_anew() -> None:
    call = Call()
    call.plays(2_000)
    call.ticks_on(1_000)
    call.clears()
    call.plays(300)
    call.ticks_on(2_000)
    assert call.ear.speech()[1] == [(20, 1_020), (1_020, 1_320)]


@pytest.mark.parametrize("seed", range(20))
def test_utterances_are_those_that_the_turn_meter_counts(seed: int) -> None:
    dice, call = random.Random(seed), Call()
    for _ in range(60):
        match dice.randrange(4):
            case 0:
                call.plays(20 * dice.randint(1, 40))
            case 1 if not call.ear.bot.on or call.playout.waiting_ms:
                call.clears()
                call.ticks_on(call.ticks * 20 + 20)
        call.ticks_on(call.ticks * 20 + 20 * dice.randint(1, 30), speaks=dice.random() < 0.5)
    call.ticks_on(call.ticks * 20 + 20 * 60)
    said, heard = call.ear.speech()
    turns = call.ear.end()
    assert said and heard
    assert (len(said), sum(end - begin for begin, end in said)) == (
        turns.caller.utterances,
        turns.caller.talk_ms,
    )
    assert (len(heard), sum(end - begin for begin, end in heard)) == (turns.bot.utterances, turns.bot.talk_ms)
