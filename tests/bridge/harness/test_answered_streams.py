"""What an answer says of its stream is obeyed, and so is what stands around it; on real sockets."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plivo import plivoxml

from tests.kit import bots
from tests.kit.answered_calls import Closing, moments, one_call, question
from tests.kit.answering_bots import AUTH_ID, AnsweringBot, Asked, Reply, stream_xml

pytestmark = pytest.mark.e2e


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return question(tmp_path)


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
    assert ("stream", f"to {bot.socket_url}") in moments(call)


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
    happened = moments(call)
    assert ("redirected", f"{bot.web_url}/next") in happened and ("callback", "StopStream") in happened
    assert not any("secret" in text for _, text in happened)


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


async def test_a_socket_that_cannot_be_reached_fails_the_call_and_drops_the_stream(wav: Path) -> None:
    def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return stream_xml("ws://127.0.0.1:9/?token=s3cret", statusCallbackUrl=bot.web_url + "/events")

    async with AnsweringBot(xml=xml) as bot:
        call = await one_call(bot, wav)
    assert call.end == "connect failed" and "cannot connect" in call.failures[0]
    assert [asked.fields["Event"] for asked in bot.at("/events")] == ["DroppedStream"]
    assert bot.at("/hangup")[0].fields["HangupCauseCode"] == "4010"
    assert "s3cret" not in repr(call)
