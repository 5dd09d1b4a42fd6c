from __future__ import annotations

import numpy as np
import pytest

from bridge.core.meter import Meter, MeterSettings, MeterState
from mediacodecs.levels import dbov

pytestmark = pytest.mark.unit


def power(level: float) -> np.ndarray:
    return np.array([[32_767.0**2 * 10 ** (level / 10)]], dtype=np.float32)


def changes(meter: Meter, state: MeterState, level: float, ticks: int) -> list[int]:
    """The ticks, counted from 0, in which the verdict changed."""
    return [tick for tick in range(ticks) if meter.read(state, power(level)).size]


def test_speech_is_talking_after_the_attack_and_silence_is_not_after_the_hold() -> None:
    meter, state = Meter(MeterSettings(attack_ms=60, hold_ms=400)), MeterState(1, 1)
    assert changes(meter, state, -26, 10) == [2]
    assert state.talking[0, 0]
    ended = changes(meter, state, -90, 80)
    assert len(ended) == 1 and 20 <= ended[0] <= 60
    assert not state.talking[0, 0]


def test_single_crack_is_not_talking() -> None:
    meter, state = Meter(MeterSettings()), MeterState(1, 1)
    assert not changes(meter, state, -20, 1)
    assert not changes(meter, state, -100, 0)
    state.power[:] = 0
    assert not changes(meter, state, -100, 50)


def test_level_between_the_two_thresholds_changes_nothing_either_way() -> None:
    meter, state = Meter(MeterSettings()), MeterState(1, 1)
    assert not changes(meter, state, -47.5, 200)
    changes(meter, state, -30, 20)
    assert not changes(meter, state, -47.5, 200)
    assert state.talking[0, 0]


def test_smoothed_level_arrives_at_the_true_one() -> None:
    meter, state = Meter(MeterSettings()), MeterState(1, 1)
    changes(meter, state, -31, 100)
    assert dbov(np.sqrt(state.power))[0, 0] == pytest.approx(-31, abs=0.05)
    changes(meter, state, -60, 100)
    assert dbov(np.sqrt(state.power))[0, 0] == pytest.approx(-60, abs=0.1)


def test_settings_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError):
        MeterSettings(talking_dbov=-60, quiet_dbov=-50)
