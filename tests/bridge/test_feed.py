from __future__ import annotations

import pytest

from bridge.feed import Feed

pytestmark = pytest.mark.unit


def test_everybody_is_told_everything_in_the_order_of_subscription() -> None:
    feed: Feed[str] = Feed()
    told: list[tuple[str, str]] = []
    feed.subscribe(lambda what: told.append(("first", what)))
    feed.tell("a")
    feed.subscribe(lambda what: told.append(("second", what)))
    feed.tell("b")
    assert told == [("first", "a"), ("first", "b"), ("second", "b")]


def test_a_listener_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def fail(what: float) -> None:
        raise RuntimeError("oh")

    feed: Feed[float] = Feed()
    told: list[float] = []
    feed.subscribe(fail)
    feed.subscribe(told.append)
    feed.tell(0.5)
    assert told == [0.5]
    assert "a listener failed on float" in caplog.text
