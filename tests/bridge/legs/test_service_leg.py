from __future__ import annotations

import asyncio
import base64
import logging

import pytest
from plivo_stream import types as sdk

from bridge.core.events import LegClosed
from bridge.core.ports import (
    L16_8K,
    L16_16K,
    ULAW_8K,
    AudioFormat,
    CallStart,
    CloseReason,
    Gap,
    SoloSource,
    StreamEnd,
    WebRtcOffer,
)
from bridge.errors import EgressRefused
from bridge.legs.plivo_headers import read_extra_headers
from bridge.legs.service_settings import ServiceSettings
from bridge.sockets import DialFailed
from tests.kit.services import BEGAN_MS, StreamStage, a_stream, settle, two_way

pytestmark = pytest.mark.unit


SDK = {
    "start": sdk.StartEvent,
    "media": sdk.MediaEvent,
    "dtmf": sdk.DtmfEvent,
    "playedStream": sdk.PlayedStreamEvent,
    "clearedAudio": sdk.ClearedAudioEvent,
}


# --- how it begins ---


@pytest.mark.parametrize("audio_format", [L16_8K, L16_16K, ULAW_8K])
async def test_start_comes_first_then_the_leg_is_up_then_media_every_tick(audio_format: AudioFormat) -> None:
    stage = two_way(audio_format=audio_format, headers={"user": "Zoë, x=1;y"})
    far = await stage.connect()
    assert stage.port.log == ["open primary", "LegConnected", "hear inbound"]
    assert stage.port.queue is not None
    assert stage.port.queue.audio_format == audio_format
    far.flow()
    [start] = far.messages
    call = stage.spec.call
    assert start == {
        "event": "start",
        "sequenceNumber": 1,
        "start": {
            "callId": call.call_id,
            "streamId": call.stream_id,
            "accountId": "MA1",
            "tracks": ["inbound"],
            "mediaFormat": {
                "encoding": "audio/x-mulaw" if audio_format == ULAW_8K else "audio/x-l16",
                "sampleRate": audio_format.rate_hz,
            },
        },
        "extra_headers": "user=Zo%C3%AB%2C%20x%3D1%3By",
    }
    assert read_extra_headers(start["extra_headers"]) == {"user": "Zoë, x=1;y"}
    stage.run(3)
    assert [message["sequenceNumber"] for message in far.messages] == [1, 2, 3, 4]
    assert [media["timestamp"] for media in far.media()] == [str(BEGAN_MS + 20 * n) for n in (1, 2, 3)]
    assert [media["chunk"] for media in far.media()] == [1, 2, 3]
    assert base64.b64decode(far.media()[-1]["payload"]) == stage.frame()
    assert {message["extra_headers"] for message in far.messages} == {start["extra_headers"]}


async def test_the_vendor_s_types_accept_all_that_is_said() -> None:
    stage = two_way(headers={"a": "100%"}, say_stop=False)
    far = await stage.connect()
    queue = stage.port.queue
    assert queue is not None
    stage.run(2)
    far.say("checkpoint", streamId="x", name="one")
    queue.sink.played("one")
    queue.sink.cleared(())
    stage.leg.press("inbound", "5")
    stage.run(1)
    kinds = [message["event"] for message in far.messages]
    assert kinds == ["start", "media", "media", "playedStream", "clearedAudio", "dtmf", "media"]
    for message in far.messages:
        parsed = SDK[message["event"]].model_validate(message, strict=True)
        assert parsed.sequence_number == far.messages.index(message) + 1
    assert far.events("dtmf")[0]["dtmf"] == {
        "track": "inbound",
        "digit": "5",
        "timestamp": str(BEGAN_MS + 40),
    }


async def test_without_headers_the_key_is_there_all_the_same() -> None:
    stage = two_way()
    far = await stage.connect()
    stage.run(1)
    assert [message["extra_headers"] for message in far.messages] == ["{}", "{}"]


async def test_each_track_has_its_own_chunks_and_one_row_of_numbers() -> None:
    stage = StreamStage(a_stream("inbound", "outbound"))
    far = await stage.connect()
    assert set(stage.port.sinks) == {"inbound", "outbound"}
    stage.run(3)
    for track in ("inbound", "outbound"):
        assert [media["chunk"] for media in far.media(track)] == [1, 2, 3]
    assert [message["sequenceNumber"] for message in far.messages] == list(range(1, 8))


