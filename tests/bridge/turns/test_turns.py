"""Turns, told with exact times: response delays, sums, and figures."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest

from bridge.turns.meter import TurnMeter
from bridge.turns.report import TurnReport, TurnSettings
from tests.kit.conversation import one, signals, talk, tell

pytestmark = pytest.mark.unit


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
