"""Calls in which a test takes part."""

from __future__ import annotations

import asyncio
import inspect
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.harness import (
    Account,
    AnswerSettings,
    CallFailed,
    ExchangeSettings,
    HarnessLate,
    Jitter,
    LateLimits,
    LiveCall,
    Loss,
    NotMet,
    Repeat,
    RunFailed,
    Say,
    WaitForCheckpoint,
    WaitForClear,
    WaitForDigits,
    WaitForHangUp,
    WaitForSilence,
    WaitForSpeech,
    calling,
    check,
    play,
)
from bridge.harness.scenario import Backchannel, Background, BargeIn, Digits, HangUp, Noise
from bridge.harness.sound import Samples
from tests.kit import bots
from tests.kit.answering_bots import AUTH_ID, AUTH_TOKEN, AnsweringBot, stream_xml
from tests.kit.rehearsal import sound_file
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.e2e

EASY = LateLimits(worst_s=2.0, late_share=1.0)
"""These tests are about the call, not about the machine."""


def words(seconds: float = 0.4, rate_hz: int = 16_000) -> Samples:
    return tone(bots.CALLER_HZ, seconds, rate_hz).astype(np.int16)


class Chatty(bots.Bot):
    """Answers at length, sends keys before it does, and says goodbye when 0 is pressed."""

    delay_s = 0.1
    answer_s = 1.5

    async def answer(self) -> None:
        await self.say("sendDTMF", dtmf="42#")
        await super().answer()

    async def press(self, key: str) -> None:
        if key == "0":
            await self.socket.close(1000, "bye")


async def test_a_conversation_is_had_step_by_step(tmp_path: Path) -> None:
    sound_file(tmp_path, "hello.wav", 0.4)
    async with bots.listening(Chatty) as url:
        async with calling(url, folder=tmp_path, limits=EASY) as call:
            await call.say("hello.wav")
            await call.expect(response_within=0.3)
            await call.digits("42")
            answer = await call.listen(silence=0.3)
            await call.checkpoint("answer 1", within=1)
            with pytest.raises(RuntimeError, match="the call goes on"):
                _ = call.result
            said_at = call.now_ms
    result = call.result
    assert (result.end, result.failures, result.violations) == ("caller hung up", [], {})
    assert result.call_id == call.call_id
    (response,) = result.responses
    assert response.asked_ms == 400 and response.heard_ms is not None and response.heard_ms < 300
    assert call.utterances == [(answer.began_ms, answer.ended_ms)]
    assert answer.seconds == 1.5
    assert level_of(answer.samples, answer.rate_hz, bots.BOT_HZ) == pytest.approx(8000, rel=0.02)
    assert (call.checkpoints, call.keys_heard, call.clears) == (["answer 1"], "42#", [])
    assert len(call.heard) >= 16 * said_at
    answer.save(tmp_path / "answer.flac")
    assert np.array_equal(soundfile.read(tmp_path / "answer.flac", dtype="int16")[0], answer.samples)
    steps = [moment.text for moment in result.timeline if moment.kind == "step"]
    assert steps[:2] == ["say hello.wav", "expect"]


async def test_the_bot_is_interrupted_and_hung_up_on() -> None:
    async with bots.listening(bots.Talkative) as url:
        async with calling(url, limits=EASY) as call:
            await call.say(words())
            await call.barge_in(words(), after=0.4)
            await call.cleared(within=1)
            await call.expect(clear_within=0.2, silent_within=0.2)
            await call.heard_speech(lasting=0.4)
            result = await call.hang_up()
            assert await call.hang_up() == result
            with pytest.raises(NotMet, match="it was the caller who ended the call"):
                await call.ended()
    assert call.result == result
    (barge_in,) = result.barge_ins
    assert barge_in.clear_ms is not None and [barge_in.at_ms + barge_in.clear_ms] == pytest.approx(
        call.clears, abs=40
    )


async def test_a_sign_of_attention_is_no_interruption() -> None:
    class Patient(bots.Talkative):
        clears = False
        answer_s = 2.5

    async with bots.listening(Patient) as url:
        async with calling(url, limits=EASY) as call:
            await call.say(words())
            await call.backchannel(after=0.3)
            await call.expect(goes_on_for=0.5)
        assert call.clears == []


async def test_what_does_not_come_is_told_with_what_came_instead() -> None:
    async with bots.listening(bots.Bot) as url:
        with pytest.raises(NotMet) as missed:
            async with calling(url, limits=EASY) as call:
                await call.say(words())
                await call.checkpoint("goodbye", within=1)
    lines = str(missed.value).split("\n")
    assert re.fullmatch(
        r"the checkpoint “goodbye” was not reached within 1s \(at 1\.4\d s of the call\)", lines[0]
    )
    assert re.fullmatch(r"the bot was heard: 0\.\d\d–1\.\d\d s", lines[1])
    assert any(re.fullmatch(r" +1\.\d\d s  played answer 1", line) for line in lines)
    assert call.result.failures == [f"the test: {lines[0]}"]
    assert call.result.end == "caller hung up"


