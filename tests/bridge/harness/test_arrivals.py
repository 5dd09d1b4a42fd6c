from __future__ import annotations

import numpy as np
import pytest

from bridge.harness.arrivals import poisson, ramp, read_rate

pytestmark = pytest.mark.unit


def test_a_ramp_is_even() -> None:
    assert ramp(4, 5.0) == [0.0, 0.2, 0.4, 0.6]


def test_random_arrivals_have_the_rate_asked_for_and_distances_as_of_strangers() -> None:
    times = np.array(poisson(5_001, 2.0, seed=1))
    distances = np.diff(times)
    assert times[0] == 0 and distances.min() >= 0
    assert distances.mean() == pytest.approx(0.5, rel=0.05)
    assert distances.std() == pytest.approx(0.5, rel=0.1)


def test_the_same_seed_gives_the_same_arrivals_and_another_one_others() -> None:
    assert poisson(20, 2.0, seed=7) == poisson(20, 2.0, seed=7)
    assert poisson(20, 2.0, seed=7) != poisson(20, 2.0, seed=8)


@pytest.mark.parametrize(
    ("written", "per_s"), [("5/s", 5.0), ("5", 5.0), ("30/min", 0.5), ("0.5/s", 0.5), ("36/h", 0.01)]
)
def test_rates_are_read(written: str, per_s: float) -> None:
    assert read_rate(written) == per_s


@pytest.mark.parametrize("written", ["", "0", "0/s", "-1/s", "fast", "5/d", "1e9", "nan", "5/s/s", "2000/s"])
def test_what_is_no_rate_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no rate above 0"):
        read_rate(written)
