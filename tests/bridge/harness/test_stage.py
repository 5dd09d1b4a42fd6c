from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K
from bridge.errors import ConfigError
from bridge.harness import serving
from bridge.harness.bot_test import BotTest, RunPlan
from bridge.harness.clips import load_clips
from bridge.harness.results import CallResult
from bridge.harness.run_command import plan_run
from bridge.harness.scenario import Scenario
from bridge.harness.scenario_file import read_scenario
from bridge.harness.stage import Stage
from bridge.harness.thresholds import read_threshold
from tests.kit import bots
from tests.kit.rehearsal import scenario, sound_file

pytestmark = pytest.mark.e2e

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
SCENARIOS = sorted((SAMPLES / "scenarios").glob("*.yaml"))


@contextlib.asynccontextmanager
async def sample_bot() -> AsyncIterator[str]:
    spec = importlib.util.spec_from_file_location("sample_plivo_bot", SAMPLES / "plivo_bot.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    async with serving(module.converse) as url:
        yield url


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, list[list[dict[str, object]]]]]:
    """A service that says nothing, and the messages of each of its connections."""
    connections: list[list[dict[str, object]]] = []

    async def listen(socket: ServerConnection) -> None:
        connections.append([])
        mine = connections[-1]
        async for message in socket:
            mine.append(json.loads(message))

    async with serving(listen) as url:
        yield url, connections


async def perform(of: Scenario, folder: Path, url: str, number: int = 1) -> CallResult:
    stage = Stage(of, folder, L16_16K)
    plan = RunPlan(url, [0.0], lambda _: stage.part(number), stage.audio_format)
    async with asyncio.timeout(60):
        (result,) = (await BotTest(plan).run()).calls
    return result


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_each_sample_can_be_played(path: Path) -> None:
    of = read_scenario(path)
    assert of.name != path.stem
    assert load_clips(of, path.parent, 8000).spoken or of.codec == "mulaw-8k"


async def test_the_samples_tell_what_the_sample_bot_does_well_and_what_not() -> None:
    names = ["greeting_and_answer", "barge_in", "backchannel", "noisy_line"]
    folder = SAMPLES / "scenarios"
    async with sample_bot() as url:
        played = [perform(read_scenario(folder / f"{name}.yaml"), folder, url) for name in names]
        greeting, barge_in, backchannel, noisy = await asyncio.gather(*played)
    assert greeting.failures == barge_in.failures == noisy.failures == []
    assert {call.end for call in (greeting, barge_in, backchannel, noisy)} == {"caller hung up"}
    assert [step.text for step in greeting.timeline if step.kind == "step"][-1] == "9 hang up"
    assert len(barge_in.barge_ins) == 1 and barge_in.barge_ins[0].clear_ms is not None
    # It stops for every sound, as a bot does that goes by loudness alone.
    assert len(backchannel.failures) == 1 and "broke off" in backchannel.failures[0]
    assert {"fault"} <= {moment.kind for moment in noisy.timeline}


async def test_a_menu_is_gone_through_with_keys() -> None:
    path = SAMPLES / "scenarios" / "digits_menu.yaml"
    menu = read_scenario(path)
    async with bots.listening(bots.Menu) as url, bots.listening(bots.DeafToKeys) as deaf:
        well, ill = await asyncio.gather(*(perform(menu, path.parent, one) for one in (url, deaf)))
    assert (well.failures, well.end, well.violations) == ([], "caller hung up", {})
    steps = [moment.text for moment in well.timeline if moment.kind == "step"]
    assert steps[-4:] == ["5[1].3 wait for silence", *(f"5[2].{step}" for step in (
        "1 wait for speech", "2 digits", "3 wait for silence",
    ))]  # fmt: skip
    assert [moment.kind for moment in well.timeline].count("clear") >= 2
    assert ill.failures[0] == "step 4: the bot did not answer within 3s"


def test_every_sample_is_performed() -> None:
    performed = {"greeting_and_answer", "barge_in", "backchannel", "noisy_line", "digits_menu"}
    assert {path.stem for path in SCENARIOS} == performed


async def test_a_redialled_call_begins_again_with_the_same_call_id(tmp_path: Path) -> None:
    of = scenario("- pause: 1.5s\n- digits: 7", "faults: [redial: {at: 500ms, after: 200ms}]")
    async with listening() as (url, connections):
        result = await perform(of, tmp_path, url)
    assert result.end == "caller hung up"
    assert len(connections) == 2
    starts = [messages[0]["start"] for messages in connections]
    assert starts[0] == starts[1]
    assert connections[1][0]["sequenceNumber"] == 1
    assert connections[0][-1]["event"] == "media"
    assert [message["dtmf"] for message in connections[1] if message["event"] == "dtmf"]
    assert any("the connection is lost for 200ms" in moment.text for moment in result.timeline)


