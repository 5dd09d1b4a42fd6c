"""Tests a voice bot with many simulated calls at once: makes them, measures them, judges them."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from bridge.core.ports import L16_16K, AudioFormat, CallStart
from bridge.harness.addresses import without_query as without_query
from bridge.harness.call_capture import CallCapture
from bridge.harness.call_clock import CallClock
from bridge.harness.capture_folder import CaptureFolder
from bridge.harness.dialling import Dialling
from bridge.harness.lateness import LateLimits, Lateness
from bridge.harness.line import Line
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.plivo_caller import PlivoCaller, new_call
from bridge.harness.results import CallResult, RunResult
from bridge.harness.run_report import ReportFolder
from bridge.harness.stereo_wav import WavWriter
from bridge.harness.thresholds import Asked
from bridge.harness.voice import Unheard, Voice
from bridge.legs.plivo_wire import INBOUND
from bridge.spread import Spread, Summary
from bridge.turns.report import Measure

if TYPE_CHECKING:
    from bridge.harness.exchange import Exchange, ExchangeCall, ExchangeSettings

_SPREAD_PHASES = 0.618_034
"""Multiples of the golden section lie evenly, however many there are."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one caller does."""

    voice: Voice
    scenario: str = ""
    line: Line | None = None
    attach: Callable[[MeasuredCall], None] = lambda call: None
    """Called before the call is dialled: the place to follow its timeline, and to add to its failures."""


Cast = Callable[[int], Part]
"""Who makes the call of a number; numbers count from 1."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run: calls to `url`, that begin `starts` seconds after it (ascending)."""

    url: str = field(repr=False)
    starts: Sequence[float]
    cast: Cast
    audio_format: AudioFormat = L16_16K
    thresholds: Sequence[Asked] = ()
    seed: int = 0
    limits: LateLimits = LateLimits()
    told: dict[str, str] = field(default_factory=dict)
    """How it is run, for people."""
    exchange: ExchangeSettings | None = None
    """With one, the bot can hang up by REST, and `url` may be its answer URL."""
    casts: Mapping[AudioFormat, Cast] = field(default_factory=dict)
    """Who calls in the format that an answer asks for; `cast`, where it is not in here."""


@dataclass(frozen=True, slots=True)
class RunLook:
    """A run that goes on, as it stands."""

    seconds: float
    active: int
    done: int
    failed: int
    of: int
    response: Summary
    late_ms: float


