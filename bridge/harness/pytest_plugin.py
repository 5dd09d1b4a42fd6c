"""Fixtures for tests of voice bots; pytest finds them by itself where this project is installed.

None of them is asynchronous, so that they work with pytest-asyncio in both of its modes, and with others.
Loaded in every run of pytest: whatever is not needed by those that call no bot is imported by the fixtures.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bridge.harness import (
        ExchangeSettings,
        LateLimits,
        RunCalls,
        RunScenario,
        SessionReport,
        SimulatedCall,
        VoiceBot,
    )
    from bridge.harness.bench import Bench

REPORT = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which bot is called, and where the report goes."""
    group = parser.getgroup("voice bots")
    group.addoption("--bot-url", metavar="URL", help="ws:// or wss:// address of the bot to be tested")
    group.addoption(
        "--bot-command", metavar="COMMAND", help="starts the bot to be tested; {port} stands for its port"
    )
    group.addoption("--bot-report", metavar="DIR", help="write a report of all simulated calls there")
    group.addoption(
        "--bot-late", metavar="MS", type=float, help="how late the harness itself may be, at worst (100)"
    )
    parser.addini("bot_url", "as --bot-url", default="")
    parser.addini("bot_command", "as --bot-command; runs in the folder of this file", default="")
    parser.addini("bot_late", "as --bot-late", default="")
    parser.addini("bot_path", "path of the WebSocket of the bot that the command starts", default="/")


@pytest.fixture(scope="session")
def bot_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """Address of the bot to be tested: --bot-url, or that of --bot-command, which is started once.

    Options come before settings, and an address before a command. Empty when nobody has said anything.
    """
    said = pytestconfig.getoption("bot_url"), pytestconfig.getoption("bot_command")
    url, command = said if any(said) else (pytestconfig.getini("bot_url"), pytestconfig.getini("bot_command"))
    if url or not command:
        yield url or ""
        return
    from bridge.harness.bot_host import BotProcess

    with BotProcess(command, path=pytestconfig.getini("bot_path"), folder=pytestconfig.rootpath) as bot:
        yield bot.url


@pytest.fixture(scope="session")
def bot_exchange() -> ExchangeSettings | None:
    """Define your own for a bot that has an answer URL, or that hangs up by REST."""
    return None


@pytest.fixture(scope="session")
def bot_report(pytestconfig: pytest.Config) -> Iterator[SessionReport | None]:
    """The report of all simulated calls of this session, written at its end; None without --bot-report."""
    said = pytestconfig.getoption("bot_report")
    if not said:
        yield None
        return
    from bridge.harness.run_report import PAGE
    from bridge.harness.session_report import SessionReport

    path = pytestconfig.invocation_params.dir / said
    if worker := getattr(pytestconfig, "workerinput", None):  # of pytest-xdist: each has a session of its own
        path = path / worker["workerid"]
    report = SessionReport(path)
    yield report
    report.finish()
    pytestconfig.stash[REPORT] = report.path / PAGE


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Where the report is."""
    if (page := config.stash.get(REPORT, None)) is not None:
        terminalreporter.write_line(f"report of the simulated calls: {page}")


@pytest.fixture(scope="session")
def bot_late_limits(pytestconfig: pytest.Config) -> LateLimits:
    """How late the harness itself may be; a test whose calls it delayed for longer ends with HarnessLate."""
    from bridge.harness.lateness import LateLimits
    from bridge.harness.testing import CALL_LIMITS

    worst_ms = pytestconfig.getoption("bot_late") or float(pytestconfig.getini("bot_late") or 0)
    return LateLimits(worst_s=worst_ms / 1000, late_share=1.0) if worst_ms else CALL_LIMITS


@pytest.fixture(scope="session")
def _no_long_pauses() -> None:
    """What is there already stays: to look through it for garbage would hold up the callers."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def _bench(
    request: pytest.FixtureRequest,
    bot_url: str,
    bot_exchange: ExchangeSettings | None,
    bot_report: SessionReport | None,
    bot_late_limits: LateLimits,
    _no_long_pauses: None,
) -> Bench:
    from bridge.harness.bench import Bench

    here, name = request.path.parent, request.node.name
    return Bench(bot_url, here, name, bot_exchange, bot_late_limits, bot_report)


@pytest.fixture
def simulated_call(_bench: Bench) -> SimulatedCall:
    """A call in which the test takes part.

    `async with simulated_call() as call:`
    """
    from bridge.harness.bench import SimulatedCall

    return SimulatedCall(_bench)


@pytest.fixture
def run_scenario(_bench: Bench) -> RunScenario:
    """One call that plays a scenario; it fails with what did not hold.

    `result = await run_scenario("barge_in.yaml")`
    """
    from bridge.harness.bench import RunScenario

    return RunScenario(_bench)


@pytest.fixture
def run_calls(_bench: Bench) -> RunCalls:
    """Many calls at once; it fails with what did not hold.

    `run = await run_calls("barge_in.yaml", calls=20)`
    """
    from bridge.harness.bench import RunCalls

    return RunCalls(_bench)


@pytest.fixture
def voice_bot(pytestconfig: pytest.Config) -> VoiceBot:
    """A bot of this test's own, a command or a coroutine.

    `async with voice_bot("python bot.py --port {port}") as url:`
    """
    from bridge.harness.bench import VoiceBot

    return VoiceBot(pytestconfig.rootpath)
