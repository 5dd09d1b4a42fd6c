"""Whether what a scenario expects of the bot comes true, from what was heard and when. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from bridge.harness.bot_ear import BotEar, Utterance
from bridge.harness.scenario import Expect
from bridge.harness.scenario_kinds import written_ms
from bridge.harness.speech import PAUSE_MS

SEAM_MS = 200
"""A bot that begins so shortly before the caller's end answers at once (docs/turns.md)."""
BREATH_MS = 700
"""A bot that is silent for longer has ceased to talk."""
MAX_CLEARS = 10_000


class Verdict(Enum):
    """The time has not come, or all is well; what is not well is a text."""

    OPEN = "open"
    WELL = "well"


Judge = Callable[[int], Verdict | str]
"""Given the time of the call in ms."""


class Hearing:
    """What a person remembers for judging the bot. Times are of the call, in ms."""

    def __init__(self, ear: BotEar) -> None:
        self.ear = ear
        self.asked_ms = 0
        """When the person's last words ended."""
        self.spoke_ms = 0
        """When they began."""
        self.hummed_ms = 0
        """When the person last gave a sign of attention."""
        self.clears: deque[int] = deque(maxlen=MAX_CLEARS)

    def cleared(self, at_ms: int) -> None:
        """The bot has taken back what it had queued."""
        self.clears.append(at_ms)
        self.ear.cut()

    def first_clear(self, since_ms: int) -> int | None:
        """When the first clear from then on came."""
        return next((at_ms for at_ms in self.clears if at_ms >= since_ms), None)

    def first_word(self, since_ms: int) -> int | None:
        """When the first utterance from then on began."""
        return next((one.began_ms for one in self.ear.utterances if one.began_ms >= since_ms), None)

    def has_ended(self, one: Utterance, now_ms: int) -> bool:
        """Whether it can no longer go on."""
        return one.cut or one is not self.ear.utterances[-1] or now_ms - one.ended_ms >= PAUSE_MS


def judges(expect: Expect, hearing: Hearing, now_ms: int) -> list[Judge]:
    """One for each thing expected. Each is asked at every tick from `now_ms` on until it has decided."""
    found: list[Judge] = []
    if expect.response_within_ms is not None:
        found.append(_response(hearing, expect.response_within_ms))
    if expect.clear_within_ms is not None:
        found.append(_clear(hearing, expect.clear_within_ms))
    if expect.silent_within_ms is not None:
        found.append(_silent(hearing, expect.silent_within_ms))
    if expect.goes_on_for_ms is not None:
        found.append(_goes_on(hearing, expect.goes_on_for_ms))
    if expect.quiet_for_ms is not None:
        found.append(_quiet(hearing, now_ms, expect.quiet_for_ms))
    return found


def _response(hearing: Hearing, limit_ms: int) -> Judge:
    asked_ms = hearing.asked_ms

    def judge(now_ms: int) -> Verdict | str:
        began_ms = hearing.first_word(asked_ms - SEAM_MS)
        if began_ms is not None:
            took_ms = max(began_ms - asked_ms, 0)
            return _judged(took_ms, limit_ms, "the bot answered after {}")
        if now_ms - asked_ms > limit_ms:
            return f"the bot did not answer within {written_ms(limit_ms)}"
        return Verdict.OPEN

    return judge


def _clear(hearing: Hearing, limit_ms: int) -> Judge:
    spoke_ms = hearing.spoke_ms

    def judge(now_ms: int) -> Verdict | str:
        cleared_ms = hearing.first_clear(spoke_ms)
        if cleared_ms is not None:
            return _judged(cleared_ms - spoke_ms, limit_ms, "the bot cleared what it had queued after {}")
        if now_ms - spoke_ms > limit_ms:
            return f"the bot did not clear what it had queued within {written_ms(limit_ms)}"
        return Verdict.OPEN

    return judge


def _silent(hearing: Hearing, limit_ms: int) -> Judge:
    spoke_ms = hearing.spoke_ms

    def judge(now_ms: int) -> Verdict | str:
        talked = hearing.ear.at(spoke_ms)
        if talked is None:
            return Verdict.WELL
        took_ms = talked.ended_ms - spoke_ms
        if took_ms > limit_ms or hearing.has_ended(talked, now_ms):
            return _judged(took_ms, limit_ms, "the bot was still heard after {}")
        return Verdict.OPEN

    return judge


def _goes_on(hearing: Hearing, limit_ms: int) -> Judge:
    hummed_ms = hearing.hummed_ms
    until_ms = hummed_ms + limit_ms

    def judge(now_ms: int) -> Verdict | str:
        cleared_ms = hearing.first_clear(hummed_ms)
        if cleared_ms is not None and cleared_ms < until_ms:
            return f"the bot broke off {written_ms(cleared_ms - hummed_ms)} after a sign of attention"
        heard_ms = hummed_ms
        for one in hearing.ear.utterances:
            if one.ended_ms > heard_ms and one.began_ms - heard_ms <= BREATH_MS:
                heard_ms = one.ended_ms
        if heard_ms >= until_ms:
            return Verdict.WELL
        if now_ms - heard_ms > BREATH_MS:
            return f"the bot ceased to talk {written_ms(heard_ms - hummed_ms)} after a sign of attention"
        return Verdict.OPEN

    return judge


def _quiet(hearing: Hearing, from_ms: int, limit_ms: int) -> Judge:
    def judge(now_ms: int) -> Verdict | str:
        last_ms = hearing.ear.last_ms
        if last_ms > from_ms:
            return f"the bot was heard, where {written_ms(limit_ms)} of silence were expected"
        return Verdict.WELL if now_ms - from_ms >= limit_ms else Verdict.OPEN

    return judge


def _judged(took_ms: int, limit_ms: int, text: str) -> Verdict | str:
    if took_ms <= limit_ms:
        return Verdict.WELL
    return f"{text.format(written_ms(took_ms))}, which is more than {written_ms(limit_ms)}"