async def test_a_call_that_cannot_come_back_is_lost(tmp_path: Path) -> None:
    of = scenario("- pause: 5s", "faults: [redial: {at: 500ms, after: 100ms}]")
    taken = 0

    async def once(socket: ServerConnection) -> None:
        nonlocal taken
        taken += 1
        if taken > 1:
            await socket.close(1013)
            return
        async for _ in socket:
            pass

    async with serving(once) as url:
        result = await perform(of, tmp_path, url)
    assert taken == 2
    assert result.end == "bot failed"
    assert "step 1: bot failed before the person was through" in result.failures


async def test_a_bot_that_hangs_up_too_early_is_named(tmp_path: Path) -> None:
    async def leave(socket: ServerConnection) -> None:
        for _ in range(20):
            await socket.recv()
        await socket.close()

    async with serving(leave) as url:
        early = await perform(scenario("- pause: 1s\n- pause: 5s"), tmp_path, url)
        waited_for = await perform(scenario("- wait_for_hang_up: 3s"), tmp_path, url)
    assert "step 1: bot closed before the person was through" in early.failures
    assert not [failure for failure in waited_for.failures if "before the person" in failure]


async def test_who_reads_slowly_makes_the_service_wait(tmp_path: Path) -> None:
    times: list[float] = []

    async def shout(socket: ServerConnection) -> None:
        message = json.dumps({"event": "playAudio", "media": {"payload": "AAAA" * 50_000}})
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.send(message)
                times.append(asyncio.get_running_loop().time())

    async with serving(shout) as url:
        of = scenario("- pause: 2s", "faults: [slow_reading: 10]")
        slow = await perform(of, tmp_path, url)
    # 200 kB a message: what the buffers between them hold, and ten a second.
    assert sum(time < times[0] + 1.8 for time in times) < 150
    assert 15 * 200_000 < slow.bytes_in < 25 * 200_000


async def test_one_seed_gives_the_same_bytes_to_the_service(tmp_path: Path) -> None:
    sound_file(tmp_path, "words.wav", 0.5)
    of = scenario(
        "- say: words.wav\n- digits: 12",
        "codec: l16-8k\nbackground: {noise: {colour: pink, snr: 10dB}}\n"
        "faults: [loss: 5%, reordering: 5%, malformed: {chance: 5%, kinds: [no_payload, unknown_event]}]",
    )

    def heard(messages: list[dict[str, object]]) -> list[dict[str, object]]:
        for message in messages:
            for part in message.values():
                if isinstance(part, dict):
                    part.pop("timestamp", None)  # the time of day
        return messages

    async with listening() as (url, connections):
        for number in (1, 1, 2):
            await perform(of, tmp_path, url, number)
    first, again, other = (heard(messages)[1:] for messages in connections)
    last = min(len(first), len(again)) - 2  # hanging up may overtake the very last messages
    assert last > 30
    assert first[:last] == again[:last]
    assert other[:last] != first[:last]
    assert Stage(of, tmp_path, L16_16K).audio_format == L16_8K


async def test_a_run_plays_a_scenario_and_meets_its_thresholds(tmp_path: Path) -> None:
    sound_file(tmp_path, "hello.wav", 0.5)
    path = tmp_path / "asks.yaml"
    path.write_text(
        "codec: mulaw-8k\nsteps: [say: hello.wav, expect: {response_within: 2s}]\nthresholds: [failed<1]\n"
    )
    async with sample_bot() as url:
        plan = plan_run(url, scenario=path, calls=2, thresholds=[read_threshold("response_max<2s")])
        run = await BotTest(plan).run()
    assert plan.audio_format == ULAW_8K
    assert [threshold.text for threshold in run.thresholds] == ["failed<1", "response_max<2s"]
    assert run.passed
    assert {call.scenario for call in run.calls} == {"asks"}
    assert run.settings["scenario"] == "asks"
    with pytest.raises(ConfigError, match="leave --wav out"):
        plan_run(url, scenario=path, wav=tmp_path / "hello.wav")
    path.write_text("steps: [sing]")
    with pytest.raises(ConfigError, match=r"asks\.yaml: line 1, column 9: there is no step `sing`"):
        plan_run(url, scenario=path)
