"""A person who is told what to do, tick by tick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bridge.harness.clips import Clips, clip_of
from bridge.harness.prompted import Prompted
from bridge.harness.scenario import (
    Background,
    Digits,
    Expect,
    HangUp,
    Noise,
    Pause,
    Say,
    Step,
    WaitForCheckpoint,
    WaitForClear,
    WaitForSpeech,
)
from bridge.harness.voice import CheckpointReached, HeardEvent, KeysHeard, QueueCleared, Says
from tests.kit.tones import tone

pytestmark = pytest.mark.unit

HUM = tone(200, 0.02, 16_000, 6_000).astype(np.int16)
SILENCE = np.zeros(320, np.int16)
HELLO = clip_of(tone(300, 0.1, 16_000).astype(np.int16), 16_000)


class Call:
    """A prompted person, what they said, and what came of what they were asked for."""

    def __init__(self, background: Background | None = None) -> None:
        self.person = Prompted(Clips(16_000, {}, None, 1_000.0), background)
        self.said: list[Says] = []
        self.done: list[tuple[int, list[str]]] = []
        """When, and what did not come true."""

    def ask(self, step: Step) -> None:
        clip = HELLO if isinstance(step, Say) else None
        self.person.ask(step, lambda unmet: self.done.append((self.person.now_ms, unmet)), clip)

    def run(self, ticks: int, *, bot: bool = False, events: Sequence[HeardEvent] = ()) -> None:
        for tick in range(ticks):
            self.said.append(self.person.tick(HUM if bot else SILENCE, () if tick else events))


def test_nothing_is_said_until_something_is_asked_for() -> None:
    call = Call()
    call.run(5)
    call.ask(Say(file="hello"))
    call.run(7)
    loud = [bool(says.frame.any()) for says in call.said]
    assert loud == [False] * 5 + [True] * 5 + [False] * 2
    assert call.done == [(200, [])]


def test_what_does_not_come_is_told_with_its_limit() -> None:
    call = Call()
    call.ask(WaitForSpeech(within_ms=100))
    call.run(10)
    assert call.done == [(100, ["the bot did not talk within 100ms"])]


def test_all_that_was_expected_and_did_not_hold_is_told_together() -> None:
    call = Call()
    call.ask(Say(file="hello"))
    call.run(5)
    call.ask(Expect(response_within_ms=200, clear_within_ms=300))
    call.run(50)
    ((_, _), (_, unmet)) = call.done
    assert unmet == [
        "the bot did not answer within 200ms",
        "the bot did not clear what it had queued within 300ms",
    ]


def test_several_things_are_waited_for_at_once() -> None:
    call = Call()
    call.ask(WaitForClear())
    call.ask(WaitForCheckpoint(name="b"))
    call.run(3)
    call.run(1, events=[CheckpointReached("a"), CheckpointReached("b")])
    call.run(2)
    call.run(1, events=[QueueCleared()])
    assert call.done == [(80, []), (120, [])]


def test_what_is_forgotten_is_not_gone_on_with() -> None:
    call = Call()
    prompt = call.person.ask(Say(file="hello"), lambda unmet: call.done.append((0, unmet)), HELLO)
    call.run(2)
    call.person.forget(prompt)
    call.person.forget(prompt)
    call.run(5)
    assert [bool(says.frame.any()) for says in call.said] == [True, True, *[False] * 5]
    assert call.done == []


def test_keys_are_pressed_and_the_call_is_hung_up_when_they_have_rung_out() -> None:
    call = Call()
    call.ask(Digits(keys="12", gap_ms=100))
    call.run(6)
    assert call.done == [(100, [])]
    call.ask(HangUp())
    call.run(5)
    assert [says.keys for says in call.said if says.keys] == ["1", "2"]
    assert [says.hangs_up for says in call.said].index(True) == 10
    call.person.over = True
    assert call.person.tick(SILENCE, ()).hangs_up


def test_what_happens_is_kept_with_its_time() -> None:
    call = Call()
    call.run(5, events=[KeysHeard("4"), CheckpointReached("a")])
    call.run(10, bot=True)
    call.run(1, events=[QueueCleared(), KeysHeard("2")])
    assert call.person.utterances == [(120, 320)]
    assert list(call.person.reached) == [(0, "a")]
    assert list(call.person.cleared_ms) == [320]
    assert call.person.keys_heard == "42"


def test_what_was_heard_is_cut_out_by_time() -> None:
    call = Call()
    call.run(5)
    call.run(10, bot=True)
    call.run(5)
    assert len(call.person.heard()) == 20 * 320
    assert np.array_equal(call.person.heard(120, 320), np.tile(HUM, 10))
    assert np.array_equal(call.person.heard(300), np.concatenate((HUM, np.zeros(5 * 320, np.int16))))
    assert len(call.person.heard(60, 40)) == 0


def test_the_oldest_of_what_was_heard_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.harness.prompted.MAX_HEARD_S", 1)
    call = Call()
    call.run(50)
    call.run(20, bot=True)
    assert len(call.person.heard()) == 50 * 320
    assert np.array_equal(call.person.heard(1_020, 1_420), np.tile(HUM, 20))
    assert len(call.person.heard(0, 200)) == 0


def test_noise_goes_on_while_nothing_is_asked_for() -> None:
    noisy = Call(Background(noise=Noise(colour="white", snr_db=10)))
    noisy.ask(Pause(for_ms=100))
    noisy.run(10)
    assert all(says.frame.any() and says.speech is not None and not says.speech.any() for says in noisy.said)