async def test_late_frames_are_sent_too_and_missed_ticks_are_a_jump_in_time_and_chunk() -> None:
    stage = two_way()
    far = await stage.connect()
    stage.run(2, late=True)
    stage.ticks += 3
    stage.run(1)
    assert [media["chunk"] for media in far.media()] == [1, 2, 6]
    assert [int(media["timestamp"]) - BEGAN_MS for media in far.media()] == [20, 40, 120]
    book = stage.ledger.tracks["inbound"]
    assert (book.captured, book.lost, book.gaps) == (6, 3, [Gap(BEGAN_MS + 60, BEGAN_MS + 120)])


async def test_what_a_service_only_receives_is_captured_from_the_start() -> None:
    stage = await StreamStage().start()
    stage.run(100)
    assert stage.leg.look().state == "connecting"
    assert stage.leg.look().figures["held_ms"] == 2_000
    far = await stage.connect()
    stage.run(10)
    # Five a tick, so the way is never flooded.
    assert len(far.media()) == 55
    stage.run(20)
    assert [media["chunk"] for media in far.media()] == list(range(1, 131))


async def test_what_is_two_way_is_captured_from_the_connection_on() -> None:
    stage = await two_way().start()
    stage.run(100)
    assert stage.port.sinks == {}
    far = await stage.connect()
    stage.run(1)
    assert far.media()[0]["chunk"] == 1
    assert stage.ledger.tracks["inbound"].captured == 1


async def test_each_attempt_has_fresh_headers_and_a_limit_for_messages() -> None:
    nonces = iter("abc")
    stage = two_way(handshake=lambda: {"x-nonce": next(nonces)})
    await stage.start()
    await stage.dial.refuse(DialFailed("no"))
    await stage.wait(1.3)
    await stage.connect()
    assert [attempt.headers for attempt in stage.dial.attempts] == [{"x-nonce": "a"}, {"x-nonce": "b"}]
    assert stage.dial.attempts[0].max_message_bytes > 5_000_000
    one_way = await StreamStage().start()
    assert one_way.dial.attempts[0].max_message_bytes < 100_000


async def test_after_two_retries_the_stream_has_failed() -> None:
    stage = await two_way().start()
    for pause in (1.0, 3.0):
        await stage.dial.refuse(DialFailed("the service answered 503"))
        assert stage.timers.delays == [pytest.approx(pause)]
        await stage.wait(pause)
    assert stage.closed == []
    await stage.dial.refuse(DialFailed("the service answered 404", 404))
    assert stage.closed == ["connect failed: the service answered 404"]
    assert StreamEnd.of(stage.closed[0]) is StreamEnd.CONNECT_FAILED
    assert stage.ledger.attempts == 3
    assert stage.ledger.ended_at is not None
    assert stage.timers.delays == []
    await stage.leg.close(CloseReason.FAILED)


async def test_what_may_not_be_reached_is_not_tried_again() -> None:
    stage = await StreamStage(a_stream(redial=True)).start()
    stage.run(10)
    await stage.dial.refuse(EgressRefused("10.0.0.1 is private: see X"))
    assert stage.closed == ["connect failed: 10.0.0.1 is private: see X"]
    assert len(stage.dial.attempts) == 1
    assert stage.ledger.tracks["inbound"].lost == 10
    stage.check()


async def test_a_broken_dial_counts_as_a_failed_attempt(caplog: pytest.LogCaptureFixture) -> None:
    stage = await two_way().start()
    await stage.dial.refuse(RuntimeError("bug"))
    assert "an attempt to connect broke" in caplog.text
    await stage.wait(1.0)
    await stage.connect()
    assert stage.leg.look().state == "connected"


async def test_the_log_and_what_is_shown_hold_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    stage = await two_way().start()
    await stage.dial.refuse(DialFailed("nobody there"))
    await stage.wait(1.0)
    far = await stage.connect()
    stage.leg.press("inbound", "7")
    far.say("sendDTMF", dtmf="7")
    far.raw(b"7")
    far.lose(1000)
    text = caplog.text + repr(stage.spec) + repr(stage.leg.look())
    assert "service.example: attempt 1 failed" in caplog.text
    assert "secret" not in text
    assert not any("7" in record.getMessage() for record in caplog.records)
    lines = [record for record in caplog.records if record.name.startswith("bridge.legs")]
    assert {(line.room, line.participant, line.leg) for line in lines} == {("room", "stream", "stream")}  # type: ignore[attr-defined]


# --- the rest of the port ---


async def test_acknowledgements_are_bounded_for_a_service_that_does_not_read() -> None:
    stage = two_way()
    far = await stage.connect()
    far.stalled = True
    stage.run(10)
    for n in range(3_000):
        far.say("checkpoint", name=str(n))
        assert stage.port.queue is not None
        stage.port.queue.sink.played(str(n))
    figures = stage.leg.look().figures
    assert figures["notes_dropped"] > 1_900
    far.stalled = False
    stage.run(300)
    acks = [message["name"] for message in far.events("playedStream")]
    assert acks == [str(n) for n in range(len(acks))]
    assert len(acks) + figures["notes_dropped"] == 3_000
    numbers = [message["sequenceNumber"] for message in far.messages]
    assert numbers == list(range(1, len(numbers) + 1))
    stage.check()


