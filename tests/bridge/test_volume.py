"""How loud a leg's input is: the volume it sets, beside being muted."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.routing import Routing
from tests.kit.studio import LOUD, Studio, heard
from tests.kit.tones import level_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("volume", [0.0, 0.5, 1.0, 2.0])
async def test_a_volume_holds_from_the_next_tick_on_for_everybody(volume: float) -> None:
    studio = Studio()
    speaker, listener = await studio.phone("anna"), await studio.phone("ben")
    studio.run(30, {"anna": studio.voice(speaker, 500)})
    assert heard(listener, 500) == pytest.approx(LOUD, rel=0.02)
    speaker.port.set_volume("primary", volume)
    say = studio.voice(speaker, 500)
    studio.run(2, {"anna": say})
    listener.heard.clear()
    studio.run(30, {"anna": lambda n: say(n + 2)})
    assert heard(listener, 500) == pytest.approx(LOUD * volume, rel=0.02, abs=5)


async def test_the_muted_stay_muted_at_any_volume_and_have_it_afterwards() -> None:
    studio = Studio()
    speaker, listener = await studio.phone("anna"), await studio.phone("ben")
    studio.board.route("room", "anna", Routing(muted=True))
    speaker.port.set_volume("primary", 2.0)
    say = studio.voice(speaker, 500)
    studio.run(30, {"anna": say})
    assert heard(listener, 500) < 5
    studio.board.route("room", "anna", Routing())
    studio.run(30, {"anna": lambda n: say(n + 30)})
    assert heard(listener, 500) == pytest.approx(2 * LOUD, rel=0.02)


async def test_a_volume_goes_with_the_input_it_was_set_for() -> None:
    studio = Studio()
    speaker, listener = await studio.phone("anna"), await studio.phone("ben")
    speaker.port.set_volume("primary", 2.0)
    studio.run(5)
    speaker = await studio.phone("anna")  # a newer leg of hers, with an input of its own
    studio.run(30, {"anna": studio.voice(speaker, 500)})
    assert heard(listener, 500) == pytest.approx(LOUD, rel=0.02)


async def test_a_change_of_volume_makes_no_click() -> None:
    studio = Studio()
    speaker, listener = await studio.phone("anna"), await studio.phone("ben")
    say = studio.voice(speaker, 500)
    studio.run(30, {"anna": say})
    speaker.port.set_volume("primary", 0.5)
    listener.heard.clear()
    studio.run(4, {"anna": lambda n: say(n + 30)})
    steps = np.abs(np.diff(np.concatenate(listener.heard).astype(np.float64)))
    assert steps.max() < 1.1 * LOUD * 2 * np.pi * 500 / 16_000
    assert level_of(listener.heard[-1], 16_000, 500) == pytest.approx(LOUD / 2, rel=0.1)


async def test_no_volume_is_set_where_no_input_is() -> None:
    studio = Studio()
    speaker = await studio.phone("anna")
    speaker.port.set_volume("secondary", 2.0)
    speaker.port.close_input("primary")
    speaker.port.set_volume("primary", 2.0)
    studio.run(3)
