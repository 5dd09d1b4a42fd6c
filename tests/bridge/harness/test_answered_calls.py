"""Calls through an answer URL, on real sockets: what is asked, what is obeyed, how ends are told apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from plivo.exceptions import AuthenticationError, InvalidRequestError, ResourceNotFoundError

from bridge.harness import answered_call
from bridge.harness.bot_test import BotTest
from bridge.harness.exchange import ExchangeSettings
from bridge.harness.run_command import FAILED, PASSED, plan_run, run_test
from tests.kit import bots
from tests.kit.answered_calls import ACCOUNT, PATIENT, Closing, moments, one_call, plan, question
from tests.kit.answering_bots import AUTH_ID, AUTH_TOKEN, AnsweringBot, Asked, Reply, stream_xml
from tests.kit.ears import until
from tests.kit.plivo_account import elsewhere

pytestmark = pytest.mark.e2e


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return question(tmp_path)


class HangingUp(bots.Bot):
    """Hangs up by the vendor's client when it has been heard."""

    web: AnsweringBot

    async def hear(self, event: dict[str, Any]) -> None:
        await super().hear(event)
        if event["event"] == "playedStream":
            client = self.web.client(self.web.at("/answer")[-1])
            await asyncio.to_thread(client.calls.delete, call_uuid=self.call_id)

    async def greet(self) -> None:
        pass


def hanging_up(web: AnsweringBot) -> Callable[[Any], bots.Bot]:
    class Mine(HangingUp):
        async def hear(self, event: dict[str, Any]) -> None:
            if event["event"] == "start":
                self.call_id = event["start"]["callId"]
            await super().hear(event)

    Mine.web = web
    return Mine


async def test_a_caller_who_hangs_up_is_told_to_the_hang_up_url(wav: Path) -> None:
    async with AnsweringBot() as bot:
        call = await one_call(bot, wav)
    assert (call.end, call.failures) == ("caller hung up", [])
    assert call.answer_ms is not None and call.connect_ms is not None
    (answer,) = bot.at("/answer")
    assert answer.method == "POST" and answer.signed
    assert {name: answer.fields[name] for name in ("CallUUID", "To", "Direction", "CallStatus", "Event")} == {
        "CallUUID": call.call_id, "To": "15555550100", "Direction": "inbound", "CallStatus": "ringing",
        "Event": "StartApp",
    }  # fmt: skip
    assert answer.fields["From"] == "15555550101" and "ALegUUID" not in answer.fields
    (hangup,) = bot.at("/hangup")
    assert hangup.signed
    assert {name: hangup.fields[name] for name in sorted(hangup.fields) if name.startswith("Hangup")} == {
        "HangupCause": "NORMAL_CLEARING", "HangupCauseCode": "4000", "HangupCauseName": "Normal Hangup",
        "HangupSource": "Caller",
    }  # fmt: skip
    assert hangup.fields["CallStatus"] == "completed" and hangup.fields["Event"] == "Hangup"
    assert int(hangup.fields["Duration"]) == int(hangup.fields["BillDuration"]) >= 1
    assert {"StartTime", "AnswerTime", "EndTime"} <= set(hangup.fields)
    assert bot.handshakes == [("/stream", True)]


