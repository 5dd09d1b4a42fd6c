"""Streams that are watched: what the switchboard says becomes turns, on the clock of the sound."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from bridge.core.edges import Edges, EdgeState, meter_lag
from bridge.core.meter import Meter, MeterSettings, MeterState
from bridge.switch_events import Digit, LegDown, PlayEnded, Talking
from bridge.turns.figures import TurnFigures
from bridge.turns.report import Measure
from bridge.turns.watch import TurnWatch
from tests.kit.switchboards import FakeSwitchboard
from tests.kit.tones import speech_like

pytestmark = pytest.mark.unit

START = 1_700_000_000_000
RATE = 8_000
TICK = RATE // 50


@dataclass
class House:
    """A watch on a switchboard that says what the test says, at the times that it says."""

    board: FakeSwitchboard = field(default_factory=FakeSwitchboard)
    now: int = START
    measures: list[Measure] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = TurnWatch(self.board, lambda: self.now, MeterSettings(), self.measures.append)

    def says(self, ms: int, who: str, talking: bool, *, room: str = "r", name: str = "primary") -> None:
        """The event comes 500 ms later, and says so."""
        self.now = START + ms + 500
        self.board.emit(Talking(room, who, name, talking, ago_ms=500))  # type: ignore[arg-type]

    def plays(self, ms: int, how: str, who: str = "bot") -> None:
        self.now = START + ms
        self.board.emit(PlayEnded("r", who, how))  # type: ignore[arg-type]

    def finish(self, ms: int) -> None:
        self.now = START + ms


def test_a_stream_on_a_participant_is_measured_against_them_alone() -> None:
    house = House()
    house.watch.watch("r", "bot", lambda who: who == "ann")
    house.says(1_000, "ann", True)
    house.says(2_000, "bob", True)
    house.says(3_000, "ann", False)
    house.says(3_700, "bot", True)
    house.says(5_000, "bot", False)
    house.says(6_000, "bob", False)
    house.finish(10_000)
    report = house.watch.unwatch("r", "bot")
    assert (report.response_delay.n, report.response_delay.p50) == (1, 700)
    assert (report.caller.talk_ms, report.bot.talk_ms, report.overtalk_ms) == (2_000, 1_300, 0)
    assert (report.start_ms, report.until_ms) == (START, START + 10_000)


def test_a_bot_in_a_conference_hears_everybody_else_but_not_other_bots() -> None:
    house = House()
    for bot in ("bot", "other"):
        house.watch.watch("r", bot, lambda who: who in ("ann", "bob"))
    house.says(1_000, "ann", True)
    house.says(2_000, "bob", True)
    house.says(2_500, "ann", False)
    house.says(4_000, "bob", False)
    house.says(4_400, "bot", True)
    house.says(5_000, "other", True)
    house.says(6_000, "bot", False)
    house.says(7_000, "other", False)
    house.finish(12_000)
    first, second = house.watch.unwatch("r", "bot"), house.watch.unwatch("r", "other")
    assert (first.response_delay.p50, second.response_delay.p50) == (400, 1_000)
    assert first.caller == second.caller


def test_what_becomes_of_the_queue_is_told_to_its_own_meter_only() -> None:
    house = House()
    house.watch.watch("r", "bot", lambda who: True)
    house.watch.watch("r", "other", lambda who: False)
    house.says(1_000, "bot", True)
    house.says(4_000, "ann", True)
    house.plays(4_300, "cut")
    house.plays(4_400, "underrun")
    house.plays(4_500, "played", who="other")
    house.plays(4_600, "played", who="nobody")
    house.says(4_310, "bot", False)
    house.says(6_000, "ann", False)
    house.finish(9_000)
    mine, others = house.watch.unwatch("r", "bot"), house.watch.unwatch("r", "other")
    assert (mine.barge_in.p50, mine.cuts, mine.underruns, mine.played) == (300, 1, 1, 0)
    assert (others.cuts, others.underruns, others.played) == (0, 0, 1)


def test_other_rooms_other_inputs_and_other_events_are_not_listened_to() -> None:
    house = House()
    house.watch.watch("r", "bot", lambda who: True)
    house.says(1_000, "ann", True, room="elsewhere")
    house.says(1_000, "ann", True, name="secondary")
    house.board.emit(Digit("r", "ann", "5"))
    house.finish(5_000)
    assert house.watch.unwatch("r", "bot").caller.utterances == 0


def test_who_leaves_has_ceased_to_speak() -> None:
    house = House()
    house.watch.watch("r", "bot", lambda who: True)
    house.says(1_000, "ann", True)
    house.now = START + 3_000
    house.board.emit(LegDown("r", "ann", "gone"))
    house.says(3_800, "bot", True)
    house.now = START + 6_000
    house.board.emit(LegDown("r", "bot", "gone"))
    house.finish(9_000)
    report = house.watch.unwatch("r", "bot")
    assert (report.caller.talk_ms, report.response_delay.p50, report.bot.talk_ms) == (2_000, 800, 2_200)


def test_who_is_no_longer_heard_in_mid_sentence_ends_it_all_the_same() -> None:
    house = House()
    heard = {"ann"}
    house.watch.watch("r", "bot", heard.__contains__)
    house.says(1_000, "ann", True)
    heard.clear()
    house.says(3_000, "ann", False)
    house.says(4_000, "ann", True)
    house.finish(9_000)
    assert house.watch.unwatch("r", "bot").caller.talk_ms == 2_000


def test_who_speaks_when_the_stream_begins_is_heard_from_there() -> None:
    house = House()
    house.watch.watch("r", "bot", lambda who: who != "carl", sounding=("ann", "bot", "carl"))
    house.says(2_000, "ann", False)
    house.says(2_600, "bot", True)
    house.finish(9_000)
    report = house.watch.unwatch("r", "bot")
    assert (report.caller.talk_ms, report.response_delay.p50, report.bot.talk_ms) == (2_000, 600, 6_400)


def test_a_stream_has_one_meter_until_it_is_not_watched_any_more() -> None:
    house = House()
    meter = house.watch.watch("r", "bot", lambda who: True)
    assert house.watch.watch("r", "bot", lambda who: True) is meter
    assert house.watch.report("r", "bot") is not None
    house.watch.unwatch("r", "bot")
    assert house.watch.report("r", "bot") is None
    with pytest.raises(KeyError):
        house.watch.unwatch("r", "bot")
    assert house.watch.watch("r", "bot", lambda who: True) is not meter


def test_without_a_true_time_the_meters_usual_lag_is_taken_off() -> None:
    house = House()
    house.watch.watch("r", "bot", lambda who: True)
    lag = meter_lag(MeterSettings())
    house.now = START + 1_000 + lag.began_ms
    house.board.emit(Talking("r", "ann", "primary", True))
    house.now = START + 3_000 + lag.ended_ms
    house.board.emit(Talking("r", "ann", "primary", False))
    house.finish(9_000)
    assert house.watch.unwatch("r", "bot").caller.talk_ms == 2_000


def test_measures_of_all_streams_come_to_one_place() -> None:
    house, figures = House(), TurnFigures()
    house.watch.watch("r", "bot", lambda who: who == "ann")
    house.watch.watch("r", "other", lambda who: who == "ann")
    house.says(1_000, "ann", True)
    house.says(2_000, "ann", False)
    house.says(2_500, "bot", True)
    house.says(2_700, "other", True)
    house.finish(9_000)
    house.watch.unwatch("r", "bot")
    house.watch.unwatch("r", "other")
    for measure in house.measures:
        figures.observe(measure)
    assert figures.response_delay.count == 2
    assert figures.turns == {"caller": 2, "bot": 2}


# --- with the mixer's own meter ---


def speech(seconds: float, dbov: float, seed: int) -> np.ndarray:
    """Speech of a level, whose last syllable is cut off hard, so that its end is known to the sample."""
    sound = speech_like(seconds, RATE, seed=seed).astype(np.float64)
    tail = int(0.12 * RATE)
    sound[-tail:] = speech_like(0.4, RATE, seed=seed + 50)[:tail]
    loud = np.abs(sound) > np.abs(sound).max() / 50
    sound *= 32_767 * 10 ** (dbov / 20) / np.sqrt(np.mean(sound[loud] ** 2))
    first = np.flatnonzero(np.abs(sound) > 32_767 * 10 ** (-40 / 20))[0]
    return sound[first:]


@pytest.mark.parametrize(("caller_dbov", "bot_dbov"), [(-14, -26), (-26, -14), (-34, -20), (-20, -34)])
@pytest.mark.parametrize("seed", [0, 2, 3])
def test_delays_through_the_real_meter_are_the_true_ones(
    caller_dbov: float, bot_dbov: float, seed: int
) -> None:
    """Three exchanges at delays of 240, 570 and 1,130 ms; then a barge-in, cut after 310 ms."""
    house = House()
    house.watch.watch("r", "bot", lambda who: who == "ann")
    sides = {"ann": np.zeros(40 * RATE), "bot": np.zeros(40 * RATE)}

    def put(who: str, at_ms: float, sound: np.ndarray) -> float:
        begin = int(at_ms * RATE / 1000)
        sides[who][begin : begin + len(sound)] += sound
        return (begin + len(sound)) * 1000 / RATE

    at = 1_000.0
    for delay in (240, 570, 1_130):
        end = put("ann", at, speech(1.5, caller_dbov, seed))
        at = put("bot", end + delay, speech(1.2, bot_dbov, seed + 1)) + 1_900
    at = round(at / 20) * 20
    put("bot", at, speech(5.0, bot_dbov, seed + 2))
    put("ann", at + 2_010, speech(2.0, caller_dbov, seed))
    cut_ms = at + 2_320
    sides["bot"][int(cut_ms * RATE / 1000) :] = 0

    settings = MeterSettings()
    meter, state = Meter(settings), MeterState(1, 2)
    edges, memory = Edges(settings), EdgeState(1, 2)
    for tick in range(40 * 50):
        house.now = START + tick * 20
        powers = np.array(
            [[np.mean(side[tick * TICK : (tick + 1) * TICK] ** 2) for side in sides.values()]], np.float32
        )
        edges.note(memory, powers)
        for slot in meter.read(state, powers):
            talking = bool(state.talking.reshape(-1)[slot])
            ago = edges.ago_ms(memory, int(slot), talking)
            house.board.emit(Talking("r", list(sides)[slot], "primary", talking, ago))
        if tick * 20 == cut_ms:
            house.board.emit(PlayEnded("r", "bot", "cut"))
    report = house.watch.unwatch("r", "bot")
    delays = [measure.ms for measure in house.measures if measure.kind == "response_delay"]
    assert delays == pytest.approx([240, 570, 1_130], abs=30)
    assert report.barge_in.n == 1
    assert report.barge_in.p50 == pytest.approx(310, abs=20)
    assert (report.bot_interruptions, report.not_yielded, report.unclear) == (0, 0, 0)
    assert report.overtalk_ms == pytest.approx(310, abs=20)
