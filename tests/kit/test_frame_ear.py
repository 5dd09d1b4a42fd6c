from __future__ import annotations

import numpy as np
import pytest

from tests.kit.frame_ear import FRAME, RATE_HZ, faults
from tests.kit.tones import tone

pytestmark = pytest.mark.unit


def steady() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return tone(440, 1.0, RATE_HZ).astype(np.int16)


def test_a_steady_tone_has_no_faults() -> None:
    weak, click = faults(steady(), 440)
    assert weak == 0 and click < 0.1


def test_a_gap_is_a_weak_frame_and_a_click() -> None:
    sound = steady()
    sound[10 * FRAME : 12 * FRAME] = 0
    weak, click = faults(sound, 440)
    assert weak == 2 and click > 1.0


def test_a_missing_frame_is_a_click() -> None:
    sound = steady()
    _, click = faults(np.delete(sound, slice(10 * FRAME + 5, 11 * FRAME)), 440)
    assert click > 1.0
