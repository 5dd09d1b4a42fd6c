"""What happened in a call and when, and how often each rule was broken."""

from __future__ import annotations

import time
from collections.abc import Callable

from bridge.harness.results import Moment
from bridge.harness.rules import CONDUCT, RULES

MAX_MOMENTS = 2_000
"""A call that has more keeps these, and the number of the others."""
MOMENTS_OF_A_RULE = 20
"""So many times breaking one rule is shown; it is counted however often."""
_TEXT = 80


class Timeline:
    """One call's. Times are in ms from `start`, which is said when `begin` is called."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._moments: list[Moment] = []
        self._more = 0
        self.broken: dict[str, int] = {}
        """How often each rule was broken, by its name."""
        self._excused: set[str] = set()

    @property
    def begun(self) -> bool:
        """Whether `start` has been said."""
        return self._began is not None

    def begin(self) -> None:
        """The call's first 20 ms begin now."""
        self._began = self._clock()

    def now_ms(self) -> float:
        """Since the beginning; 0 before it."""
        return 0.0 if self._began is None else (self._clock() - self._began) * 1000

    def note(self, kind: str, text: str = "", at_ms: float | None = None) -> None:
        """Something happened, now if nothing else is said."""
        if len(self._moments) >= MAX_MOMENTS:
            self._more += 1
            return
        at = round(self.now_ms() if at_ms is None else at_ms)
        self._moments.append(Moment(at, kind, text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"))

    def add(self, moment: Moment) -> None:
        """The same, as a value."""
        self.note(moment.kind, moment.text, moment.at_ms)

    def excuse(self, *rules: str) -> None:
        """Nobody can keep these rules in this call: they are not looked at."""
        self._excused.update(rules)

    def found(self, rule: str, at_ms: float | None = None) -> None:
        """A rule of `rules.RULES` was broken."""
        if rule in self._excused:
            return
        times = self.broken[rule] = self.broken.get(rule, 0) + 1
        if times <= MOMENTS_OF_A_RULE:
            self.note("conduct" if rule in CONDUCT else "violation", rule, at_ms)

    def moments(self) -> list[Moment]:
        """In order of time."""
        ordered = sorted(self._moments, key=lambda moment: moment.at_ms)
        if self._more:
            ordered.append(Moment(ordered[-1].at_ms, "left out", f"{self._more} more"))
        return ordered

    def broken_rules(self, kind: str) -> dict[str, int]:
        """Those of the protocol (`violation`) or of talking with people (`conduct`)."""
        conduct = kind == "conduct"
        return {name: times for name, times in sorted(self.broken.items()) if (name in CONDUCT) == conduct}

    def failures(self) -> list[str]:
        """The broken rules with which a call has failed, in words: causes before what came of them."""
        return [
            f"{name}{f' (× {times:,})' if times > 1 else ''}: {RULES[name].text}"
            for name, times in (
                *self.broken_rules("violation").items(),
                *self.broken_rules("conduct").items(),
            )
            if RULES[name].fails
        ]