async def test_a_full_socket_costs_no_number_and_no_frame() -> None:
    stage = StreamStage(a_stream("inbound", "outbound"))
    far = await stage.connect()
    far.stalled = True
    stage.run(100)
    assert far.unsent_bytes > 49_000
    far.stalled = False
    stage.run(100)
    numbers = [message["sequenceNumber"] for message in far.messages]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [media["chunk"] for media in far.media("outbound")] == list(range(1, 201))


async def test_what_a_service_says_that_has_nothing_to_say_is_ignored() -> None:
    stage = StreamStage()
    far = await stage.connect()
    for _ in range(200):
        far.raw(b"rubbish")
    far.say("checkpoint", name="x")
    stage.run(1)
    assert stage.closed == []
    assert stage.leg.look().figures["ignored"] == 201
    assert [message["event"] for message in far.messages] == ["start", "media"]


async def test_what_a_service_says_to_a_goodbye_is_not_played_and_not_refused() -> None:
    stage = two_way()
    far = await stage.connect()
    stage.run(5)
    closing = asyncio.create_task(stage.leg.close(CloseReason.HANGUP))
    await settle()
    far.say("playAudio", media={"payload": base64.b64encode(bytes(800)).decode()})
    far.say("sendDTMF", dtmf="1")
    assert (stage.ledger.played_ms, stage.ledger.refused_ms, stage.ledger.digits) == (0, 0, 0)
    far.flow()
    await closing


async def test_a_service_that_says_nothing_but_rubbish_is_closed() -> None:
    stage = two_way()
    far = await stage.connect()
    for _ in range(100):
        far.raw(b"\x00", is_text=False)
    assert far.close_calls == [(1007, "not understood")]
    stage.run(1)
    assert stage.closed == ["not understood"]
    assert stage.ledger.malformed == 100


async def test_the_leg_shows_what_it_does() -> None:
    stage = two_way(audio_format=ULAW_8K)
    far = await stage.connect()
    stage.run(50)
    far.say("playAudio", media={"payload": base64.b64encode(bytes(800)).decode()})
    look = stage.leg.look()
    assert (look.kind, look.state, look.format) == ("stream", "connected", "µ-law 8 kHz")
    assert look.figures["captured"] == 50
    assert look.figures["played_ms"] == 100
    assert look.figures["queued_ms"] == 60
    figures = stage.legs.figures()
    assert figures.states == {"connected": 1}
    assert figures.totals["captured"] == 50
    assert figures.made == 1


async def test_another_stream_is_another_leg_and_text_means_nothing_to_a_service() -> None:
    stage = two_way()
    await stage.connect()
    assert await stage.leg.renegotiate(a_stream()) is None
    stage.leg.send("hello")
    stage.run(1)
    assert stage.far is not None
    assert [message["event"] for message in stage.far.messages] == ["start", "media"]


def test_what_cannot_be_a_stream_is_refused() -> None:
    stage = StreamStage()
    with pytest.raises(TypeError):
        stage.legs(stage.port, WebRtcOffer(""))
    with pytest.raises(ValueError, match="source"):
        stage.legs(stage.port, a_stream("inbound", sources={"outbound": SoloSource("a")}))
    with pytest.raises(ValueError, match="source"):
        call = CallStart("", "", "", (), L16_8K, {})
        stage.legs(stage.port, a_stream(call=call, sources={}))
    with pytest.raises(ValueError, match="not redialled"):
        stage.legs(stage.port, a_stream(bidirectional=True, redial=True))


@pytest.mark.parametrize("wrong", [
    {"held_ms": 500}, {"in_socket_ms": 30_000}, {"least_pause_s": 0}, {"most_pause_s": 0.1},
    {"first_pauses_s": (0.0,)}, {"catch_up_frames": 1},
])  # fmt: skip
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"stream|pause|caught"):
        ServiceSettings(**wrong)  # type: ignore[arg-type]


def test_causes_are_read_back() -> None:
    for end in StreamEnd:
        assert StreamEnd.of(end.value) is end
    assert StreamEnd.of("expelled") is None
    assert StreamEnd.of("connect failed: service closed") is StreamEnd.CONNECT_FAILED
    assert isinstance(LegClosed(StreamEnd.TIMEOUT).cause, str)
