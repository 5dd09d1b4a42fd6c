"""A call that a test makes as it goes along: say something, wait for an answer, interrupt, press keys.

What is done and waited for is the same as in scenarios (docs/scenarios.md), and done by the same code. Times
are in seconds; what has happened is told in ms of the call, at the caller's ear.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Unpack

from bridge.harness.clips import Clip, load_clip
from bridge.harness.live_course import LiveCourse, NotMet
from bridge.harness.live_sound import Heard, How, Sound, Speaking, ms, said
from bridge.harness.results import CallResult, RunResult
from bridge.harness.scenario import (
    Backchannel,
    BargeIn,
    Digits,
    Expect,
    HangUp,
    Pause,
    Repeat,
    Say,
    Step,
    WaitForCheckpoint,
    WaitForClear,
    WaitForDigits,
    WaitForHangUp,
    WaitForSilence,
    WaitForSpeech,
)
from bridge.harness.scenario_kinds import Keys
from bridge.harness.sound import Samples

_KEYS = Keys()
__tracebackhide__ = True  # as in live_course.py


class LiveCall:
    """One call that goes on by itself, and in which the test takes part; `testing.calling` makes it.

    Speaking and pressing keys take turns; waiting may go on beside them. Whatever does not come in time, or
    not before the call is over, raises NotMet.
    """

    def __init__(self, course: LiveCourse, folder: Path) -> None:
        """Files are looked for from `folder`."""
        self._course = course
        self._folder = folder
        self._mouth = asyncio.Lock()

    # --- what the caller does ---

    async def say(self, sound: Sound | None = None, **how: Unpack[How]) -> None:
        """Say something to its end, whatever the bot does meanwhile.

        Raises OSError or ValueError for a file that cannot be said, MissingLibrary where a text needs
        espeak-ng and there is none.
        """
        await self._speak(Say, sound, how)

    async def barge_in(
        self, sound: Sound | None = None, *, after: float = 0.5, within: float = 10, **how: Unpack[How]
    ) -> None:
        """Wait until the bot has talked for `after`, and say something while it goes on talking."""
        await self._speak(BargeIn, sound, how, after_ms=ms(after), within_ms=ms(within))

    async def backchannel(
        self, sound: Sound | None = None, *, after: float = 0.5, within: float = 10, **how: Unpack[How]
    ) -> None:
        """The same with a sound of attention ("mm-hm", if nothing is said), by which nothing is asked for."""
        await self._speak(Backchannel, sound, how, after_ms=ms(after), within_ms=ms(within))

    async def press(self, keys: str, *, gap: float = 0.2) -> None:
        """Press keys, one every `gap`. Raises ValueError for what is not of 0-9, *, #, A-D."""
        try:
            await self.do(Digits(keys=_KEYS.read(keys), gap_ms=ms(gap)))
        except ValueError:
            raise ValueError(f"what is pressed has to be {_KEYS.expected}") from None

    async def pause(self, seconds: float) -> None:
        """Say nothing for so long."""
        await self.do(Pause(for_ms=ms(seconds)))

    async def hang_up(self) -> CallResult:
        """End the call, if it has not ended, and give what came of it."""
        await self._course.hang_up()
        return self.result

    async def do(self, step: Step) -> None:
        """A step of a scenario."""
        if isinstance(step, Say | BargeIn | Backchannel):
            await self._utter(step)
        elif isinstance(step, Digits):
            async with self._mouth:
                await self._course.do(step)
        elif isinstance(step, HangUp):
            await self.hang_up()
        elif isinstance(step, Repeat):
            for one in step.steps * step.times:
                await self.do(one)
        else:
            await self._course.do(step)

    # --- what the bot is to do ---

    async def heard_speech(self, *, within: float = 10, lasting: float = 0.02) -> None:
        """Returns when the bot is heard: at once when it talks already, or has for as long as `lasting`."""
        await self.do(WaitForSpeech(within_ms=ms(within), for_ms=ms(lasting)))

    async def silence(self, seconds: float = 0.7, *, within: float = 30) -> None:
        """Returns when the bot has not been heard for so long: at once when that is so already."""
        await self.do(WaitForSilence(for_ms=ms(seconds), within_ms=ms(within)))

    async def listen(self, *, within: float = 10, silence: float = 0.7, at_most: float = 60) -> Heard:
        """What the bot says now or `within` that time, up to a silence of that length."""
        await self.heard_speech(within=within)
        began_ms = self.utterances[-1][0]
        await self.silence(silence, within=at_most)
        ended_ms = self.utterances[-1][1]
        sound = self._course.voice.heard(began_ms, ended_ms)
        return Heard(sound, self.rate_hz, began_ms, ended_ms)

    async def checkpoint(self, name: str = "", *, within: float = 30) -> None:
        """Returns when all before a checkpoint has been heard: the one of that name, or any."""
        await self.do(WaitForCheckpoint(name=name, within_ms=ms(within)))

    async def digits(self, keys: str = "", *, within: float = 10) -> None:
        """Returns when the bot has played these keys in a row, or any one."""
        await self.do(WaitForDigits(keys=keys, within_ms=ms(within)))

    async def cleared(self, *, within: float = 3) -> None:
        """Returns when the bot has taken back what it had queued since the caller last asked."""
        await self.do(WaitForClear(within_ms=ms(within)))

    async def expect(
        self,
        *,
        response_within: float | None = None,
        clear_within: float | None = None,
        silent_within: float | None = None,
        goes_on_for: float | None = None,
        quiet_for: float | None = None,
    ) -> None:
        """Returns when all of it has certainly come true (docs/scenarios.md, expect)."""
        await self.do(
            Expect(
                response_within_ms=_some_ms(response_within),
                clear_within_ms=_some_ms(clear_within),
                silent_within_ms=_some_ms(silent_within),
                goes_on_for_ms=_some_ms(goes_on_for),
                quiet_for_ms=_some_ms(quiet_for),
            )
        )

    async def ended(self, *, within: float = 10) -> CallResult:
        """Returns when the bot has ended the call, with what came of it."""
        if not self._course.over:
            await self.do(WaitForHangUp(within_ms=ms(within)))
        if self.result.end == "caller hung up":
            raise NotMet("it was the caller who ended the call")
        return self.result

    # --- what has happened ---

    @property
    def now_ms(self) -> int:
        """The time of the call."""
        return self._course.voice.now_ms

    @property
    def rate_hz(self) -> int:
        """Of its sound."""
        return self._course.call.caller.format.rate_hz

    @property
    def call_id(self) -> str:
        """By which the bot knows it."""
        return self._course.call.caller.call.call_id

    @property
    def heard(self) -> Samples:
        """All that has been heard (the last 10 minutes of it): int16 [n]."""
        return self._course.voice.heard()

    @property
    def utterances(self) -> list[tuple[int, int]]:
        """When the bot was heard, from and to; the last may go on."""
        return self._course.voice.utterances

    @property
    def checkpoints(self) -> list[str]:
        """Those that were reached."""
        return [name for _, name in self._course.voice.reached]

    @property
    def clears(self) -> list[int]:
        """When the bot took back what it had queued."""
        return list(self._course.voice.cleared_ms)

    @property
    def keys_heard(self) -> str:
        """All that the bot has played."""
        return self._course.voice.keys_heard

    @property
    def result(self) -> CallResult:
        """What came of the call, once it is over; RuntimeError before that."""
        return self.run.calls[0]

    @property
    def run(self) -> RunResult:
        """The same as a run of one call: what reports are made of."""
        return self._course.run

    # --- inside ---

    async def _speak(self, kind: Speaking, sound: Sound | None, how: How, **more: int) -> None:
        await self._utter(*said(kind, sound, how, self.rate_hz, **more))

    async def _utter(self, step: Say | BargeIn | Backchannel, clip: Clip | None = None) -> None:
        if clip is None:
            clip = await asyncio.to_thread(load_clip, step, self._folder, self.rate_hz)
        async with self._mouth:
            await self._course.do(step, clip)


def _some_ms(seconds: float | None) -> int | None:
    return None if seconds is None else ms(seconds)
