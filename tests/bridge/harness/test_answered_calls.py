"""Calls through an answer URL, on real sockets: what is asked, what is obeyed, how ends are told apart."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from plivo import plivoxml
from plivo.exceptions import AuthenticationError, InvalidRequestError, ResourceNotFoundError

from bridge.harness.account import Account
from bridge.harness.answer_course import AnswerSettings
from bridge.harness.bot_test import BotTest
from bridge.harness.exchange import ExchangeSettings
from bridge.harness.lateness import LateLimits
from bridge.harness.results import CallResult
from bridge.harness.run_command import FAILED, PASSED, plan_run, run_test
from tests.kit import bots
from tests.kit.answering_bots import AUTH_ID, AUTH_TOKEN, AnsweringBot, Asked, Reply, stream_xml
from tests.kit.ears import until
from tests.kit.plivo_account import elsewhere
from tests.kit.tones import tone

pytestmark = pytest.mark.e2e

PATIENT = LateLimits(late_s=1.0, worst_s=10.0)
ACCOUNT = Account(AUTH_ID, AUTH_TOKEN)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "question.wav"
    sound = np.concatenate((tone(bots.CALLER_HZ, 0.3, 16_000), np.zeros(800, np.float32)))
    soundfile.write(path, sound.astype(np.int16), 16_000)
    return path


def plan(
    bot: AnsweringBot, wav: Path, *, hold_s: float | None = None, calls: int = 1, **settings: Any
) -> Any:
    answer = AnswerSettings(bot.url, hangup_url=bot.web_url + "/hangup", **settings)
    return plan_run(
        bot.url, calls=calls, ramp_per_s=20, wav=wav, hold_s=hold_s, limits=PATIENT,
        exchange=ExchangeSettings(ACCOUNT, answer),
    )  # fmt: skip


async def one_call(bot: AnsweringBot, wav: Path, **settings: Any) -> CallResult:
    async with asyncio.timeout(30):
        run = await BotTest(plan(bot, wav, **settings)).run()
    return run.calls[0]


def kinds(call: CallResult) -> list[tuple[str, str]]:
    return [(moment.kind, moment.text) for moment in call.timeline]


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


class Closing(bots.Bot):
    async def hear(self, event: dict[str, Any]) -> None:
        await super().hear(event)
        if event["event"] == "playedStream":
            await self.socket.close(1000, "bye")


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


@pytest.mark.parametrize(
    ("content_type", "encoding", "rate_hz"),
    [
        ("audio/x-l16;rate=8000", "audio/x-l16", 8000),
        ("audio/x-l16;rate=16000", "audio/x-l16", 16000),
        ("audio/x-mulaw;rate=8000", "audio/x-mulaw", 8000),
    ],
)
async def test_the_stream_is_as_the_xml_says(
    wav: Path, content_type: str, encoding: str, rate_hz: int
) -> None:
    heard: list[dict[str, Any]] = []

    class Listening(bots.Bot):
        async def converse(self) -> None:
            async for message in self.socket:
                heard.append(json.loads(message))

    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return stream_xml(
            bot.socket_url + "?call=7", contentType=content_type, extraHeaders="tenant=12,tier=gold"
        )

    async with AnsweringBot(Listening, xml) as bot:
        call = await one_call(bot, wav, hold_s=0.4)
    start, media = heard[0], heard[1]
    assert start["start"]["mediaFormat"] == {"encoding": encoding, "sampleRate": rate_hz}
    assert start["start"]["tracks"] == ["inbound"] and start["start"]["callId"] == call.call_id
    assert start["start"]["accountId"] == AUTH_ID
    assert start["extra_headers"] == media["extra_headers"] == "tenant=12;tier=gold"
    assert bot.handshakes == [("/stream?call=7", True)]
    assert ("stream", f"to {bot.socket_url}") in kinds(call)


@pytest.mark.parametrize(
    ("track", "tracks"),
    [("inbound", ["inbound"]), ("outbound", ["outbound"]), ("both", ["inbound", "outbound"])],
)
async def test_tracks_follow_the_xml_and_only_the_caller_s_own_holds_their_words(
    wav: Path, track: str, tracks: list[str]
) -> None:
    loud: dict[str, bool] = {}

    class Listening(bots.Bot):
        async def converse(self) -> None:
            async for message in self.socket:
                event = json.loads(message)
                if event["event"] == "media":
                    sound = np.frombuffer(base64.b64decode(event["media"]["payload"]), "<i2")
                    name = event["media"]["track"]
                    loud[name] = loud.get(name, False) or bool(np.abs(sound.astype(int)).max() > bots.LOUD)

    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        wait = plivoxml.WaitElement(length=30)
        return stream_xml(bot.socket_url, wait, audioTrack=track, bidirectional=False)

    async with AnsweringBot(Listening, xml) as bot:
        call = await one_call(bot, wav, hold_s=0.6)
    assert call.end == "caller hung up"
    assert loud == {name: name == "inbound" for name in tracks}


async def test_what_a_bot_says_on_a_one_way_stream_is_named_and_not_heard(wav: Path) -> None:
    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return stream_xml(bot.socket_url, plivoxml.WaitElement(length=30), bidirectional=False)

    async with AnsweringBot(xml=xml) as bot:
        call = await one_call(bot, wav, hold_s=1.2)
    assert call.violations == {"one_way": 2}
    assert call.first_heard_ms is None and call.responses == []
    assert len(call.failures) == 1 and call.failures[0].startswith("one_way (× 2): ")


async def test_a_bot_that_only_listens_on_a_one_way_stream_passes(wav: Path) -> None:
    class Listening(bots.Bot):
        async def later(self) -> None:
            pass

    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return stream_xml(bot.socket_url, plivoxml.DialElement().add(plivoxml.NumberElement("1555")),
                          bidirectional=False)  # fmt: skip

    async with AnsweringBot(Listening, xml) as bot:
        call = await one_call(bot, wav, hold_s=1.0)
    assert (call.end, call.failures) == ("caller hung up", [])
    assert call.remarks == ["not carried out: <Dial>"]


async def test_a_stream_that_does_not_hold_the_call_ends_it_at_once_and_says_why(wav: Path) -> None:
    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return stream_xml(bot.socket_url, keepCallAlive=False)

    async with AnsweringBot(xml=xml) as bot:
        call = await one_call(bot, wav, hold_s=20)
    assert call.end == "bot hung up" and call.duration_ms < 2_000
    assert call.failures[0].startswith("bot hung up: its XML was over at once: nothing follows the <Stream>")
    assert bot.at("/hangup")[0].fields["HangupCauseCode"] == "4010"
    assert bot.handshakes == [("/stream", True)]


async def test_a_stream_timeout_ends_the_stream_and_the_xml_goes_on(wav: Path) -> None:
    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        if asked.path == "/next":
            return "<Response><Hangup/></Response>"
        redirect = plivoxml.RedirectElement(bot.web_url + "/next?secret=1")
        return stream_xml(
            bot.socket_url, redirect, streamTimeout=1, statusCallbackUrl=bot.web_url + "/events"
        )

    async with AnsweringBot(xml=xml) as bot:
        call = await one_call(bot, wav, hold_s=20)
    assert (call.end, call.end_detail) == ("bot hung up", "the streamTimeout of its XML was over, after 1 s")
    assert 900 < call.duration_ms < 4_000
    assert [asked.fields["Event"] for asked in bot.at("/events")] == ["StartStream", "StopStream"]
    assert all(asked.signed for asked in bot.at("/events"))
    stopped = bot.at("/events")[1].fields
    assert stopped["Reason"] == "Stream timeout" and stopped["ServiceURL"] == bot.socket_url
    (again,) = bot.at("/next")
    assert again.signed and again.fields["CallStatus"] == "in-progress"
    assert bot.at("/hangup")[0].fields["HangupSource"] == "Answer XML"
    moments = kinds(call)
    assert ("redirected", f"{bot.web_url}/next") in moments and ("callback", "StopStream") in moments
    assert not any("secret" in text for _, text in moments)


async def test_what_follows_the_stream_comes_when_the_bot_has_closed_it(wav: Path) -> None:
    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return stream_xml(
            bot.socket_url, plivoxml.SpeakElement("Bye"), plivoxml.WaitElement(length=1),
            plivoxml.HangupElement(), statusCallbackUrl=bot.web_url + "/events", statusCallbackMethod="GET",
        )  # fmt: skip

    async with AnsweringBot(Closing, xml) as bot:
        call = await one_call(bot, wav, hold_s=20)
    assert (call.end, call.failures, call.remarks) == ("bot closed", [], ["not carried out: <Speak>"])
    closed_at = next(m.at_ms for m in call.timeline if m.kind == "callback" and m.text == "DroppedStream")
    ended_at = next(m.at_ms for m in call.timeline if m.kind == "ended")
    assert ended_at - closed_at > 800
    assert [(asked.method, asked.signed) for asked in bot.at("/events")] == [("GET", True)] * 2


async def test_a_scheduled_hang_up_ends_the_call(wav: Path) -> None:
    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return stream_xml(bot.socket_url).replace("<Response>", '<Response><Hangup schedule="1"/>')

    async with AnsweringBot(xml=xml) as bot:
        call = await one_call(bot, wav, hold_s=20)
    assert (call.end, call.end_detail) == ("bot hung up", "by <Hangup schedule> in its XML, after 1 s")
    assert bot.at("/hangup")[0].fields["HangupCauseCode"] == "6000"


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
    assert ("unsupported", "transferring the call by REST") in kinds(call)
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
    assert ("fallback", f"{bot.url} answered 500") in kinds(call)


async def test_a_socket_that_cannot_be_reached_fails_the_call_and_drops_the_stream(wav: Path) -> None:
    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return stream_xml("ws://127.0.0.1:9/?token=s3cret", statusCallbackUrl=bot.web_url + "/events")

    async with AnsweringBot(xml=xml) as bot:
        call = await one_call(bot, wav)
    assert call.end == "connect failed" and "cannot connect" in call.failures[0]
    assert [asked.fields["Event"] for asked in bot.at("/events")] == ["DroppedStream"]
    assert bot.at("/hangup")[0].fields["HangupCauseCode"] == "4010"
    assert "s3cret" not in repr(call)


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
