"""One simulated call that is measured: what came of it is a `CallResult`. Use:

call = MeasuredCall(PlivoCaller(url, voice=voice))
result = await call.run()
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from bridge.harness.caller_figures import CallEnd
from bridge.harness.ear_watch import EarWatch
from bridge.harness.plivo_caller import CallFailed, PlivoCaller
from bridge.harness.results import CallResult, EndReason
from bridge.harness.rule_watch import RuleWatch
from bridge.harness.speech import SpeechLines
from bridge.harness.stereo_wav import StereoWav, WavWriter
from bridge.harness.timeline import Timeline
from bridge.harness.witness import Witness
from bridge.turns.report import Measure, TurnSettings

GOOD_CODES = (1000, 1001, 1005)
"""What a bot closes with when nothing is wrong."""
LOST = 1006
"""The code of a connection that ended without a closing handshake (RFC 6455 §7.1.5)."""
_BROKEN = {1009: "too_large"}


class MeasuredCall:
    """Watches a caller that has not dialled yet, from its first moment to its last.

    `notes` is the call's timeline: whoever else takes part in the call writes there too, and adds to
    `failures` what was expected and did not hold. `observe` is told every turn measure as soon as it is
    certain, `on_late` how late each of the caller's 20 ms is.
    """

    def __init__(
        self,
        caller: PlivoCaller,
        *,
        number: int = 1,
        scenario: str = "",
        lines: SpeechLines | None = None,
        limits: TurnSettings | None = None,
        wav: Path | None = None,
        writer: WavWriter | None = None,
        observe: Callable[[Measure], None] | None = None,
        on_late: Callable[[float], None] | None = None,
        notes: Timeline | None = None,
    ) -> None:
        """With `wav` and its `writer` both sides are kept there in stereo; it is whole when that closes.

        Raises OSError or soundfile.LibsndfileError when there can be no such file.
        """
        self.caller = caller
        self.number = number
        self.notes = notes or Timeline()
        self.failures: list[str] = []
        self.remarks: list[str] = []
        """See `CallResult.remarks`."""
        self.on_end: Callable[[EndReason], None] = lambda end: None
        """Told how the call ended, once it has begun, as long as failures can still be added."""
        self.on_result: Callable[[CallResult], None] = lambda result: None
        """Told what came of it, in the end."""
        self._scenario = scenario
        self._on_late = on_late
        call = caller.call
        self.ear = EarWatch(
            self.notes, caller.playout, lines or SpeechLines(), limits or TurnSettings(), observe
        )
        self._rules = RuleWatch(self.notes, caller.playout, call.audio_format, call.stream_id)
        self._wav = StereoWav(wav, caller.format.rate_hz, writer) if wav and writer else None
        watch = _CallWatch(self)
        recording = () if self._wav is None else (self._wav,)
        caller.witnesses = (*caller.witnesses, watch, self._rules, self.ear, *recording)
        if caller.on_heard is None:
            caller.on_heard = _forget
        if not caller.bidirectional:
            self.notes.excuse("never_heard", "unanswered")
        self._begun = asyncio.Event()
        self._cancelled = asyncio.Event()
        self._hung_up_by: str | None = None

    @property
    def recorded(self) -> bool:
        """Whether its sound is kept."""
        return self._wav is not None

    @property
    def begun(self) -> bool:
        """Whether the service has accepted the call."""
        return self._begun.is_set()

    def cancel(self) -> None:
        """End the call now, as one that nobody judges; `run` returns soon."""
        self._cancelled.set()

    def hung_up_by_bot(self, how: str) -> None:
        """The bot has ended the call by other means than its socket: hang up for it; `run` returns soon."""
        self._hung_up_by = how
        self._cancelled.set()

    async def run(self) -> CallResult:
        """Dial, wait for the end (by the caller's voice, the bot, `cancel`), and hang up.

        A call that does not come about is a result like any other.
        """
        started_at, began = time.time(), time.monotonic()
        refused = ""
        dialling = asyncio.ensure_future(self.caller.dial())
        stopped = asyncio.ensure_future(self._cancelled.wait())
        ended: asyncio.Future[CallEnd] | None = None
        try:
            try:
                await asyncio.wait((dialling, stopped), return_when=asyncio.FIRST_COMPLETED)
                if dialling.done():
                    dialling.result()
                    ended = asyncio.ensure_future(self.caller.ended())
                    await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
            except CallFailed as failed:
                refused = str(failed)
        finally:
            for waiting in (dialling, stopped, ended):
                if waiting is not None:
                    waiting.cancel()
            await asyncio.gather(dialling, return_exceptions=True)
            if self._wav is not None:
                self._wav.close()
            in_mid_phrase = self.ear.in_mid_phrase
            await self.caller.hang_up()
        end, detail = self._end(refused)
        if end in ("bot closed", "bot failed") and in_mid_phrase:
            self.notes.found("closed_mid_phrase")
        result = self._result(started_at, time.monotonic() - began, end, detail)
        self.on_result(result)
        return result

    # --- inside ---

    def _end(self, refused: str) -> tuple[EndReason, str]:
        end = self.caller.end
        if refused:
            return "connect failed", refused
        if self._hung_up_by is not None:
            return "bot hung up", self._hung_up_by
        if self._cancelled.is_set() and (end is None or not end.by_service):
            return "cancelled", ""
        if end is None or (end.code == LOST and not end.by_service):
            return "connection lost", "by the caller's side"
        if not end.by_service:
            return "caller hung up", ""
        broken = self.caller.broken_rule
        if broken is not None:
            self.notes.found(_BROKEN.get(broken, "broken_frames"))
            return "bot failed", f"broke a rule of WebSockets, closed with {broken}"
        detail = f"{end.code} {end.reason[:200]}".rstrip()
        if end.code == LOST:
            return "connection lost", end.reason[:200]
        return ("bot closed" if end.code in GOOD_CODES else "bot failed"), detail

    def _result(self, started_at: float, lasted_s: float, end: EndReason, detail: str) -> CallResult:
        connect_s = self.caller.connected_s
        figures, ear, notes = self.caller.figures, self.ear, self.notes
        turns = ear.end() if self.begun else None
        judged = end != "cancelled"
        if judged and self.begun and ear.first_heard_ms is None:
            notes.found("never_heard")
        if judged and self.begun:
            self.on_end(end)
        failures = [*self.failures, *notes.failures()] if judged else []
        if end in ("connect failed", "bot failed", "connection lost"):
            failures.insert(0, f"{end}: {detail}".removesuffix(": "))
        said, heard = ear.levels()
        caller_speech, bot_speech = ear.speech()
        return CallResult(
            number=self.number,
            call_id=self.caller.call.call_id,
            scenario=self._scenario,
            started_at=started_at,
            duration_ms=round(lasted_s * 1000),
            end=end,
            end_detail=detail,
            connect_ms=None if connect_s is None else round(connect_s * 1000, 1),
            first_audio_ms=None if ear.first_audio_ms is None else round(ear.first_audio_ms, 1),
            first_heard_ms=ear.first_heard_ms,
            responses=ear.responses if self.caller.bidirectional else [],
            barge_ins=ear.barge_ins,
            turns=turns,
            gaps=ear.gaps,
            gap_ms=ear.gap_ms,
            violations=notes.broken_rules("violation"),
            conduct=notes.broken_rules("conduct"),
            checkpoints=figures.checkpoints,
            checkpoints_played=self._rules.checkpoints_played,
            checkpoints_cleared=self._rules.checkpoints_cleared,
            bytes_in=figures.bytes_in,
            bytes_out=figures.bytes_out,
            late_ms=round(figures.late_s * 1000, 1),
            failures=failures,
            remarks=self.remarks,
            timeline=notes.moments(),
            caller_levels=said,
            bot_levels=heard,
            caller_speech=caller_speech,
            bot_speech=bot_speech,
        )


class _CallWatch(Witness):
    def __init__(self, call: MeasuredCall) -> None:
        self._call = call
        self._on_late = call._on_late

    def began(self) -> None:
        self._call.notes.begin()
        self._call._begun.set()

    def ticked(self, said: object, speech: object, heard: object, late_s: float) -> None:
        if self._on_late is not None:
            self._on_late(late_s)


def _forget(frame: object) -> None:
    """What is heard is measured, and not kept."""