async def test_all_that_was_expected_in_vain_is_told() -> None:
    async with bots.listening(bots.Deaf) as url:
        with pytest.raises(
            NotMet, match="did not clear .* within 200ms; the bot did not answer within 100ms"
        ):
            async with calling(url, limits=EASY) as call:
                await call.heard_speech()
                await call.silence(0.3)
                await call.say(words(0.2))
                await call.expect(response_within=0.1, clear_within=0.2)


async def test_only_what_ends_the_test_is_a_failure_of_the_call() -> None:
    async with bots.listening(bots.Deaf) as url:
        async with calling(url, limits=EASY) as call:
            await call.heard_speech()
            await call.silence()
            with pytest.raises(NotMet):
                await call.heard_speech(within=0.1)
        assert call.result.failures == []
        with pytest.raises(AssertionError, match="of my own"):
            async with calling(url, limits=EASY) as call:
                await call.heard_speech()
                raise AssertionError("of my own\nin two lines")
        assert call.result.failures == ["the test: of my own"]


async def test_a_bot_that_ends_the_call_ends_all_waiting() -> None:
    async with bots.listening(Chatty) as url:
        async with calling(url, limits=EASY) as call:
            await call.press("0")
            result = await call.ended(within=1)
            assert (result.end, result.end_detail) == ("bot closed", "1000 bye")
            with pytest.raises(NotMet, match="too late"):
                await call.say(words())
    async with bots.listening(bots.ClosingMidPhrase) as url:
        with pytest.raises(NotMet, match="wait for checkpoint: the call ended before that") as missed:
            async with calling(url, limits=EASY) as call:
                await call.say(words())
                await call.checkpoint()
    assert str(missed.value).endswith("the call is over: bot closed 1000 bye")
    assert call.result.violations == {"closed_mid_phrase": 1}


async def test_a_bot_that_does_not_end_the_call_is_told_of() -> None:
    async with bots.listening(bots.Deaf) as url:
        with pytest.raises(NotMet, match="the bot did not end the call within 100ms"):
            async with calling(url, limits=EASY) as call:
                await call.ended(within=0.1)


async def test_speaking_takes_turns_and_waiting_does_not() -> None:
    async with bots.listening(bots.Talkative) as url:
        async with calling(url, limits=EASY) as call, asyncio.timeout(5):
            async with asyncio.TaskGroup() as together:
                together.create_task(call.say(words(0.2)))
                together.create_task(call.say(words(0.2)))
                together.create_task(call.press("1"))
                together.create_task(call.heard_speech())
    loud = [level > -45 for level in call.result.caller_levels]
    assert loud[0] and sum(loud) == 20
    steps = {moment.text: moment.at_ms for moment in call.result.timeline if moment.kind == "step"}
    assert steps["wait for speech"] == 0
    assert 400 <= steps["digits"] <= 500


async def test_who_waits_no_longer_leaves_the_call_as_it_is() -> None:
    async with bots.listening(bots.Bot) as url:
        async with calling(url, limits=EASY) as call:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await call.heard_speech()
            await call.say(words())
            await call.expect(response_within=0.5)
    assert call.result.failures == []


async def test_a_bot_that_is_not_there_is_no_failure_of_the_test_but_an_error() -> None:
    with pytest.raises(CallFailed, match="cannot connect") as refused:
        async with calling("ws://127.0.0.1:9/?token=s3cret"):
            pytest.fail("there is no call")
    assert "s3cret" not in str(refused.value)


async def test_a_harness_that_was_late_says_so_and_nothing_else_counts() -> None:
    async with bots.listening(bots.Deaf) as url:
        with pytest.raises(HarnessLate, match="The harness itself was"):
            async with calling(url, limits=LateLimits(worst_s=0.0)) as call:
                await call.pause(0.1)
        with pytest.raises(NotMet) as missed:
            async with calling(url, limits=LateLimits(worst_s=0.0)) as call:
                await call.checkpoint(within=0.1)
    assert "The harness itself was" in missed.value.__notes__[0]


async def test_a_bot_is_called_by_its_answer_url_in_the_codec_it_asks_for() -> None:
    async with AnsweringBot(
        bots.Bot, xml=lambda bot, asked: stream_xml(bot.socket_url, contentType="audio/x-mulaw;rate=8000")
    ) as bot:
        account = Account(AUTH_ID, AUTH_TOKEN)
        exchange = ExchangeSettings(account, AnswerSettings(bot.url))
        async with calling(bot.url, exchange=exchange, limits=EASY) as call:
            assert call.rate_hz == 8_000
            await call.say(words(rate_hz=8_000))
            await call.expect(response_within=0.5)
            await asyncio.to_thread(bot.client(bot.asked[0]).calls.delete, call.call_id)
            result = await call.ended(within=2)
        assert result.end == "bot hung up"
        assert [asked.fields["CallUUID"] for asked in bot.at("/answer")] == [call.call_id]
        run = await play(bot.url, exchange=exchange, limits=EASY, hold_s=0.5)
        assert run.settings["codec"] == "as the answer URL says"
        with pytest.raises(RunFailed, match="call 1, talks: caller hung up\n  never_heard: "):
            check(run)


