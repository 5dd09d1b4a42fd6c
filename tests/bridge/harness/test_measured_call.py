"""Bots that do one thing wrong on purpose: each is named in what came of its call."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.core.ports import L16_16K
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.phone_playout import MAX_CHECKPOINTS
from bridge.harness.plivo_caller import PlivoCaller, new_call
from bridge.harness.results import CallResult
from bridge.harness.rules import RULES
from bridge.harness.sound import Samples
from bridge.harness.stereo_wav import WavWriter
from bridge.harness.voice import HeardEvent, Says
from bridge.harness.witness import Witness
from bridge.turns.report import TurnSettings
from tests.kit import bots
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.e2e

FRAME = 320
TICK_MS = 20


class Speaks:
    """A voice that sounds from one time to another, again and again, and hangs up in the end."""

    def __init__(self, *spans_ms: tuple[int, int], until_ms: int) -> None:
        self.sound = np.zeros(until_ms * 16, np.int16)
        for begin, end in spans_ms:
            said = tone(bots.CALLER_HZ, (end - begin) / 1000, 16_000)
            self.sound[begin * 16 : end * 16] = said[: max(0, until_ms - begin) * 16]
        self.at = 0

    def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
        frame = self.sound[self.at : self.at + FRAME]
        self.at += FRAME
        if len(frame) < FRAME:
            frame = np.zeros(FRAME, np.int16)
        return Says(frame, hangs_up=self.at >= len(self.sound))


SOON = TurnSettings(yield_limit_ms=1_000, response_limit_ms=1_000)
"""So that nobody waits for 10 s."""


async def call(bot: type[bots.Bot], *spans_ms: tuple[int, int], until_ms: int = 1200) -> CallResult:
    voice = Speaks(*(spans_ms or ((100, 500),)), until_ms=until_ms)
    async with bots.listening(bot) as url, asyncio.timeout(30):
        return await MeasuredCall(PlivoCaller(url, voice=voice), limits=SOON).run()


def slack_ms(result: CallResult) -> float:
    """One tick; and what the machine itself was late by."""
    return TICK_MS + result.late_ms + 3


async def test_a_known_delay_is_measured_to_a_tick() -> None:
    prompt, late = await asyncio.gather(*(call(bot, until_ms=1520) for bot in (bots.Bot, bots.Late)))
    check_delay(prompt, bots.Bot.delay_s)
    check_delay(late, bots.Late.delay_s)


def check_delay(result: CallResult, delay_s: float) -> None:
    assert result.failures == [] and result.violations == {} and result.conduct == {}
    (response,) = result.responses
    delay_ms = delay_s * 1000
    assert response.asked_ms == 500
    assert response.heard_ms is not None and response.arrived_ms is not None
    assert 0 <= response.heard_ms - delay_ms <= slack_ms(result)
    assert -3 <= response.arrived_ms - delay_ms <= slack_ms(result) - TICK_MS + 10
    assert response.arrived_ms <= response.heard_ms <= response.arrived_ms + TICK_MS + 1
    assert result.first_heard_ms == response.asked_ms + response.heard_ms
    assert result.end == "caller hung up"
    assert result.turns is not None and result.turns.bot.talk_ms == pytest.approx(400, abs=20)
    assert (result.checkpoints, result.checkpoints_played, result.gaps) == (1, 1, 0)


async def test_levels_and_timeline_say_who_spoke_when() -> None:
    result = await call(bots.Bot, (100, 500), until_ms=1300)
    spoke = [at * TICK_MS for at, level in enumerate(result.caller_levels) if level > -45]
    assert (spoke[0], spoke[-1]) == (100, 480)
    heard = [at * TICK_MS for at, level in enumerate(result.bot_levels) if level > -45]
    assert heard[0] == result.first_heard_ms
    assert len(heard) == 20
    assert result.caller_speech == [(100, 500)]
    assert result.bot_speech == [(heard[0], heard[-1] + TICK_MS)]
    assert max(result.caller_levels) == pytest.approx(20 * np.log10(8000 / 2**0.5 / 32_767), abs=1)
    assert [moment.kind for moment in result.timeline] == ["mark", "played"]
    assert result.timeline[1].at_ms - result.timeline[0].at_ms == pytest.approx(400, abs=60)


async def test_a_deaf_bot_leaves_the_caller_without_an_answer() -> None:
    result = await call(bots.Deaf, (300, 500), until_ms=1_800)
    assert result.conduct == {"unanswered": 1}
    assert [(one.asked_ms, one.heard_ms) for one in result.responses] == [(500, None)]
    assert result.failures == ["unanswered: The caller waited 10 s for an answer, and none was heard."]


async def test_a_bot_that_is_spoken_over_and_clears_yields() -> None:
    result = await call(bots.Talkative, (100, 500), (1200, 1800), until_ms=2300)
    (barge_in,) = result.barge_ins
    assert barge_in.at_ms == 1200
    assert barge_in.clear_ms is not None and barge_in.silence_ms is not None
    assert TICK_MS <= barge_in.clear_ms <= slack_ms(result) + 10
    assert 0 <= barge_in.silence_ms - barge_in.clear_ms <= 2 * TICK_MS
    assert "clear" in [moment.kind for moment in result.timeline]
    assert result.turns is not None and result.turns.overtalk_ms == barge_in.silence_ms
    assert (result.gaps, result.gap_ms) == (0, 0)  # it was the bot that fell silent
    assert result.failures == []


async def test_a_bot_that_never_clears_goes_on_and_on() -> None:
    result = await call(bots.NeverClearing, (100, 400), (1000, 2200), until_ms=2600)
    assert result.conduct == {"not_yielded": 1}
    assert [(one.at_ms, one.clear_ms, one.silence_ms) for one in result.barge_ins] == [(1000, None, None)]


async def test_a_bot_that_clears_too_much_is_named() -> None:
    result = await call(bots.ClearingTooMuch, (100, 400), until_ms=2600)
    assert result.conduct == {"cleared_without_cause": 1}
    assert result.violations == {"clear_without_audio": 1}
    assert result.barge_ins == []


async def test_audio_of_another_format_is_named_and_not_heard() -> None:
    results = await asyncio.gather(call(bots.WrongRate), call(bots.WrongCodec))
    for result, rule in zip(results, ("wrong_rate", "wrong_codec"), strict=True):
        assert result.violations[rule] == 1
        assert result.conduct == {"never_heard": 1}
        assert result.first_audio_ms is None and result.first_heard_ms is None
        assert [failure.partition(":")[0] for failure in result.failures] == [rule, "never_heard"]


async def test_a_bot_that_does_not_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.harness.call_socket.MAX_UNSENT_BYTES", -1)  # filling 2 MiB takes a minute
    result = await call(bots.Bot, until_ms=200)
    assert result.violations["slow_reading"] == 11
    assert result.bytes_out == 0


async def test_a_bot_that_talks_over_the_caller_is_named() -> None:
    result = await call(bots.TalkingOver, (100, 1800), until_ms=2000)
    assert result.conduct == {"talked_over": 1}
    assert result.turns is not None and result.turns.overtalk_ms == pytest.approx(1200, abs=60)


async def test_a_bot_that_closes_in_mid_phrase_is_named() -> None:
    result = await call(bots.ClosingMidPhrase, until_ms=4000)
    assert (result.end, result.end_detail) == ("bot closed", "1000 bye")
    assert result.violations == {"closed_mid_phrase": 1}
    assert result.duration_ms < 2500


async def test_ends_are_told_apart() -> None:
    failing, gone = await asyncio.gather(
        call(bots.Failing, until_ms=4000), call(bots.Vanishing, until_ms=4000)
    )
    assert (failing.end, failing.end_detail) == ("bot failed", "1011 out of order")
    assert failing.failures[0] == "bot failed: 1011 out of order"
    assert gone.end == "connection lost"
    assert gone.failures[0] == "connection lost"


async def test_a_checkpoint_before_its_audio_is_named() -> None:
    result = await call(bots.MarkingEarly)
    assert result.violations == {"checkpoint_without_audio": 1}
    played = [moment.at_ms for moment in result.timeline if moment.kind == "played"]
    assert result.first_heard_ms is not None and played[0] <= result.first_heard_ms + TICK_MS


async def test_checkpoints_are_counted_by_what_became_of_them() -> None:
    class Marking(bots.Talkative):
        """Four checkpoints: one is reached, two are cleared, and one waits when the caller hangs up."""

        async def answer(self) -> None:
            self.turns += 1
            await self.play(0.1)
            await self.mark("heard")
            for name in ("cleared", "cleared too"):
                await self.play(2.0)
                await self.mark(name)

        async def onset(self) -> None:
            if self.turns:
                await self.clear()
                await self.play(2.0)
                await self.mark("left")

    result = await call(Marking, (100, 400), (1100, 1300), until_ms=1500)
    assert (result.checkpoints, result.checkpoints_played, result.checkpoints_cleared) == (4, 1, 2)


async def test_pauses_because_nothing_arrives_are_gaps() -> None:
    result = await call(bots.Stumbling, until_ms=2200)
    assert result.gaps == 2
    assert result.gap_ms == pytest.approx(200, abs=2 * slack_ms(result))


async def test_far_too_much_audio_at_once_is_named() -> None:
    result = await call(bots.Flooding)
    assert result.violations == {"too_fast": 1}


def said(**message: object) -> str:
    return json.dumps(message)


MEDIA = {"contentType": "audio/x-l16", "sampleRate": 16_000}


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        ("{event: playAudio}", "not_json"),
        ("[1, 2]", "wrong_json"),
        (said(event="playAudio", media={**MEDIA, "payload": 7}), "wrong_json"),
        (said(event="playAudio", media={**MEDIA, "payload": "*"}), "bad_base64"),
        (said(event="playAudio", media={**MEDIA, "payload": "AAAA"}), "odd_length"),
        (said(event="playAudio", media={**MEDIA, "payload": ""}), "empty_payload"),
        (said(event="playAudio", media={"payload": "AAAAAAAA"}), "no_format"),
        (said(event="sing"), "unknown_event"),
        (said(event="playedStream", streamId="x", name="answer 1"), "acknowledged_itself"),
        (said(event="clearedAudio", streamId="x"), "acknowledged_itself"),
        (said(event="checkpoint", streamId="x"), "checkpoint_without_name"),
        (said(event="clearAudio", streamId="x"), "wrong_stream_id"),
        (said(event="clearAudio"), "no_stream_id"),
        (said(event="sendDTMF", dtmf="12 34"), "bad_digits"),
        (said(event="sendDTMF", dtmf="1").encode(), "binary_message"),
        ('"' + "A" * (16 * 1024 * 1024) + '"', "too_large"),
    ],
)
async def test_broken_rules_are_named(message: str | bytes, rule: str) -> None:
    result = await call(bots.saying(message, then=False), until_ms=200)
    assert result.violations[rule] == 1
    assert [moment.text for moment in result.timeline if moment.kind == "violation"].count(rule) == 1
    assert RULES[rule].fails == any(failure.startswith(rule) for failure in result.failures)


async def test_more_checkpoints_than_may_wait_are_named_and_not_acknowledged() -> None:
    class Marking(bots.Bot):
        async def greet(self) -> None:
            await self.play(0.1)
            for number in range(MAX_CHECKPOINTS + 2):
                await self.mark(f"mark {number}")

    result = await call(Marking, until_ms=600)
    assert result.violations["too_many_checkpoints"] == 2
    assert (result.checkpoints, result.checkpoints_played) == (MAX_CHECKPOINTS + 2, MAX_CHECKPOINTS)
    assert any(failure.startswith("too_many_checkpoints") for failure in result.failures)


async def test_a_clear_that_is_read_late_makes_no_silence_before_itself() -> None:
    """A loop that is held up takes messages before timers: what should have been heard by then was heard."""

    class HoldingUp(bots.Talkative):
        async def clear(self) -> None:
            await super().clear()
            time.sleep(0.07)  # noqa: ASYNC251 - the very thing

    result = await call(HoldingUp, (100, 500), (1200, 1800), until_ms=2300)
    (barge_in,) = result.barge_ins
    assert barge_in.clear_ms is not None and barge_in.silence_ms is not None
    assert barge_in.clear_ms >= 70
    assert barge_in.clear_ms <= barge_in.silence_ms <= barge_in.clear_ms + 2 * TICK_MS


async def test_a_call_that_is_refused_has_a_result_that_does_not_show_the_query() -> None:
    caller = PlivoCaller("ws://127.0.0.1:9/?token=s3cret", voice=Speaks(until_ms=100))
    result = await MeasuredCall(caller).run()
    assert (result.end, result.connect_ms, result.turns) == ("connect failed", None, None)
    assert result.failures[0].startswith("connect failed: cannot connect")
    assert "s3cret" not in repr(result)


async def test_a_cancelled_call_is_hung_up_and_not_judged() -> None:
    async with bots.listening(bots.Bot) as url, asyncio.timeout(10):
        measured = MeasuredCall(PlivoCaller(url, voice=Speaks((0, 9000), until_ms=10_000)))
        running = asyncio.create_task(measured.run())
        await asyncio.sleep(0.3)
        measured.cancel()
        result = await running
    assert (result.end, result.failures) == ("cancelled", [])
    assert len(result.caller_levels) >= 10


async def test_a_bot_that_hangs_up_by_other_means_is_told_apart() -> None:
    async with bots.listening(bots.Bot) as url, asyncio.timeout(10):
        measured = MeasuredCall(PlivoCaller(url, voice=Speaks((0, 9000), until_ms=10_000)))
        running = asyncio.create_task(measured.run())
        await asyncio.sleep(0.2)
        measured.hung_up_by_bot("DELETE")
        result = await running
    assert (result.end, result.end_detail) == ("bot hung up", "DELETE")


async def test_both_sides_are_kept_in_stereo_as_they_were_in_the_air(tmp_path: Path) -> None:
    writer = WavWriter()
    voice = Speaks((100, 500), until_ms=1300)
    async with bots.listening(bots.Bot) as url, asyncio.timeout(10):
        caller = PlivoCaller(url, voice=voice)
        result = await MeasuredCall(caller, wav=tmp_path / "call.wav", writer=writer).run()
    writer.close()
    sound, rate_hz = soundfile.read(tmp_path / "call.wav", dtype="int16")
    assert (rate_hz, sound.shape[1]) == (16_000, 2)
    assert np.array_equal(sound[: 1300 * 16, 0], voice.sound)
    began = int(np.flatnonzero(np.abs(sound[:, 1].astype(np.int32)) > 1000)[0])
    assert result.first_heard_ms is not None
    assert began / 16 == pytest.approx(result.first_heard_ms, abs=1)
    assert level_of(sound[began : began + 3200, 1], 16_000, bots.BOT_HZ) == pytest.approx(8000, rel=0.02)


async def test_words_are_measured_by_themselves_when_noise_is_mixed_in() -> None:
    class Noisy(Speaks):
        def tick(self, heard: Samples, events: Sequence[HeardEvent]) -> Says:
            says = super().tick(heard, events)
            noise = tone(300, 0.02, 16_000, 3000).astype(np.int16)
            return Says(says.frame + noise, hangs_up=says.hangs_up, speech=says.frame)

    async with bots.listening(bots.saying(then=False)) as url, asyncio.timeout(10):
        call = MeasuredCall(PlivoCaller(url, voice=Noisy((200, 600), until_ms=800)))
        result = await call.run()
    assert result.turns is not None
    assert (result.turns.caller.utterances, result.turns.caller.talk_ms) == (1, 400)
    assert min(result.caller_levels) > -30


async def test_whoever_takes_part_in_a_call_can_write_into_its_result() -> None:
    async with bots.listening(bots.Bot) as url, asyncio.timeout(10):
        measured = MeasuredCall(PlivoCaller(url, voice=Speaks((0, 100), until_ms=300)), scenario="short")
        measured.notes.note("step", "says hello", 40)
        measured.failures.append("no clear came")
        result = await measured.run()
    assert (result.timeline[0].kind, result.timeline[0].at_ms) == ("step", 40)
    assert "no clear came" in result.failures
    assert result.scenario == "short"


class Unpunctual(Witness):
    """Counts late ticks, and sees that frames come in pairs."""

    def __init__(self) -> None:
        self.ticks = 0

    def ticked(self, said: Samples, speech: Samples, heard: Samples, late_s: float) -> None:
        assert len(said) == len(heard) == FRAME and late_s >= 0
        self.ticks += 1


async def test_a_witness_of_one_s_own_sees_every_tick() -> None:
    witness = Unpunctual()
    async with bots.listening(bots.Bot) as url, asyncio.timeout(10):
        caller = PlivoCaller(
            url, call=new_call(L16_16K), voice=Speaks((0, 100), until_ms=300), witnesses=[witness]
        )
        await MeasuredCall(caller).run()
    assert witness.ticks == 15