class BotTest:
    """One run. `stop` ends it early."""

    def __init__(
        self,
        plan: RunPlan,
        folder: ReportFolder | None = None,
        announce: Callable[[str], None] = lambda rest_url: None,
        captures: CaptureFolder | None = None,
    ) -> None:
        """`announce` is told where a bot can reach the REST API of its calls, where there is one.

        With `captures` every call is captured there.
        """
        self._plan = plan
        self._captures = captures
        self._announce = announce
        self._exchange: Exchange | None = None
        self._folder = folder
        self._began = time.monotonic()
        self._active: set[MeasuredCall | ExchangeCall] = set()
        self._results: list[CallResult] = []
        self._responses = Spread()
        self._stopping = asyncio.Event()
        self._clock = CallClock()
        self.lateness = Lateness(plan.limits)
        self.problems: list[str] = []
        """What went wrong beside the calls."""

    async def run(self) -> RunResult:
        """Make all calls, and give what came of them in the order in which they were begun.

        Raises ConfigError when requests of the bot cannot be listened for.
        """
        if self._plan.exchange is None:
            return await self._run()
        from bridge.harness.exchange import Exchange  # a web server and a client, for those who need them

        async with Exchange(self._plan.exchange, self._announce) as self._exchange:
            return await self._run()

    async def _run(self) -> RunResult:
        plan = self._plan
        self._began, started_at = time.monotonic(), time.time()
        writer = WavWriter() if self._folder is not None else None
        try:
            async with asyncio.TaskGroup() as group:
                for number, start_s in enumerate(plan.starts, 1):
                    if await self._stopped_before(self._began + start_s):
                        break
                    group.create_task(self._call(number, writer))
        finally:
            if writer is not None:
                await asyncio.to_thread(writer.close)
                self._look_at_writer(writer)
        calls = sorted(self._results, key=lambda call: call.number)
        return RunResult(
            target=without_query(plan.url),
            started_at=started_at,
            duration_ms=round((time.monotonic() - self._began) * 1000),
            calls=calls,
            thresholds=[asked.judge(calls) for asked in plan.thresholds],
            valid=not self.lateness.problem,
            invalid_because=self.lateness.problem,
            interrupted=self._stopping.is_set(),
            settings={**plan.told, "harness lateness": str(self.lateness)},
            seed=plan.seed,
        )

    def stop(self) -> None:
        """Begin no more calls, and hang up those that go on; `run` returns soon."""
        self._stopping.set()
        for call in self._active:
            call.cancel()

    def look(self) -> RunLook:
        """How it goes."""
        return RunLook(
            time.monotonic() - self._began,
            len(self._active),
            len(self._results),
            sum(bool(result.failures) for result in self._results),
            len(self._plan.starts),
            self._responses.summary(),
            self.lateness.worst_s * 1000,
        )

    # --- inside ---

    async def _stopped_before(self, due: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    async def _call(self, number: int, writer: WavWriter | None) -> None:
        plan, name = self._plan, None if self._folder is None else self._folder.wav_name(number)
        start = _start_of(plan, number)

        def place(dialling: Dialling) -> MeasuredCall:
            return self._place(number, dialling, name, writer)

        call: MeasuredCall | ExchangeCall
        if self._exchange is None:
            call = place(Dialling(plan.url, start))
        else:
            call = self._exchange.call(number, plan.url, start, place, plan.told.get("scenario", ""))
        self._active.add(call)
        if self._stopping.is_set():  # it was stopped between this call's making and its beginning
            call.cancel()
        try:
            result = await call.run()
        finally:
            self._active.discard(call)
        if name is not None and call.recorded and result.connect_ms is not None:
            result = dataclasses.replace(result, wav=name)
        self._results.append(result)

    def _place(
        self, number: int, dialling: Dialling, name: str | None, writer: WavWriter | None
    ) -> MeasuredCall:
        """A call that is ready to be dialled."""
        part = self._plan.casts.get(dialling.start.audio_format, self._plan.cast)(number)
        caller = PlivoCaller(
            dialling.url,
            call=dialling.start,
            http_headers=dialling.http_headers,
            bidirectional=dialling.bidirectional,
            voice=part.voice if INBOUND in dialling.start.tracks else Unheard(part.voice),
            line=part.line,
            phase_s=0.020 * (number * _SPREAD_PHASES % 1),
            clock=self._clock,
        )
        kept = None if self._captures is None else self._kept(caller, number, part, self._captures)
        call = self._measured(caller, number, part, name, writer, kept)
        part.attach(call)
        if kept is not None:
            kept.watch(call)
        return call

    def _kept(
        self, caller: PlivoCaller, number: int, part: Part, captures: CaptureFolder
    ) -> CallCapture | None:
        try:
            return CallCapture.of(caller, captures, number, part.scenario)
        except OSError as wrong:
            self.problems.append(f"call {number} is not captured: {wrong.strerror}")
            return None

    def _measured(
        self,
        caller: PlivoCaller,
        number: int,
        part: Part,
        name: str | None,
        writer: WavWriter | None,
        kept: CallCapture | None,
    ) -> MeasuredCall:
        def measured(wav: Path | None) -> MeasuredCall:
            return MeasuredCall(
                caller, number=number, scenario=part.scenario, wav=wav, writer=writer,
                observe=self._observe, on_late=self.lateness.note,
                notes=None if kept is None else kept.notes,
            )  # fmt: skip

        if name is None or self._folder is None:
            return measured(None)
        try:
            return measured(self._folder.path / name)
        except (OSError, soundfile.LibsndfileError) as wrong:
            self.problems.append(f"the sound of call {number} is not kept: {wrong}")
            return measured(None)

    def _observe(self, measure: Measure) -> None:
        if measure.kind == "response_delay":
            self._responses.add(measure.ms)

    def _look_at_writer(self, writer: WavWriter) -> None:
        if writer.problem:
            self.problems.append(f"sound could not be written: {writer.problem}")
        if writer.lost:
            self.problems.append(f"the disk was too slow: {writer.lost} stretches of sound (2 s) are missing")


def _start_of(plan: RunPlan, number: int) -> CallStart:
    lots = random.Random(f"call/{plan.seed}/{number}")
    call_id, stream_id = (str(uuid.UUID(int=lots.getrandbits(128), version=4)) for _ in range(2))
    return dataclasses.replace(new_call(plan.audio_format, call_id=call_id), stream_id=stream_id)
