"""How long to wait after failures."""

from __future__ import annotations

import pytest

from bridge.outputs.back_off import BackOff, Failures

pytestmark = pytest.mark.unit


def test_each_failure_waits_longer_up_to_a_bound() -> None:
    back_off = BackOff(first_s=0.5, most_s=4.0)
    assert [back_off.pause_s(failures) for failures in range(7)] == [0.0, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert back_off.pause_s(10**9) == 4.0


def test_what_went_well_for_long_begins_anew() -> None:
    failures = Failures(BackOff(first_s=1.0, most_s=60.0, forget_s=30.0))
    assert [failures.failed(), failures.failed(1.0), failures.failed(29.9)] == [1.0, 2.0, 4.0]
    assert failures.failed(30.0) == 1.0
    assert failures.in_a_row == 1
