"""Turns measured behind the mixer: play queues, meters and cuts as they are in a room."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.core.events import QueueCleared, QueueRanDry, TalkingChanged
from bridge.core.ports import L16_8K
from bridge.core.settings import CoreSettings
from bridge.switch_events import PlayEnded, Talking
from bridge.turns.report import Measure
from bridge.turns.watch import TurnWatch
from tests.kit.mixing import Desk
from tests.kit.switchboards import FakeSwitchboard
from tests.kit.tones import speech_like

pytestmark = pytest.mark.unit


class Stage:
    """A caller and a bot with play queues in a room, watched."""

    def __init__(self) -> None:
        self.desk, self.board = Desk(CoreSettings()), FakeSwitchboard()
        self.ann, self.bot = self.desk.seat("ann"), self.desk.seat("bot")
        self.desk.listen("ann")
        self.desk.listen("bot")
        self.now = 0
        self.measures: list[Measure] = []
        self.watch = TurnWatch(self.board, lambda: self.now, CoreSettings().meter, self.measures.append)
        self.watch.watch("room", "bot", lambda who: who == "ann")

    def run(self, ms: int) -> None:
        for _ in range(ms // 20):
            told = len(self.desk.events)
            self.desk.run(1)
            for event in self.desk.events[told:]:
                match event:
                    case TalkingChanged(room, slot, talking, ago_ms):
                        self.board.emit(Talking(room, slot, "primary", talking, ago_ms))
                    case QueueCleared(room, slot):
                        self.board.emit(PlayEnded(room, slot, "cut"))
                    case QueueRanDry(room, slot, underrun):
                        self.board.emit(PlayEnded(room, slot, "underrun" if underrun else "played"))
            self.now += 20


def words(seconds: float, seed: int) -> bytes:
    """Speech with a hard end."""
    sound = speech_like(seconds, L16_8K.rate_hz, seed=seed)
    sound[-800:] = speech_like(0.4, L16_8K.rate_hz, seed=7)[:800]
    return sound.astype(np.int16).tobytes()


def test_a_conversation_is_measured_as_it_was_heard() -> None:
    stage = Stage()
    stage.run(1_000)
    stage.ann.play(words(2.0, 1))
    stage.run(2_000 + 600)
    stage.bot.play(words(6.0, 2))
    stage.run(2_000)
    stage.ann.play(words(1.0, 3))
    stage.run(300)
    stage.bot.clear()
    stage.run(700 + 240)  # the bot is quicker than the meter would have been to find it silent
    stage.bot.play(words(1.0, 4))
    stage.run(5_000)
    report = stage.watch.unwatch("room", "bot")
    delays = [one.ms for one in stage.measures if one.kind == "response_delay"]
    assert delays == pytest.approx([600, 240], abs=40)
    assert report.barge_in.n == 1 and report.barge_in.p50 == pytest.approx(300, abs=20)
    assert (report.unclear, report.cuts, report.bot.turns, report.caller.turns) == (0, 1, 2, 2)
    assert report.bot.talk_ms == pytest.approx(3_300, abs=60)


def test_what_is_played_right_after_a_clear_is_a_new_utterance() -> None:
    stage = Stage()
    stage.bot.play(words(6.0, 2))
    stage.run(3_000)
    stage.bot.clear()
    stage.bot.play(words(2.0, 4))
    stage.run(6_000)
    report = stage.watch.unwatch("room", "bot")
    assert (report.bot.utterances, report.bot.turns, report.unclear) == (2, 1, 0)
    assert report.bot.talk_ms == pytest.approx(5_000, abs=60)
