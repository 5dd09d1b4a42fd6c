"""Who talks over whom, and what comes of it."""

from __future__ import annotations

import pytest

from tests.kit.conversation import one, talk

pytestmark = pytest.mark.unit


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
