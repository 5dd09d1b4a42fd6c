"""The fixtures for pytest, used by sessions of pytest of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.kit.running_bridge import ROOT

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.e2e

BOT = f"python {ROOT / 'samples' / 'plivo_bot.py'} --port {{port}} --greet"
GREETED = """
async def test_greeting(simulated_call):
    async with simulated_call() as call:
        await call.heard_speech(within=2)
"""
EASY = """
import pytest

@pytest.fixture(scope="session")
def bot_late_limits():
    from bridge.harness import LateLimits
    return LateLimits(worst_s=2, late_share=1)
"""


@pytest.fixture
def session(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder in which pytest-asyncio finds coroutines by itself."""
    settings = f"asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nbot_command = {BOT}\n"
    pytester.makeini(f"[pytest]\n{settings}")
    pytester.makeconftest(EASY)
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, timeout=60)


def test_a_command_is_started_once_for_all_tests_and_each_call_is_reported(
    session: pytest.Pytester,
) -> None:
    session.makepyfile(
        GREETED
        + "async def test_silence(simulated_call, bot_url):\n"
        + "    async with simulated_call() as call:\n"
        + "        await call.silence(0.1)\n"
        + "        await call.checkpoint('goodbye', within=0.2)\n"
    )
    result = run(session, "--bot-report", "report")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*NotMet: the checkpoint “goodbye” was not reached within 200ms (at * s of the call)",
            f"report of the simulated calls: {session.path}/report/index.html",
        ]
    )
    assert "bridge/harness" not in result.stdout.str(), "it is the test's own line that counts"
    written = json.loads((session.path / "report" / "report.json").read_bytes())
    assert [call["scenario"] for call in written["calls"]] == ["test_greeting", "test_silence"]
    assert [bool(call["failures"]) for call in written["calls"]] == [False, True]
    assert {call["wav"] for call in written["calls"]} == {"calls/call-0001.wav", "calls/call-0002.wav"}
    for call in written["calls"]:
        assert (session.path / "report" / call["wav"]).stat().st_size > 5_000
    assert (session.path / "report" / "index.html").is_file()


def test_strict_mode_of_pytest_asyncio_will_do_as_well(session: pytest.Pytester) -> None:
    session.makepyfile("import pytest\n@pytest.mark.asyncio" + GREETED)
    run(session, "--asyncio-mode=strict").assert_outcomes(passed=1)


def test_an_address_comes_before_a_command(session: pytest.Pytester) -> None:
    session.makepyfile(GREETED)
    result = run(session, "--bot-url", "ws://127.0.0.1:9/?token=s3cret")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*CallFailed: cannot connect*"])
    assert "s3cret" not in result.stdout.str()


def test_a_fixture_of_one_s_own_says_which_bot_it_is(session: pytest.Pytester) -> None:
    session.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    session.makepyfile(GREETED)
    result = run(session)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*ConfigError: nobody has said which bot to call: --bot-url, *"])
    session.makeconftest(
        EASY
        + "import pytest_asyncio\n"
        + "@pytest_asyncio.fixture\n"
        + "async def bot_url(voice_bot):\n"
        + f"    async with voice_bot({BOT!r}) as url:\n"
        + "        yield url\n"
    )
    run(session).assert_outcomes(passed=1)


def test_a_bot_can_be_a_coroutine_of_the_test(session: pytest.Pytester) -> None:
    session.makepyfile(
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT / 'samples')!r})\n"
        "import plivo_bot\n"
        "from websockets.asyncio.server import serve\n"
        "async def bot(port):\n"
        "    async with serve(plivo_bot.greet_and_converse, '127.0.0.1', port) as server:\n"
        "        await server.serve_forever()\n"
        "async def test_greeting(voice_bot, simulated_call):\n"
        "    async with voice_bot(bot) as url, simulated_call(url) as call:\n"
        "        await call.heard_speech(within=2)\n"
    )
    run(session).assert_outcomes(passed=1)