async def test_three_ends_of_three_bots_are_told_apart(
    wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def ends(make: Callable[[AnsweringBot], Any], hold_s: float | None) -> tuple[Any, dict[str, str]]:
        async with AnsweringBot() as bot:
            bot.bot = make(bot)
            folder = tmp_path / str(bot.web_url.rpartition(":")[2])
            async with asyncio.timeout(30):
                code = await run_test(plan(bot, wav, hold_s=hold_s), report=folder, progress=False)
        assert code == PASSED
        (call,) = json.loads((folder / "report.json").read_text())["calls"]
        return call, bot.at("/hangup")[0].fields

    by_rest, told = await ends(hanging_up, 20)
    assert (by_rest["end"], by_rest["end_detail"]) == ("bot hung up", "by REST")
    assert (told["HangupCauseCode"], told["HangupSource"]) == ("4000", "API Request")
    closed, told = await ends(lambda bot: Closing, 20)
    assert (closed["end"], closed["end_detail"]) == ("bot closed", "1000 bye")
    assert (told["HangupCauseCode"], told["HangupCauseName"]) == ("4010", "End Of XML Instructions")
    by_caller, told = await ends(lambda bot: bots.Bot, None)
    assert (by_caller["end"], by_caller["end_detail"]) == ("caller hung up", "")
    assert told["HangupSource"] == "Caller"
    said = capsys.readouterr()
    assert "ended: bot hung up 1" in said.out and "ended: bot closed 1" in said.out
    assert "the bot can hang up its calls at http://127.0.0.1:" in said.err
    assert AUTH_TOKEN not in said.out + said.err


async def test_a_bot_that_rejects_the_call_fails_it(wav: Path) -> None:
    async with AnsweringBot(xml=lambda bot, asked: '<Response><Hangup reason="busy"/></Response>') as bot:
        call = await one_call(bot, wav)
    assert (call.end, call.connect_ms) == ("bot hung up", None)
    assert call.failures == ["bot hung up: by <Hangup> (busy) in its XML"]
    told = bot.at("/hangup")[0].fields
    assert (told["HangupCauseCode"], told["HangupCause"], told["Duration"]) == ("3010", "USER_BUSY", "0")
    assert "AnswerTime" not in told


async def test_a_bot_stops_its_stream_by_rest_and_asks_for_what_the_desk_does_not_do(wav: Path) -> None:
    class Stopping(bots.Bot):
        async def greet(self) -> None:
            web.client(web.at("/answer")[0])
            await asyncio.to_thread(self.use)

        def use(self) -> None:
            client = web.client(web.at("/answer")[0])
            call_id = web.at("/answer")[0].fields["CallUUID"]
            assert client.live_calls.get(call_id).call_status == "in-progress"
            assert list(client.live_calls.list_ids().calls) == [call_id]
            with pytest.raises(InvalidRequestError):
                client.calls.transfer(call_uuid=call_id, legs="aleg", aleg_url="https://bot.example/x")
            with pytest.raises(AuthenticationError):
                web.client(web.at("/answer")[0], "wrong").calls.delete(call_uuid=call_id)
            with pytest.raises(ResourceNotFoundError):
                client.calls.delete(call_uuid="00000000-0000-4000-8000-000000000000")
            client.calls.delete_specific_stream(call_uuid=call_id, stream_id=self.stream_id)

    async with AnsweringBot(Stopping) as web:
        call = await one_call(web, wav, hold_s=20)
    assert (call.end, call.end_detail) == ("bot hung up", "it stopped its stream by REST")
    assert call.remarks == ["not carried out: transferring the call by REST"]
    assert ("unsupported", "transferring the call by REST") in moments(call)
    assert web.at("/hangup")[0].fields["HangupCauseCode"] == "4010"


async def test_the_answer_url_can_be_asked_by_get(wav: Path) -> None:
    async with AnsweringBot() as bot:
        call = await one_call(bot, wav, hold_s=0.3, method="GET", from_number="4912345", to_number="4967890")
    (asked,) = bot.at("/answer")
    assert asked.method == "GET" and asked.signed and call.end == "caller hung up"
    assert (asked.fields["From"], asked.fields["To"]) == ("4912345", "4967890")


async def test_the_fallback_is_asked_when_the_answer_is_useless(wav: Path) -> None:
    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return (500, "oops") if asked.path == "/answer" else stream_xml(bot.socket_url)

    async with AnsweringBot(xml=xml) as bot:
        call = await one_call(bot, wav, hold_s=0.3, fallback_url=bot.web_url + "/plan-b")
    assert call.end == "caller hung up"
    assert ("fallback", f"{bot.url} answered 500") in moments(call)


async def test_many_calls_at_once_each_get_their_own(wav: Path, tmp_path: Path) -> None:
    async with AnsweringBot() as bot:
        code = await run_test(plan(bot, wav, calls=10), report=tmp_path / "report", progress=False)
    assert code == PASSED
    assert len({asked.fields["CallUUID"] for asked in bot.at("/answer")}) == 10
    assert len({asked.fields["From"] for asked in bot.at("/hangup")}) == 10
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert all(soundfile.info(tmp_path / "report" / call["wav"]).channels == 2 for call in report["calls"])
    assert report["settings"]["codec"] == "as the answer URL says"


async def test_a_bot_called_at_its_socket_hangs_up_by_rest_too(wav: Path) -> None:
    rest: list[str] = []

    class Mine(bots.Bot):
        async def hear(self, event: dict[str, Any]) -> None:
            await super().hear(event)
            if event["event"] == "start":
                assert self.socket.request is not None
                client = elsewhere(self.socket.request.headers["X-Mediabridge-Rest-Url"], AUTH_ID, AUTH_TOKEN)
                rest.append(event["start"]["accountId"])
                await asyncio.to_thread(client.calls.delete, call_uuid=event["start"]["callId"])

    async with bots.listening(Mine) as url, asyncio.timeout(20):
        settings = ExchangeSettings(ACCOUNT)
        run = await BotTest(plan_run(url, wav=wav, hold_s=15, limits=PATIENT, exchange=settings)).run()
    assert (run.calls[0].end, run.calls[0].end_detail) == ("bot hung up", "by REST")
    assert rest == [AUTH_ID]


async def test_a_stopped_run_cancels_calls_that_wait_for_their_answer(wav: Path) -> None:
    async def slow(bot: AnsweringBot, asked: Asked) -> Reply:
        await asyncio.sleep(20)
        return ""

    async with AnsweringBot(xml=slow) as bot:
        test = BotTest(plan(bot, wav, calls=2))
        running = asyncio.create_task(test.run())
        await until(lambda: len(bot.asked) == 2)
        test.stop()
        async with asyncio.timeout(5):
            run = await running
    assert [call.end for call in run.calls] == ["cancelled"] * 2
    assert not any(call.failures for call in run.calls)


async def test_a_failing_answer_url_fails_the_run_and_says_so_in_one_line(
    wav: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AnsweringBot(xml=lambda bot, asked: (404, "not here")) as bot:
        assert await run_test(plan(bot, wav), progress=False) == FAILED
    said = capsys.readouterr().out
    assert f"call 1: connect failed: answer URL: {bot.url} answered 404" in said
    assert bot.at("/hangup")[0].fields["HangupCauseCode"] == "7011"


async def test_a_bot_that_hangs_up_before_it_has_answered_fails_its_call(wav: Path) -> None:
    async def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        await asyncio.to_thread(bot.client(asked).calls.delete, call_uuid=asked.fields["CallUUID"])
        return stream_xml(bot.socket_url)

    async with AnsweringBot(xml=xml) as bot:
        call = await one_call(bot, wav)
    assert (call.end, call.end_detail, call.failures) == ("bot hung up", "by REST", ["bot hung up: by REST"])
    assert bot.handshakes == [] and bot.at("/hangup")[0].fields["HangupSource"] == "API Request"


async def test_a_hang_up_url_that_hangs_does_not_hold_up_a_run_that_is_stopped(
    wav: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answered_call, "CANCELLED_S", 0.1)

    async def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        if asked.path == "/answer":
            return stream_xml(bot.socket_url)
        await asyncio.sleep(20)
        return ""

    async with AnsweringBot(xml=xml) as bot:
        test = BotTest(plan(bot, wav, hold_s=20, hangup_url=bot.web_url + "/slow"))
        running = asyncio.create_task(test.run())
        await until(lambda: len(bot.handshakes) == 1)
        test.stop()
        async with asyncio.timeout(5):
            run = await running
    assert [call.end for call in run.calls] == ["cancelled"]
    assert bot.at("/slow")[0].fields["Event"] == "Hangup"


async def test_a_hang_up_url_that_fails_is_remarked_and_fails_no_call(wav: Path) -> None:
    async with AnsweringBot() as bot:
        call = await one_call(bot, wav, hold_s=0.3, hangup_url="http://127.0.0.1:9/bye?token=s3cret")
    assert call.end == "caller hung up"
    (remark,) = call.remarks
    assert remark.startswith(
        "its hang-up URL did not take the end of the call: http://127.0.0.1:9/bye cannot"
    )
    assert "s3cret" not in repr(call)
