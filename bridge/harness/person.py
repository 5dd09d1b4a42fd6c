"""A simulated person who plays a scenario, 20 ms at a time. Has no clock: time is the number of ticks.

The same scenario, seed and sounds heard give the same frames, keys and end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bridge.harness.clips import Clips
from bridge.harness.performer import Course, GivenUp, HangsUp, Performer, title_of
from bridge.harness.results import Moment
from bridge.harness.scenario import Repeat, Scenario, Step
from bridge.harness.sound import Samples
from bridge.harness.voice import HeardEvent, Says


class Person:
    """One call's person: a `Voice`. `clips` are those of `scenario`; `seed` tells calls of a run apart.

    With `hold_ms` the steps are begun anew until so much time has passed, and the person hangs up then.
    """

    def __init__(
        self, scenario: Scenario, clips: Clips, seed: str = "", *, hold_ms: int | None = None
    ) -> None:
        self.failures: list[str] = []
        """What was waited for or expected and did not come true."""
        self.on_moment: Callable[[Moment], None] | None = None
        """Gets each step (kind `step`) when it begins, and failures (`failure`), in place of `moments`."""
        self.moments: list[Moment] = []
        self.over = False
        """All steps are done, or the person has given up."""
        self._performer = Performer(clips, scenario.background, f"{scenario.seed}/{seed}/noise")
        self._place = ""
        """What the person is doing."""
        self._steps = scenario.steps
        self._hold_ms = hold_ms
        self._course = self._do_all()

    @property
    def now_ms(self) -> int:
        """The time of the call at which the next 20 ms begin."""
        return self._performer.now_ms

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        """See `Voice.tick`. Frame k is said from 20·k ms on and then sent; what plays then is heard next."""
        self._performer.begin(events)
        self._go_on()
        return self._performer.end(heard, events, hangs_up=self.over)

    def ended(self, how: str) -> None:
        """The call is over: a failure, if the person was not through and had not waited for that."""
        if not self.over and not self._performer.may_end:
            self._fail(f"{self._place or 'the call'}: {how} before the person was through")
        self.over = True

    def _go_on(self) -> None:
        if self._hold_ms is not None and self.now_ms >= self._hold_ms:
            self.over = True
        if self.over:
            return
        try:
            next(self._course)
        except StopIteration:
            self._course = self._do_all()
            self.over = self._hold_ms is None
        except HangsUp:
            self.over = True
        except GivenUp as why:
            self._fail(f"{self._place}: {why}")
            self.over = True

    def _do_all(self) -> Course:
        yield from self._do(self._steps)
        yield from self._performer.rest()

    def _do(self, steps: Sequence[Step], before: str = "") -> Course:
        for number, step in enumerate(steps, 1):
            place = f"{before}{number}"
            if isinstance(step, Repeat):
                for time in range(1, step.times + 1):
                    yield from self._do(step.steps, f"{place}[{time}].")
                continue
            self._place = f"step {place}"
            self._note("step", f"{place} {title_of(step)}")
            yield from self._performer.do(step, self._unmet)

    def _unmet(self, text: str) -> None:
        self._fail(f"{self._place}: {text}")

    def _fail(self, text: str) -> None:
        self.failures.append(text)
        self._note("failure", text)

    def _note(self, kind: str, text: str) -> None:
        moment = Moment(self.now_ms, kind, text)
        if self.on_moment is not None:
            self.on_moment(moment)
        else:
            self.moments.append(moment)
