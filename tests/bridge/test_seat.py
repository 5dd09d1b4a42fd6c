from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from bridge import seat as seats
from bridge.core.ports import CloseReason, Leg
from bridge.leg_port import Port
from bridge.seat import MAX_EARLY_DIGITS, Seat
from tests.kit.fake_port import FakePort

pytestmark = pytest.mark.unit


class Leaving:
    """A leg that says goodbye in its own way."""

    kind = "phone"

    def __init__(self, goodbye: Callable[[], Awaitable[object]]) -> None:
        self._goodbye = goodbye
        self.reasons: list[CloseReason] = []

    async def close(self, reason: CloseReason) -> None:
        self.reasons.append(reason)
        await self._goodbye()


def seat_of(leg: Leaving) -> Seat:
    return Seat(cast(Port, FakePort("anna", "room")), cast(Leg, leg))


async def at_once() -> None:
    return None


async def never() -> None:
    await asyncio.Event().wait()


async def broken() -> None:
    raise RuntimeError("the socket is gone")


async def test_a_leg_that_says_goodbye_is_told_why_and_leaves_no_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leg = Leaving(at_once)
    await seat_of(leg).close_leg(CloseReason.EXPELLED)
    assert leg.reasons == [CloseReason.EXPELLED]
    assert not caplog.records


@pytest.mark.parametrize("goodbye", [never, broken])
async def test_a_leg_that_hangs_or_fails_is_abandoned_with_a_line_that_says_whose_it_was(
    goodbye: Callable[[], Awaitable[object]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(seats, "CLOSE_TIMEOUT_S", 0.0)
    async with asyncio.timeout(10):
        await seat_of(Leaving(goodbye)).close_leg(CloseReason.ENDED)
    (record,) = caplog.records
    assert "did not close cleanly" in record.getMessage()
    said = vars(record)
    assert (said["room"], said["participant"], said["leg"]) == ("room", "anna", "phone")


def test_of_too_many_early_keys_the_oldest_are_lost() -> None:
    seat = seat_of(Leaving(at_once))
    seat.early_digits.extend("1" + "2" * MAX_EARLY_DIGITS)
    assert list(seat.early_digits) == ["2"] * MAX_EARLY_DIGITS
