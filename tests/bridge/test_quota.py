from __future__ import annotations

import pytest

from bridge.errors import LimitReached
from bridge.quota import Limit, Quota

pytestmark = pytest.mark.unit

HERE, THERE, IN_ALL = Limit("seats", 2, "here"), Limit("seats", 2, "there"), Limit("all seats", 3)


def test_a_full_limit_is_named_and_nothing_is_taken() -> None:
    quota = Quota()
    quota.take(HERE, IN_ALL)
    quota.take(HERE, IN_ALL)
    with pytest.raises(LimitReached, match="seats = 2"):
        quota.take(IN_ALL, HERE)
    quota.take(THERE, IN_ALL)  # the refused one took no place of these
    with pytest.raises(LimitReached, match="all seats = 3"):
        quota.take(THERE, IN_ALL)


def test_what_is_given_back_can_be_taken_again() -> None:
    quota = Quota()
    quota.take(HERE, count=2)
    quota.give_back(HERE)
    quota.take(HERE)
    quota.forget(HERE)
    quota.take(HERE, count=2)
    with pytest.raises(LimitReached):
        quota.take(HERE)


def test_what_is_there_already_counts_even_above_the_limit() -> None:
    quota = Quota()
    quota.take(HERE, count=5, enforce=False)
    quota.give_back(HERE)
    with pytest.raises(LimitReached):
        quota.take(HERE)
