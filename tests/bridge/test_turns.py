"""Turns, told with exact times: each test is a little conversation, written as who sounds when."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import msgspec
import pytest

from bridge.spread import Summary
from bridge.turns import Measure, TurnMeter, TurnReport, TurnSettings

pytestmark = pytest.mark.unit

END = 30_000
Span = tuple[int, int]


def one(ms: int) -> Summary:
    return Summary(1, ms, ms, ms, ms)


def signals(
    caller: Sequence[Span] = (),
    bot: Sequence[Span] = (),
    cuts: Sequence[int] = (),
    others: Sequence[Span] = (),
) -> list[tuple[int, int, str, bool]]:
    """(time, rank, who, talking) in order; a cut is said before the end of sound that it causes."""
    said = [(at, 2, "ann", True) for at, _ in caller] + [(at, 1, "ann", False) for _, at in caller]
    said += [(at, 2, "bob", True) for at, _ in others] + [(at, 1, "bob", False) for _, at in others]
    said += [(at, 2, "bot", True) for at, _ in bot] + [(at, 1, "bot", False) for _, at in bot]
    return sorted(said + [(at, 0, "cut", True) for at in cuts])


def tell(meter: TurnMeter, said: Sequence[tuple[int, int, str, bool]]) -> None:
    for at, _, who, talking in said:
        if who == "cut":
            meter.bot_cut(at)
        elif who == "bot":
            meter.bot_talking(talking, at)
        else:
            meter.caller_talking(who, talking, at)


def talk(
    caller: Sequence[Span] = (),
    bot: Sequence[Span] = (),
    cuts: Sequence[int] = (),
    others: Sequence[Span] = (),
    until: int = END,
) -> TurnReport:
    meter = TurnMeter(0)
    tell(meter, [one for one in signals(caller, bot, cuts, others) if one[0] <= until])
    meter.end(until)
    return meter.report()


# --- response delay ---


def test_response_delay_is_the_silence_between_the_callers_end_and_the_bots_beginning() -> None:
    report = talk(caller=[(1_000, 3_000)], bot=[(3_640, 5_000)])
    assert report.response_delay == one(640)
    assert (report.caller.turns, report.bot.turns) == (1, 1)


def test_a_caller_who_goes_on_after_a_pause_is_answered_from_their_last_end() -> None:
    report = talk(caller=[(1_000, 2_000), (3_000, 4_000)], bot=[(4_500, 5_000)])
    assert report.response_delay == one(500)
    assert (report.caller.turns, report.caller.utterances) == (1, 2)


def test_a_bots_sentences_are_one_turn_and_its_pauses_no_delays() -> None:
    report = talk(caller=[(1_000, 2_000)], bot=[(2_500, 4_000), (5_000, 7_000)])
    assert report.response_delay == one(500)
    assert (report.bot.turns, report.bot.utterances) == (1, 2)


def test_a_greeting_is_a_first_word_and_no_response() -> None:
    report = talk(bot=[(700, 2_000)], caller=[(2_300, 4_000)])
    assert report.first_word_ms == 700
    assert report.response_delay.n == 0


def test_a_bot_that_never_speaks_has_no_first_word() -> None:
    report = talk(caller=[(1_000, 2_000)])
    assert report.first_word_ms is None
    assert report.unanswered == 1


def test_a_response_after_the_limit_is_none() -> None:
    report = talk(caller=[(1_000, 2_000)], bot=[(12_001, 13_000)])
    assert (report.response_delay.n, report.unanswered) == (0, 1)
    assert talk(caller=[(1_000, 2_000)], bot=[(12_000, 13_000)]).response_delay == one(10_000)


def test_an_end_of_the_call_leaves_nobody_unanswered_before_the_limit() -> None:
    assert talk(caller=[(1_000, 2_000)], until=11_000).unanswered == 0


def test_callers_are_one_side_and_the_last_of_them_is_answered() -> None:
    report = talk(caller=[(1_000, 3_000)], others=[(2_500, 4_000), (5_000, 6_000)], bot=[(6_300, 7_000)])
    assert report.response_delay == one(300)
    assert (report.caller.turns, report.caller.utterances) == (1, 2)
    assert report.caller.talk_ms == 4_000
    assert report.overtalk_ms == 0


def test_a_bot_that_begins_within_the_last_word_answers_at_once() -> None:
    report = talk(caller=[(1_000, 3_000)], bot=[(2_900, 5_000)])
    assert report.response_delay == one(0)
    assert report.bot_interruptions == 0
    assert report.overtalk_ms == 100


# --- who talks over whom ---


def test_a_bot_that_begins_well_before_the_caller_ends_interrupts() -> None:
    report = talk(caller=[(1_000, 4_000)], bot=[(2_000, 6_000)])
    assert (report.bot_interruptions, report.interruptions) == (1, 0)
    assert report.response_delay.n == 0
    assert report.overtalk_ms == 2_000
    assert (report.caller.turns, report.bot.turns) == (1, 1)


def test_a_bot_that_interrupts_and_gives_up_is_still_awaited() -> None:
    report = talk(caller=[(1_000, 6_000)], bot=[(2_000, 2_300), (6_500, 7_000)], cuts=[2_300])
    assert report.bot_interruptions == 1
    assert report.response_delay == one(500)
    assert (report.caller.turns, report.bot.turns) == (1, 2)


def test_a_bots_backchannel_is_neither_a_turn_nor_an_interruption() -> None:
    report = talk(caller=[(1_000, 6_000)], bot=[(3_000, 3_400), (6_500, 7_000)])
    assert report.bot.backchannels == 1
    assert (report.bot_interruptions, report.bot.turns) == (0, 1)
    assert report.response_delay == one(500)


def test_a_cut_bot_has_yielded_in_the_time_since_the_callers_onset() -> None:
    report = talk(bot=[(1_000, 4_320)], caller=[(4_000, 6_000)], cuts=[4_320])
    assert report.barge_in == one(320)
    assert (report.interruptions, report.not_yielded, report.cuts) == (1, 0, 1)
    assert report.overtalk == one(320)


def test_the_answer_to_a_barge_in_is_measured_from_its_end() -> None:
    report = talk(bot=[(1_000, 4_320), (6_700, 8_000)], caller=[(4_000, 6_000)], cuts=[4_320])
    assert report.response_delay == one(700)
    assert (report.bot.turns, report.caller.turns) == (2, 1)


def test_a_single_word_that_stops_the_bot_is_a_barge_in_and_is_answered() -> None:
    report = talk(bot=[(1_000, 4_900), (6_000, 8_000)], caller=[(4_000, 4_400)], cuts=[4_900])
    assert report.barge_in == one(900)
    assert report.caller.backchannels == 0
    assert report.response_delay == one(1_600)


def test_a_single_word_that_does_not_stop_the_bot_is_a_backchannel() -> None:
    report = talk(bot=[(1_000, 9_000)], caller=[(4_000, 4_400)])
    assert report.caller.backchannels == 1
    assert (report.interruptions, report.caller.turns, report.unanswered) == (0, 0, 0)
    assert report.overtalk_ms == 400


def test_a_backchannel_at_the_end_of_a_bots_words_is_one_too() -> None:
    report = talk(bot=[(1_000, 5_000)], caller=[(4_000, 4_400)])
    assert (report.caller.backchannels, report.interruptions) == (1, 0)


def test_a_bot_that_goes_on_has_not_yielded() -> None:
    report = talk(bot=[(1_000, 9_000)], caller=[(4_000, 6_000)])
    assert (report.not_yielded, report.interruptions, report.barge_in.n) == (1, 1, 0)
    assert report.response_delay.n == 0
    assert report.unanswered == 0


def test_a_cut_after_the_limit_is_no_reaction_any_more() -> None:
    report = talk(bot=[(1_000, 7_500)], caller=[(4_000, 9_000)], cuts=[7_500])
    assert (report.not_yielded, report.barge_in.n) == (1, 0)
    assert talk(bot=[(1_000, 7_000)], caller=[(4_000, 9_000)], cuts=[7_000]).barge_in == one(3_000)


def test_a_bot_whose_words_end_by_themselves_soon_after_has_run_out() -> None:
    report = talk(bot=[(1_000, 5_200)], caller=[(4_000, 7_000)])
    assert report.barge_in_ran_out == one(1_200)
    assert (report.barge_in.n, report.not_yielded, report.interruptions) == (0, 0, 1)


def test_a_caller_who_begins_within_the_bots_last_word_interrupts_nobody() -> None:
    report = talk(bot=[(1_000, 4_150), (7_300, 8_000)], caller=[(4_000, 7_000)])
    assert (report.interruptions, report.caller.backchannels, report.caller.turns) == (0, 0, 1)
    assert report.response_delay == one(300)


def test_a_backchannel_before_a_barge_in_does_not_lengthen_its_reaction() -> None:
    report = talk(bot=[(1_000, 6_400)], caller=[(4_000, 4_300), (6_000, 8_000)], cuts=[6_400])
    assert report.barge_in == one(400)
    assert report.caller.backchannels == 1


def test_a_caller_who_tries_again_is_still_the_same_barge_in() -> None:
    report = talk(bot=[(1_000, 6_400)], caller=[(4_000, 5_200), (6_000, 8_000)], cuts=[6_400])
    assert report.barge_in == one(2_400)
    assert report.interruptions == 1


def test_a_cut_while_nobody_speaks_interrupts_nothing() -> None:
    report = talk(bot=[(1_000, 3_000)], cuts=[3_000])
    assert (report.cuts, report.interruptions) == (1, 0)
    assert report.bot.talk_ms == 2_000


def test_a_cut_in_silence_leaves_no_trace_in_the_next_turn() -> None:
    report = talk(bot=[(1_000, 2_000), (5_000, 6_000)], cuts=[4_000])
    assert (report.cuts, report.bot.talk_ms, report.unclear) == (1, 2_000, 0)


# --- sums ---


def test_talk_silence_and_overtalk_add_up() -> None:
    report = talk(caller=[(1_000, 3_000)], bot=[(2_500, 5_000), (9_000, 10_000)], until=12_000)
    assert (report.caller.talk_ms, report.bot.talk_ms, report.overtalk_ms) == (2_000, 3_500, 500)
    assert report.overtalk_share == 0.1
    assert report.longest_silence_ms == 4_000
    assert (report.start_ms, report.until_ms) == (0, 12_000)


def test_silence_before_the_first_and_after_the_last_word_counts() -> None:
    assert talk(bot=[(5_000, 6_000)], until=7_000).longest_silence_ms == 5_000
    assert talk(bot=[(1_000, 2_000)], until=9_000).longest_silence_ms == 7_000
    assert talk(until=9_000).longest_silence_ms == 9_000


def test_what_is_open_at_the_end_is_counted_up_to_it_and_not_judged() -> None:
    report = talk(bot=[(1_000, 90_000)], caller=[(4_000, 90_000)], until=5_500)
    assert (report.bot.talk_ms, report.caller.talk_ms, report.overtalk_ms) == (4_500, 1_500, 1_500)
    assert report.overtalk == one(1_500)
    assert (report.interruptions, report.caller.turns) == (0, 0)


def test_a_gap_within_a_word_is_no_pause_but_one_after_a_cut_is() -> None:
    report = talk(caller=[(1_000, 2_000), (2_199, 3_000)], bot=[(3_500, 4_000)])
    assert (report.caller.utterances, report.caller.talk_ms) == (1, 2_000)
    assert talk(caller=[(1_000, 2_000), (2_200, 3_000)]).caller.utterances == 2
    assert talk(bot=[(1_000, 2_000), (2_100, 3_000)], cuts=[2_000]).bot.utterances == 2


def test_one_caller_who_takes_over_from_another_makes_no_pause() -> None:
    report = talk(caller=[(1_000, 2_000)], others=[(2_000, 3_000)])
    assert (report.caller.utterances, report.caller.talk_ms) == (1, 2_000)


# --- the queue's word, and the order of things ---


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


def test_a_report_is_json() -> None:
    report = talk(caller=[(1_000, 3_000)], bot=[(3_640, 5_000)])
    read = msgspec.json.decode(msgspec.json.encode(report))
    assert read["response_delay"] == {"n": 1, "min": 640, "p50": 640, "p95": 640, "max": 640}
    assert read["barge_in"] == {"n": 0, "min": None, "p50": None, "p95": None, "max": None}
    assert read["caller"] == {"turns": 1, "utterances": 1, "talk_ms": 2_000, "backchannels": 0}
    assert msgspec.convert(read, TurnReport) == report


def test_a_day_long_call_takes_no_more_memory_than_a_short_one() -> None:
    meter = TurnMeter(0)
    chance = random.Random(5)
    at = 0
    for _ in range(20_000):
        tell(
            meter,
            signals(caller=[(at + 100, at + 1_100)], bot=[(at + 1_300 + chance.randrange(900), at + 4_000)]),
        )
        at += 4_000
    assert len(meter._line._marks) < 10 and len(meter._line._last) < 10
    meter.end(at)
    assert meter.report().response_delay.n == 20_000
    assert meter.report().response_delay.p50 == pytest.approx(650, abs=15)


def test_random_conversations_keep_their_sums() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        spans = []
        for _ in range(3):
            at, side = 0, []
            for _ in range(chance.randrange(12)):
                begin = at + chance.randrange(200, 3_000)
                at = begin + chance.randrange(1, 3_000)
                side.append((begin, at))
            spans.append(side)
        cuts = [end for _, end in spans[1] if chance.random() < 0.4]
        report = talk(spans[0], spans[1], cuts, spans[2], until=60_000)
        sounding = [set(itertools.chain(*(range(*span) for span in side))) for side in spans]
        callers = sounding[0] | sounding[2]
        gaps = [b for b in range(60_000) if b in callers]  # what the union is before pauses are closed
        assert report.bot.talk_ms == len(sounding[1])
        assert 0 <= report.caller.talk_ms - len(gaps) < 200 * (report.caller.utterances + 30)
        assert report.overtalk_ms <= min(report.bot.talk_ms, report.caller.talk_ms)
        assert report.interruptions == report.barge_in.n + report.barge_in_ran_out.n + report.not_yielded
        assert abs(report.caller.turns - report.bot.turns) <= 1 + report.bot_interruptions
        assert report.response_delay.n + report.unanswered <= report.caller.utterances


def test_settings_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError):
        TurnSettings(pause_ms=-1)
    with pytest.raises(ValueError):
        TurnSettings(yield_limit_ms=500, backchannel_ms=1_000)
