"""Where the tests of one session call their bot: what the fixtures of pytest_plugin.py give to a test."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import ConfigError
from bridge.harness.bot_host import START_S, Serves, running_bot
from bridge.harness.lateness import LateLimits
from bridge.harness.live_call import LiveCall
from bridge.harness.results import CallResult, RunResult
from bridge.harness.scenario import Background, Scenario
from bridge.harness.scenario_faults import Fault
from bridge.harness.session_report import SessionReport
from bridge.harness.testing import calling, check, play

if TYPE_CHECKING:
    from bridge.harness.exchange import ExchangeSettings

__tracebackhide__ = True  # as in live_course.py


@dataclass(frozen=True, slots=True)
class Bench:
    """What one test has."""

    url: str = field(repr=False)
    """Of the bot; empty: none was said."""
    folder: Path
    """Of the test's file: sounds and scenarios are looked for from there."""
    called: str
    """The test's name."""
    exchange: ExchangeSettings | None = None
    """Where the bot is told of its calls and hangs up, if it does so."""
    limits: LateLimits = field(default_factory=LateLimits, repr=False)
    report: SessionReport | None = field(default=None, repr=False)

    def address(self, url: str) -> str:
        """`url`, or that of the session's bot. Raises ConfigError when there is none."""
        answer = None if self.exchange is None else self.exchange.answer
        found = url or (answer.url if answer is not None else self.url)
        if not found:
            raise ConfigError(
                "nobody has said which bot to call: --bot-url, --bot-command (or the settings bot_url and "
                "bot_command), a fixture bot_url of your own, or url=… in the test"
            )
        return found

    def keep(self, run: RunResult) -> None:
        """Put it into the session's report."""
        if self.report is not None:
            self.report.add(run, called=self.called)


@dataclass(frozen=True, slots=True)
class SimulatedCall:
    """`async with simulated_call() as call`: a call in which the test takes part (`LiveCall`)."""

    bench: Bench

    def __call__(
        self,
        url: str = "",
        *,
        codec: str = "l16-16k",
        background: Background | None = None,
        faults: Sequence[Fault] = (),
        seed: int | None = None,
    ) -> AbstractAsyncContextManager[LiveCall]:
        """See `testing.calling`."""
        bench = self.bench
        return calling(
            bench.address(url), codec=codec, folder=bench.folder, background=background, faults=faults,
            seed=seed, limits=bench.limits, exchange=bench.exchange, report=bench.report, on_run=bench.keep,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunCalls:
    """`run = await run_calls(calls=20, thresholds=["response_p95<800ms"])`: many calls at once."""

    bench: Bench

    async def __call__(
        self,
        scenario: Scenario | Path | str | None = None,
        url: str = "",
        *,
        calls: int = 1,
        ramp_per_s: float | None = None,
        arrivals_per_s: float | None = None,
        hold_s: float | None = None,
        wav: Path | str | None = None,
        codec: str = "l16-16k",
        seed: int = 0,
        thresholds: Sequence[str] = (),
    ) -> RunResult:
        """See `testing.play` and `testing.check`: raises RunFailed when a call or a threshold has failed."""
        bench = self.bench
        if isinstance(scenario, str | Path):
            scenario = bench.folder / scenario
        run = await play(
            bench.address(url), scenario, folder=None if isinstance(scenario, Path) else bench.folder,
            wav=None if wav is None else bench.folder / wav, calls=calls, ramp_per_s=ramp_per_s,
            arrivals_per_s=arrivals_per_s, hold_s=hold_s, codec=codec, seed=seed, thresholds=thresholds,
            limits=bench.limits, exchange=bench.exchange, report=bench.report,
        )  # fmt: skip
        bench.keep(run)
        check(run)
        return run


@dataclass(frozen=True, slots=True)
class RunScenario:
    """`result = await run_scenario("barge_in.yaml")`: one call that plays a scenario."""

    bench: Bench

    async def __call__(
        self, scenario: Scenario | Path | str, url: str = "", *, codec: str = "l16-16k", seed: int = 0
    ) -> CallResult:
        """Raises RunFailed, which lists what did not hold."""
        (result,) = (await RunCalls(self.bench)(scenario, url, codec=codec, seed=seed)).calls
        return result


@dataclass(frozen=True, slots=True)
class VoiceBot:
    """`async with voice_bot("python bot.py --port {port}") as url`: a bot for as long as the block lasts."""

    folder: Path

    def __call__(
        self, bot: str | Sequence[str] | Serves, *, path: str = "/", start_s: float = START_S
    ) -> AbstractAsyncContextManager[str]:
        """See `bot_host.running_bot`."""
        return running_bot(bot, path=path, folder=self.folder, start_s=start_s)
