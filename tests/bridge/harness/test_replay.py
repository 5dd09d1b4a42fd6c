"""Calls that were captured are measured again, to the same result."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bridge.core.ports import L16_16K, ULAW_8K, AudioFormat
from bridge.harness.bot_test import BotTest, Part, RunPlan
from bridge.harness.capture_folder import CaptureFolder
from bridge.harness.capture_reading import read_capture
from bridge.harness.replay_run import read_all, replay_call, replay_run
from bridge.harness.results import CallResult
from bridge.harness.run_report import ReportFolder
from bridge.harness.sound import Samples
from bridge.harness.stage import Stage
from bridge.harness.voice import HeardEvent, Says
from tests.kit import bots
from tests.kit.rehearsal import scenario, sound_file
from tests.kit.tones import tone

pytestmark = pytest.mark.e2e


class Speaks:
    """Sounds from one time to another, presses keys, and hangs up in the end."""

    def __init__(self, *spans_ms: tuple[int, int], until_ms: int, rate_hz: int = 16_000) -> None:
        per_ms = rate_hz // 1000
        self.size = rate_hz // 50
        self.sound = np.zeros(until_ms * per_ms, np.int16)
        for begin, end in spans_ms:
            said = tone(bots.CALLER_HZ, (end - begin) / 1000, rate_hz)
            self.sound[begin * per_ms : end * per_ms] = said
        self.at = 0

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        frame = self.sound[self.at : self.at + self.size]
        self.at += self.size
        return Says(frame, keys="5" if self.at == 5 * self.size else "", hangs_up=self.at >= len(self.sound))


async def captured(
    bot: type[bots.Bot], part: Part, folder: Path, audio_format: AudioFormat = L16_16K
) -> tuple[CallResult, Path]:
    """A call to `bot`: what came of it, and its capture."""
    captures = CaptureFolder(folder)
    async with bots.listening(bot) as url:
        run = await BotTest(RunPlan(url, [0.0], lambda number: part, audio_format), captures=captures).run()
    captures.close()
    assert captures.missing == 0 and not captures.problem
    (call,) = run.calls
    return call, folder / "call-0001.mbcapture"


BOTS = (
    bots.Bot, bots.Late, bots.Talkative, bots.NeverClearing, bots.ClearingTooMuch, bots.WrongRate,
    bots.WrongCodec, bots.TalkingOver, bots.ClosingMidPhrase, bots.Failing, bots.Vanishing, bots.Stumbling,
    bots.MarkingEarly,
    bots.saying(b"binary", "{", '{"event":"what"}', '{"event":"checkpoint","streamId":"another","name":"x"}'),
    bots.saying(json.dumps({"event": "playAudio", "media": {"payload": "AAAA", "contentType": "audio/x-l16",
                                                            "sampleRate": 16000}})),
)  # fmt: skip


async def test_a_replayed_call_gives_the_same_result(tmp_path: Path) -> None:
    async def both(bot: type[bots.Bot], number: int) -> tuple[CallResult, CallResult]:
        part = Part(Speaks((100, 500), (900, 1500), until_ms=2400), "Two sentences")
        live, file = await captured(bot, part, tmp_path / str(number))
        assert live.turns is not None and live.timeline is not None
        assert file.stat().st_mode & 0o777 == 0o600
        return live, await replay_call(read_capture(file))

    found = await asyncio.gather(*(both(bot, number) for number, bot in enumerate(BOTS)))
    for live, replayed in found:
        assert replayed == live
    assert {rule for live, _ in found for rule in (*live.violations, *live.conduct)} >= {
        "wrong_rate", "wrong_codec", "not_json", "unknown_event", "wrong_stream_id",
        "binary_message", "odd_length", "talked_over", "checkpoint_without_audio",
    }  # fmt: skip


async def test_what_the_line_did_and_the_caller_noted_is_replayed_too(tmp_path: Path) -> None:
    sound_file(tmp_path, "hello.wav", 0.4)
    wanted = scenario(
        "- say: hello.wav\n- expect: {response_within: 100ms}\n- pause: 400ms\n- digits: '12'\n"
        "- wait_for_clear: 300ms",
        "background:\n  noise: {colour: pink, snr: 20dB}\n"
        "faults:\n  - jitter: 60ms\n  - loss: 5%\n  - redial: {at: 0.9s, after: 200ms}\n",
    )
    part = Stage(wanted, tmp_path, L16_16K).part(1)
    live, file = await captured(bots.Talkative, part, tmp_path / "kept")
    assert live.failures, live.timeline
    kinds = {moment.kind for moment in live.timeline}
    assert {"redialled", "fault"} <= kinds
    assert await replay_call(read_capture(file)) == live


async def test_a_mu_law_call_is_measured_by_what_was_said_before_it_was_coded(tmp_path: Path) -> None:
    voice = Speaks((100, 500), until_ms=1500, rate_hz=8_000)

    class UlawBot(bots.Bot):
        async def hear(self, event: dict[str, object]) -> None:
            if event["event"] == "start":
                await super().hear(event)
                await self.play(0.5)

        def media(self, sound: bytes) -> dict[str, object]:
            return {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": "gP8A" * 400}

    live, file = await captured(UlawBot, Part(voice), tmp_path, ULAW_8K)
    assert live.first_heard_ms is not None
    assert await replay_call(read_capture(file)) == live


async def test_a_call_that_never_came_about_is_replayed_as_one(tmp_path: Path) -> None:
    captures = CaptureFolder(tmp_path)
    part = Part(Speaks(until_ms=400))
    run = await BotTest(RunPlan("ws://127.0.0.1:9", [0.0], lambda number: part), captures=captures).run()
    captures.close()
    replayed = await replay_call(read_capture(tmp_path / "call-0001.mbcapture"))
    assert replayed == run.calls[0] and replayed.end == "connect failed"


async def test_a_capture_that_was_cut_off_is_replayed_up_to_there(tmp_path: Path) -> None:
    live, file = await captured(bots.Bot, Part(Speaks((100, 500), (1500, 2400), until_ms=2400)), tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 3 // 4])
    capture = read_capture(file)
    assert capture.end is None
    replayed = await replay_call(capture)
    assert replayed.end == "connection lost" and "cut off" in replayed.end_detail
    assert replayed.responses == live.responses
    assert 0 < len(replayed.caller_levels) < len(live.caller_levels)


async def test_a_replayed_run_is_judged_and_reported_as_any(tmp_path: Path) -> None:
    captures = CaptureFolder(tmp_path / "kept")
    async with bots.listening(bots.Bot) as url:
        plan = RunPlan(url, [0.0, 0.05], lambda number: Part(Speaks((100, 500), until_ms=1500)))
        live = await BotTest(plan, ReportFolder(tmp_path / "live"), captures=captures).run()
    captures.close()
    replayed = await replay_run(
        read_all(sorted((tmp_path / "kept").iterdir())), folder=ReportFolder(tmp_path / "again")
    )
    assert replayed.calls == live.calls
    for call in live.calls:
        assert call.wav is not None
        assert (tmp_path / "live" / call.wav).read_bytes() == (tmp_path / "again" / call.wav).read_bytes()
    assert replayed.valid == live.valid and replayed.passed == live.passed
    assert replayed.duration_ms < live.duration_ms / 3


async def test_a_call_that_was_cut_short_by_its_run_passes_no_more_than_then(tmp_path: Path) -> None:
    captures = CaptureFolder(tmp_path)
    async with bots.listening(bots.Bot) as url:
        plan = RunPlan(url, [0.0], lambda number: Part(Speaks((100, 500), until_ms=60_000)))
        test = BotTest(plan, captures=captures)
        running = asyncio.ensure_future(test.run())
        await asyncio.sleep(0.5)  # some of the call
        test.stop()
        live = await running
    captures.close()
    replayed = await replay_run(read_all([tmp_path / "call-0001.mbcapture"]))
    assert replayed.calls == live.calls
    for run in (live, replayed):
        assert run.interrupted and not run.passed
