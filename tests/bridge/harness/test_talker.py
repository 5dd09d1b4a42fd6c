from __future__ import annotations

import numpy as np
import pytest

from bridge.core.ports import L16_16K
from bridge.harness.talker import ANSWER_LIMIT_MS, LISTEN_LIMIT_MS, Talker, Words
from tests.kit.tones import tone

pytestmark = pytest.mark.unit

SILENCE = np.zeros(320, np.int16)
SOUND = tone(1_000, 0.02, 16_000).astype(np.int16)
WORDS = tone(440, 0.1, 16_000).astype(np.int16)


def hangs_up_at(talker: Talker, answer_ms: range, most_ms: int = 70_000) -> int:
    """The bot sounds in those 20 ms of the call."""
    for at_ms in range(0, most_ms, 20):
        says = talker.tick(SOUND if at_ms in answer_ms else SILENCE, [])
        if says.hangs_up:
            return at_ms + 20
    raise AssertionError("never")


def test_it_says_the_file_and_hangs_up_a_second_after_the_answer() -> None:
    assert hangs_up_at(Talker(Words(WORDS, L16_16K)), range(500, 900, 20)) == 900 + 1000


def test_without_an_answer_it_waits_so_long_that_there_is_none() -> None:
    assert hangs_up_at(Talker(Words(WORDS, L16_16K)), range(0)) == 100 + ANSWER_LIMIT_MS


def test_a_bot_without_end_is_not_listened_to_for_ever() -> None:
    assert hangs_up_at(Talker(Words(WORDS, L16_16K)), range(200, 100_000, 20)) == 100 + LISTEN_LIMIT_MS


def test_with_a_time_to_hold_it_begins_again_after_each_answer_and_hangs_up_in_time() -> None:
    talker = Talker(Words(WORDS, L16_16K), hold_s=3.0)
    said = [talker.tick(SOUND if 10 <= tick < 20 else SILENCE, []) for tick in range(150)]
    assert [says.hangs_up for says in said] == [False] * 149 + [True]
    spoke = [tick for tick, says in enumerate(said) if says.frame.any()]
    # Until 20 the bot answers, 50 ticks later it is certain that it has finished, and the next says it anew.
    assert spoke == [*range(5), *range(70, 75)]