def test_a_scenario_is_looked_for_beside_the_test_and_fails_it(session: pytest.Pytester) -> None:
    folder = session.mkdir("calls")
    (folder / "patient.yaml").write_text("steps: [wait_for_speech: 2s]\nthresholds: [failed<1]\n")
    (folder / "hasty.yaml").write_text(
        "steps: [wait_for_speech: 2s, digits: 1, expect: {quiet_for: 100ms}]\nthresholds: [connect<0ms]\n"
    )
    (folder / "test_calls.py").write_text(
        "from bridge.harness import *\n"
        "async def test_patient(run_scenario):\n"
        "    result = await run_scenario('patient.yaml')\n"
        "    assert result.first_heard_ms is not None\n"
        "async def test_hasty(run_scenario):\n"
        "    await run_scenario('hasty.yaml')\n"
        "async def test_many(run_calls):\n"
        "    run = await run_calls('patient.yaml', calls=3, ramp_per_s=20, thresholds=['connect_max<2s'])\n"
        "    assert len(run.calls) == 3 and len(run.thresholds) == 2\n"
        "async def test_value(run_scenario):\n"
        "    assert (await run_scenario(Scenario(steps=(WaitForSpeech(),)))).end == 'caller hung up'\n"
    )
    result = run(session, "--bot-report", "report")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*RunFailed: FAILED: 1 of 1 calls failed, 1 of 1 thresholds were not met",
            "E*call 1, hasty: caller hung up",
            "E*step 3: the bot was heard, where 100ms of silence were expected",
            "E*connect<0ms: it was *",
        ]
    )
    written = json.loads((session.path / "report" / "report.json").read_bytes())
    assert [call["number"] for call in written["calls"]] == [1, 2, 3, 4, 5, 6]
    assert written["calls"][1]["scenario"] == "test_hasty: hasty"
    assert len(list((session.path / "report" / "calls").glob("*.wav"))) == 6


def test_a_bot_that_does_not_start_is_an_error_with_what_it_said(session: pytest.Pytester) -> None:
    session.makepyfile(GREETED)
    result = run(session, "--bot-command", "python -c 'raise SystemExit(\"no model\")' {port}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*BotNotStarted: the bot ended with 1 and printed:", "E*no model"])


def test_a_call_that_the_machine_was_too_slow_for_does_not_pass(session: pytest.Pytester) -> None:
    session.makeconftest(EASY.replace("worst_s=2", "worst_s=0"))
    session.makepyfile(GREETED)
    result = run(session)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*HarnessLate: The harness itself was * ms late*"])
    session.makeconftest("")
    result = run(session, "--bot-late", "0.000001")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*HarnessLate: The harness itself was * ms late*"])
    run(session, "--bot-late", "2000").assert_outcomes(passed=1)


def test_each_worker_of_a_parallel_session_has_a_report_of_its_own(session: pytest.Pytester) -> None:
    session.makepyfile(test_one=GREETED, test_two=GREETED)
    run(session, "-n", "2", "--dist", "loadfile", "--bot-report", "report").assert_outcomes(passed=2)
    reports = sorted((session.path / "report").glob("*/report.json"))
    assert [path.parent.name for path in reports] == ["gw0", "gw1"]
    assert sum(len(json.loads(path.read_bytes())["calls"]) for path in reports) == 2


def test_tests_of_other_things_do_not_notice(session: pytest.Pytester) -> None:
    session.makepyfile(
        "import gc, sys\n"
        "def test_it():\n"
        "    assert 'numpy' not in sys.modules and 'websockets' not in sys.modules\n"
        "    assert gc.get_freeze_count() == 0\n"
    )
    session.makeconftest("")
    result = run(session, "--bot-report", "report")
    result.assert_outcomes(passed=1)
    assert not (Path(session.path) / "report").exists()