async def test_a_bot_whose_answer_is_no_stream_is_not_reached() -> None:
    async with AnsweringBot(xml=lambda bot, asked: (500, "out of order")) as bot:
        exchange = ExchangeSettings(Account(AUTH_ID, AUTH_TOKEN), AnswerSettings(bot.url))
        with pytest.raises(CallFailed, match="500"):
            async with calling(bot.url, exchange=exchange, limits=EASY):
                pytest.fail("there is no call")


async def test_lots_are_drawn_anew_unless_there_is_a_seed() -> None:
    lossy, noisy = [Loss(chance=0.2), Jitter(up_to_ms=40)], Background(noise=Noise(colour="pink"))

    async def made(seed: int | None) -> tuple[str, list[str], list[int]]:
        async with calling(url, seed=seed, faults=lossy, background=noisy, limits=EASY) as call:
            await call.pause(0.6)
        moments = [
            f"{moment.at_ms} {moment.text}" for moment in call.result.timeline if moment.kind == "fault"
        ]
        return call.call_id, moments[:5], call.result.caller_levels[:25]

    async with bots.listening(bots.Deaf) as url:
        first, again, other, free = await asyncio.gather(*(made(seed) for seed in (1, 1, 2, None)))
    assert first == again
    assert first[1] and min(first[2]) > -60
    assert len({first[0], other[0], free[0]}) == 3
    assert first[1] != other[1]


async def test_what_cannot_be_said_is_told_at_once(tmp_path: Path) -> None:
    async with bots.listening(bots.Deaf) as url:
        async with calling(url, folder=tmp_path, limits=EASY) as call:
            with pytest.raises(FileNotFoundError, match=r"none\.wav"):
                await call.say("none.wav")
            with pytest.raises(ValueError, match="exactly one of"):
                await call.say()
            with pytest.raises(ValueError, match=r"int16 \[n\]"):
                await call.say(np.zeros(100, np.float32))  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="said as it is"):
                await call.say(words(), gain_db=-3)
            with pytest.raises(ValueError, match="keys"):
                await call.press("1x")
            with pytest.raises(FileNotFoundError):
                await call.do(Repeat(times=2, steps=(Digits(keys="1"), Say(file="none.wav"))))
            await call.do(HangUp())
    assert call.result.end == "caller hung up"
    steps = [moment.text for moment in call.result.timeline if moment.kind == "step"]
    assert steps == ["digits", "hang up"]


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
async def test_a_text_and_a_part_of_a_file_are_said(tmp_path: Path) -> None:
    sound_file(tmp_path, "long.wav", 3)
    async with bots.listening(bots.Deaf) as url:
        async with calling(url, folder=tmp_path, codec="mulaw-8k", limits=EASY) as call:
            await call.say("long.wav", from_s=1, to_s=1.2, gain_db=-20)
            silent_from = call.now_ms // 20
            await call.say(text="Good morning", voice="en-us")
    levels = np.asarray(call.result.caller_levels)
    begin = int((levels > -100).argmax())  # a busy machine gets to it a tick later
    assert (np.abs(levels[begin : begin + 10] + 35) <= 1).all() and silent_from <= begin + 11
    assert (levels[silent_from:] > -35).sum() > 15


def test_waiting_is_as_patient_as_the_steps_of_a_scenario() -> None:
    def usual(of: object, name: str) -> float:
        return 1000 * float(inspect.signature(of).parameters[name].default)  # type: ignore[arg-type]

    assert usual(LiveCall.heard_speech, "within") == WaitForSpeech().within_ms
    assert usual(LiveCall.heard_speech, "lasting") == WaitForSpeech().for_ms
    assert usual(LiveCall.silence, "seconds") == WaitForSilence().for_ms
    assert usual(LiveCall.silence, "within") == WaitForSilence().within_ms
    assert usual(LiveCall.checkpoint, "within") == WaitForCheckpoint().within_ms
    assert usual(LiveCall.digits, "within") == WaitForDigits().within_ms
    assert usual(LiveCall.cleared, "within") == WaitForClear().within_ms
    assert usual(LiveCall.ended, "within") == WaitForHangUp().within_ms
    assert usual(LiveCall.press, "gap") == Digits(keys="1").gap_ms
    for of, step in ((LiveCall.barge_in, BargeIn(file="x")), (LiveCall.backchannel, Backchannel())):
        assert (usual(of, "after"), usual(of, "within")) == (step.after_ms, step.within_ms)
