"""What the queue says of the bot's sound, and the order in which all of it is told."""

from __future__ import annotations

import pytest

from bridge.spread import Summary
from bridge.turns.meter import TurnMeter
from bridge.turns.report import Measure, TurnSettings
from tests.kit.conversation import END, one, signals, tell

pytestmark = pytest.mark.unit


def test_underruns_and_ends_are_counted() -> None:
    meter = TurnMeter(0)
    meter.bot_talking(True, 1_000)
    meter.bot_underrun(1_500)
    meter.bot_underrun(1_800)
    meter.bot_ended(3_000)
    meter.bot_talking(False, 2_980)
    meter.end(9_000)
    assert (meter.report().underruns, meter.report().played) == (2, 1)
    assert meter.report().bot.talk_ms == 1_980


def test_the_bots_sound_does_not_outlast_its_queue() -> None:
    meter = TurnMeter(0)
    meter.bot_talking(True, 1_000)
    meter.bot_ended(3_000)
    meter.bot_talking(False, 3_240)
    meter.end(9_000)
    assert meter.report().bot.talk_ms == 2_000


def test_a_bot_that_went_on_after_its_queue_had_been_empty_ended_when_the_meter_says() -> None:
    meter = TurnMeter(0)
    meter.bot_talking(True, 1_000)
    meter.bot_ended(3_000)
    meter.bot_talking(False, 8_000)
    meter.end(9_000)
    assert meter.report().bot.talk_ms == 7_000


def test_a_cut_ends_the_sound_long_before_the_meter_knows() -> None:
    meter = TurnMeter(0)
    meter.bot_talking(True, 1_000)
    meter.bot_cut(3_000)
    meter.bot_cut(3_020)
    meter.bot_talking(False, 2_990)
    meter.end(9_000)
    assert (meter.report().bot.talk_ms, meter.report().cuts, meter.report().unclear) == (2_000, 2, 0)


def test_sound_that_the_meter_joined_to_what_was_cut_is_called_unclear() -> None:
    meter = TurnMeter(0)
    meter.bot_talking(True, 1_000)
    meter.bot_cut(3_000)
    meter.bot_talking(False, 5_000)
    meter.end(9_000)
    assert (meter.report().bot.talk_ms, meter.report().unclear) == (2_000, 1)


def test_a_cut_told_just_after_the_end_that_it_caused_is_still_its_cause() -> None:
    meter = TurnMeter(0)
    meter.bot_talking(True, 1_000)
    meter.caller_talking("ann", True, 4_000)
    meter.bot_talking(False, 4_280)
    meter.bot_cut(4_300)
    meter.caller_talking("ann", False, 6_000)
    meter.end(20_000)
    assert meter.report().barge_in == one(280)


def test_ends_that_become_known_late_change_nothing() -> None:
    caller, bot = [(1_000, 3_000), (6_300, 8_000)], [(3_640, 6_500), (8_200, 9_000)]
    said = signals(caller, bot, cuts=[6_500])
    late = sorted(said, key=lambda one: one[0] + (0 if one[3] else 1_180))
    assert late != said
    told = []
    for order in (said, late):
        meter = TurnMeter(0)
        tell(meter, order)
        meter.end(END)
        told.append(meter.report())
    assert told[0] == told[1]
    assert told[0].response_delay == Summary(2, 200, 200, 640, 640)
    assert told[0].barge_in == one(200)


def test_who_tells_exact_edges_in_order_needs_no_time_to_settle() -> None:
    told: list[Measure] = []
    meter = TurnMeter(0, TurnSettings(settle_ms=0), told.append)
    said = signals([(1_000, 3_000), (6_300, 8_000)], [(3_640, 6_500), (8_200, 9_000)], cuts=[6_500])
    tell(meter, [one for one in said if one[0] <= 6_300])
    assert [one.kind for one in told] == ["turn", "first_word", "response_delay", "turn"]
    tell(meter, [one for one in said if one[0] > 6_300])
    meter.end(END)
    assert meter.report().response_delay == Summary(2, 200, 200, 640, 640)
    assert meter.report().barge_in == one(200)


def test_what_is_said_twice_counts_once() -> None:
    meter = TurnMeter(0)
    for talking, at in ((True, 1_000), (True, 1_200), (False, 2_000), (False, 2_500)):
        meter.caller_talking("ann", talking, at)
        meter.bot_talking(talking, at + 2_000)
    meter.end(10_000)
    report = meter.report()
    assert (report.caller.talk_ms, report.bot.talk_ms) == (1_000, 1_000)


def test_what_began_before_the_start_counts_from_the_start() -> None:
    meter = TurnMeter(50_000)
    meter.caller_talking("ann", True, 49_000)
    meter.caller_talking("ann", False, 51_000)
    meter.end(55_000)
    assert meter.report().caller.talk_ms == 1_000


def test_after_the_end_nothing_counts_any_more() -> None:
    meter = TurnMeter(0)
    meter.end(5_000)
    before = meter.report()
    tell(meter, signals(caller=[(6_000, 7_000)], bot=[(8_000, 9_000)], cuts=[9_000]))
    meter.bot_ended(9_000)
    meter.bot_underrun(9_000)
    meter.end(10_000)
    assert meter.report() == before


def test_figures_of_a_running_call_are_those_that_can_no_longer_change() -> None:
    meter = TurnMeter(0)
    tell(meter, signals(caller=[(1_000, 3_000)], bot=[(3_640, 5_000)]))
    early = meter.report()
    assert early.until_ms < 3_640 and early.response_delay.n == 0
    meter.caller_talking("ann", True, 9_000)
    assert meter.report().response_delay == one(640)


def test_each_measure_is_told_once_as_it_becomes_certain() -> None:
    told: list[Measure] = []
    meter = TurnMeter(0, observe=told.append)
    tell(
        meter,
        signals(caller=[(1_000, 3_000), (6_300, 8_000)], bot=[(3_640, 6_500), (8_200, 9_000)], cuts=[6_500]),
    )
    assert [(one.kind, one.at_ms, one.ms, one.how) for one in told] == [
        ("turn", 1_000, 0, "caller"),
        ("first_word", 3_640, 3_640, ""),
        ("response_delay", 3_640, 640, ""),
        ("turn", 3_640, 0, "bot"),
        ("overtalk", 6_500, 200, ""),
        ("barge_in", 6_500, 200, "cut"),
        ("turn", 6_500, 0, "caller"),
    ]
    meter.end(END)
    assert [(one.kind, one.ms) for one in told[7:]] == [("response_delay", 200), ("turn", 0)]
