"""Tests of the sample bot, as somebody would write them for a bot of their own.

    pytest samples/bot_tests
    pytest samples/bot_tests --bot-url ws://127.0.0.1:9000 --bot-report report

The fixtures come with the package. Each call takes as long as it takes on a phone.
"""

from __future__ import annotations

import numpy as np
import pytest

from bridge.harness import (
    Expect,
    Loss,
    NotMet,
    RunCalls,
    RunScenario,
    Say,
    Scenario,
    SimulatedCall,
    WaitForCheckpoint,
)

CALLER = "../caller_16k.wav"


async def test_it_greets_at_once(simulated_call: SimulatedCall) -> None:
    async with simulated_call() as call:
        greeting = await call.listen(within=1, silence=0.5)
        await call.checkpoint("greeting", within=1)
    assert greeting.seconds == pytest.approx(0.6, abs=0.1)
    assert call.result.failures == []
    assert call.result.first_heard_ms is not None and call.result.first_heard_ms < 500


async def test_it_says_back_what_was_said(simulated_call: SimulatedCall) -> None:
    async with simulated_call() as call:
        await call.silence(0.5)
        await call.say(CALLER, to_s=2.2)
        await call.expect(response_within=1.5)
        answer = await call.listen()
        await call.checkpoint("answer 1", within=2)
    assert answer.seconds == pytest.approx(2, abs=0.5)
    assert call.result.failures == []


async def test_it_stops_when_it_is_interrupted(simulated_call: SimulatedCall) -> None:
    async with simulated_call() as call:
        await call.checkpoint("greeting")
        await call.say(CALLER, from_s=3.2, to_s=5.6)
        await call.barge_in(CALLER, to_s=1, after=0.6)
        await call.expect(clear_within=0.5, silent_within=0.7, response_within=1.5)
    assert "answer 1" not in call.checkpoints
    (barge_in,) = call.result.barge_ins
    assert barge_in.clear_ms is not None and barge_in.clear_ms < 500


@pytest.mark.parametrize("key", ["1", "3"])
async def test_a_key_is_answered_with_as_many_beeps(simulated_call: SimulatedCall, key: str) -> None:
    async with simulated_call(codec="mulaw-8k") as call:
        await call.checkpoint("greeting")
        await call.silence()
        await call.press(key)
        beeps = await call.listen(within=0.5, silence=0.5)
        await call.checkpoint(f"key {key}", within=1)
    tone = np.abs(np.fft.rfft(beeps.samples)).argmax() * beeps.rate_hz / len(beeps.samples)
    assert tone == pytest.approx(880, abs=10)
    assert beeps.seconds == pytest.approx(0.25 * int(key), abs=0.12)


async def test_it_hangs_up_when_it_is_asked_to(simulated_call: SimulatedCall) -> None:
    async with simulated_call() as call:
        await call.checkpoint("greeting")
        await call.press("#")
        result = await call.ended(within=1)
    assert (result.end, result.end_detail) == ("bot closed", "1000")


async def test_it_says_nothing_while_nobody_speaks(simulated_call: SimulatedCall) -> None:
    async with simulated_call() as call:
        await call.checkpoint("greeting")
        await call.silence()
        with pytest.raises(NotMet, match="the bot did not talk within 1s"):
            await call.heard_speech(within=1)


async def test_it_answers_on_a_bad_line(simulated_call: SimulatedCall) -> None:
    async with simulated_call(faults=[Loss(chance=0.03, burst=2)], seed=4) as call:
        await call.checkpoint("greeting")
        await call.say(CALLER, to_s=2.2)
        await call.expect(response_within=1.5)
    assert any(moment.kind == "fault" for moment in call.result.timeline)


async def test_a_conversation_goes_as_it_should(run_scenario: RunScenario) -> None:
    result = await run_scenario("asks_twice.yaml")
    assert [response.heard_ms is not None for response in result.responses] == [True, True]


async def test_five_callers_at_once_are_answered_as_well(run_calls: RunCalls) -> None:
    asks = Scenario(
        steps=(
            WaitForCheckpoint(name="greeting"),
            Say(file=CALLER, to_ms=2_200),
            Expect(response_within_ms=1_500),
        )
    )
    run = await run_calls(asks, calls=5, thresholds=["response_p95<1400ms"])
    assert {call.end for call in run.calls} == {"caller hung up"}
