from __future__ import annotations

import numpy as np
import pytest

from bridge.core.ports import L16_16K
from bridge.harness.recital import MAX_TAIL_MS, TAIL_MS, Recital
from bridge.harness.sound import Samples

pytestmark = pytest.mark.unit

SILENCE = np.zeros(320, np.int16)
SOUND = np.arange(1, 1_001, dtype=np.int16)


def recite(recital: Recital, limit: int = 10_000) -> tuple[Samples, int]:
    """What was said until the end, and after how many ms that came."""
    said = []
    for tick in range(1, limit + 1):
        says = recital.tick(SILENCE, ())
        said.append(says.frame)
        if says.hangs_up:
            return np.concatenate(said), 20 * tick
    return np.concatenate(said), 0


def test_a_sound_is_said_once_and_listened_after() -> None:
    said, ended_ms = recite(Recital(SOUND, L16_16K, lambda: 0.0))
    assert np.array_equal(said[:1000], SOUND) and not said[1000:].any()
    assert ended_ms == 100 + TAIL_MS


def test_what_is_still_to_be_played_is_heard_out_as_it_was_then() -> None:
    waits = iter([500.0, 9_999.0])
    _, ended_ms = recite(Recital(SOUND, L16_16K, lambda: next(waits)))
    assert ended_ms == 100 + TAIL_MS + 500
    _, ended_ms = recite(Recital(SOUND, L16_16K, lambda: 1e9))
    assert ended_ms == 100 + TAIL_MS + MAX_TAIL_MS


def test_over_and_over_is_for_ever() -> None:
    said, ended_ms = recite(Recital(SOUND, L16_16K, lambda: 0.0, loop=True), 500)
    assert ended_ms == 0
    assert np.array_equal(said, np.resize(SOUND, 500 * 320))


def test_a_time_that_is_said_is_kept_whatever_is_waiting() -> None:
    for loop in (False, True):
        _, ended_ms = recite(Recital(SOUND, L16_16K, lambda: 1e9, loop=loop, seconds=3.0))
        assert ended_ms == 3_000
