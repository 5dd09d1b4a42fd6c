from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.core.gate import PARTS, Gate, GateSettings, GateState, GateVerdict

pytestmark = pytest.mark.unit

FULL = 32_767.0**2


def quarters(*dbov: float) -> NDArray[np.float32]:
    """One input whose four quarters have these levels (-200: digital silence)."""
    values = dbov if len(dbov) == PARTS else dbov * PARTS
    return np.array([[0 if level <= -200 else FULL * 10 ** (level / 10) for level in values]], np.float32)


class Door:
    """A gate with one slot."""

    def __init__(self, **settings: float) -> None:
        self.gate = Gate(GateSettings(**settings))  # type: ignore[arg-type]
        self.state = GateState(1, 1)
        self.slots = np.array([0], dtype=np.intp)

    def hear(self, *dbov: float) -> GateVerdict:
        return self.gate.judge(self.state, self.slots, quarters(*dbov))

    def miss(self) -> None:
        self.gate.judge(self.state, self.slots[:0], np.zeros((0, PARTS), np.float32))


def test_onset_in_the_last_quarter_lets_the_whole_frame_through() -> None:
    door = Door()
    assert not door.hear(-75).passing[0]
    assert door.hear(-75, -75, -75, -30).passing[0]


def test_gate_that_opens_on_held_back_noise_fades_it_in_and_one_that_opens_on_nothing_does_not() -> None:
    door = Door()
    door.hear(-75)
    assert door.hear(-30).opening.tolist() == [0]
    door = Door()
    assert door.hear(-30).opening.size == 0
    door.miss()
    assert door.hear(-30).opening.size == 0


def test_gate_stays_open_for_the_hang_over_then_fades_once_and_shuts() -> None:
    door = Door(hang_over_ms=60)
    door.hear(-30)
    assert [door.hear(-75).passing[0] for _ in range(3)] == [True] * 3
    last = door.hear(-75)
    assert last.passing[0] and last.closing.tolist() == [0]
    assert not door.hear(-75).passing[0]


def test_hang_over_may_last_for_an_hour() -> None:
    door = Door(hang_over_ms=3_600_000)
    door.hear(-30)
    assert all(door.hear(-75).passing[0] for _ in range(100))


def test_steady_noise_below_the_ceiling_shuts_the_gate_and_speech_above_it_opens_it() -> None:
    door = Door()
    verdicts = [door.hear(-57).passing[0] for _ in range(600)]
    assert verdicts[0] and not verdicts[-1]
    assert door.hear(-57, -40, -57, -57).passing[0]


def test_loud_sound_never_shuts_the_gate_however_long_it_lasts() -> None:
    door = Door()
    assert all(door.hear(-48).passing[0] for _ in range(3000))


def test_nothing_to_hear_shuts_it_without_a_fade() -> None:
    door = Door()
    door.hear(-30)
    door.miss()
    assert not door.state.open.any() and not door.state.held.any()


def test_gate_that_is_switched_off_lets_everything_through() -> None:
    door = Door(enabled=False)
    assert all(door.hear(-110).passing[0] for _ in range(100))


def test_settings_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError):
        GateSettings(threshold_dbov=-40, ceiling_dbov=-50)
