from __future__ import annotations

import asyncio
import base64
import logging

import pytest
from plivo_stream import types as sdk

from bridge.core.events import FellBehind, LegClosed, LegConnected, LegInterrupted
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
from tests.kit.services import BEGAN_MS, FarSide, StreamStage, a_stream, settle

pytestmark = pytest.mark.unit

SDK = {
    "start": sdk.StartEvent,
    "media": sdk.MediaEvent,
    "dtmf": sdk.DtmfEvent,
    "playedStream": sdk.PlayedStreamEvent,
    "clearedAudio": sdk.ClearedAudioEvent,
}


def two_way(**more: object) -> StreamStage:
    return StreamStage(a_stream(bidirectional=True, **more))  # type: ignore[arg-type]


def percents(stage: StreamStage) -> list[int]:
    return [event.percent for event in stage.port.events if isinstance(event, FellBehind)]


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


# --- how it ends ---


@pytest.mark.parametrize(("code", "cause"), [
    (1000, "service closed"), (1001, "service closed"), (1005, "service closed"), (4000, "service closed"),
    (1006, "connection lost"), (1011, "connection lost"), (1009, "connection lost"),
])  # fmt: skip
async def test_the_far_side_ends_the_stream(code: int, cause: str) -> None:
    stage = two_way()
    far = await stage.connect()
    stage.run(60)
    far.lose(code)
    assert stage.closed == [cause]
    book = stage.ledger.tracks["inbound"]
    # Confirmed once, after a second; what came later may have arrived or not.
    assert (book.captured, book.delivered, book.lost) == (60, 50, 10)
    assert book.gaps == [Gap(BEGAN_MS + 20 * 51, BEGAN_MS + 20 * 61)]
    stage.check()
    await stage.leg.close(CloseReason.FAILED)
    assert stage.legs.figures().ends == {cause: 1}
    assert len(stage.dial.attempts) == 1


async def test_one_way_without_redial_ends_with_its_connection() -> None:
    stage = StreamStage()
    far = await stage.connect()
    far.lose()
    assert stage.closed == ["connection lost"]
    assert stage.timers.delays == []


async def test_its_time_is_up_so_long_after_the_first_connection() -> None:
    stage = two_way(timeout_s=30.0)
    await stage.start()
    stage.run(1000)
    far = await stage.connect()
    stage.run(1499)
    assert stage.closed == []
    stage.run(2)
    assert far.close_calls == [(1000, "stream timeout")]
    assert stage.closed == ["stream timeout"]
    assert far.events("stop") == []
    book = stage.ledger.tracks["inbound"]
    assert book.captured == book.delivered
    assert stage.ledger.ended_at is not None
    assert stage.ledger.connected_at is not None
    assert stage.ledger.ended_at - stage.ledger.connected_at == pytest.approx(30, abs=0.05)


@pytest.mark.parametrize("reason", list(CloseReason))
@pytest.mark.parametrize("say_stop", [False, True])
async def test_closing_says_goodbye_and_all_was_delivered(reason: CloseReason, say_stop: bool) -> None:
    stage = two_way(say_stop=say_stop)
    far = await stage.connect()
    stage.run(30)
    closing = asyncio.create_task(stage.leg.close(reason))
    await settle()
    assert not closing.done()
    far.flow()
    await closing
    codes = {CloseReason.RESTART: 1012, CloseReason.FAILED: 1011}
    assert far.close_calls == [(codes.get(reason, 1000), reason.value)]
    assert [message["event"] for message in far.messages][-1] == ("stop" if say_stop else "media")
    assert stage.ledger.tracks["inbound"].delivered == 30
    assert stage.closed == []
    assert stage.port.sinks == {}
    assert stage.port.queue is None
    assert stage.timers.delays == []
    await stage.leg.close(reason)
    stage.check()
    assert stage.legs.figures().ends == {"closed": 1}


async def test_a_good_deal_that_is_held_is_still_sent_at_the_end_if_that_is_quick() -> None:
    stage = await StreamStage().start()
    stage.run(1_000)
    far = await stage.connect()
    closing = asyncio.create_task(stage.leg.close(CloseReason.ENDED))
    await settle()
    far.flow()
    await closing
    assert [media["chunk"] for media in far.media()] == list(range(1, 1_001))
    assert stage.ledger.tracks["inbound"].delivered == 1_000


async def test_a_goodbye_lasts_no_longer_than_a_second() -> None:
    stage = StreamStage()
    far = await stage.connect()
    stage.run(5)
    far.stalled = True
    stage.run(100)
    closing = asyncio.create_task(stage.leg.close(CloseReason.EXPELLED))
    await settle()
    await stage.wait(0.9)
    assert not closing.done()
    await stage.wait(0.2)
    await closing
    book = stage.ledger.tracks["inbound"]
    assert (book.captured, book.delivered, book.lost) == (105, 0, 105)
    assert far.close_calls == [(1000, "expelled")]
    stage.check()


@pytest.mark.parametrize("code", [1006, 1011])
async def test_a_connection_that_dies_during_the_goodbye_confirms_nothing(code: int) -> None:
    stage = two_way()
    far = await stage.connect()
    stage.run(30)
    closing = asyncio.create_task(stage.leg.close(CloseReason.ENDED))
    await settle()
    far.lose(code)
    await closing
    book = stage.ledger.tracks["inbound"]
    assert (book.delivered, book.lost) == (0, 30)
    assert stage.closed == []
    stage.check()


async def test_closing_a_leg_that_dials_ends_the_attempt() -> None:
    stage = await StreamStage().start()
    stage.run(3)
    await stage.leg.close(CloseReason.ENDED)
    await settle()
    assert stage.dial.attempts[0].answer.cancelled()
    assert stage.ledger.tracks["inbound"].lost == 3
    stage.check()
    far = FarSide(stage.dial.attempts[0].caller)
    far.caller.opened(far)  # it had just come through
    assert far.close_calls == [(1000, "")]
    assert LegConnected() not in stage.port.events


async def test_a_leg_never_started_can_be_closed() -> None:
    stage = StreamStage()
    await stage.leg.close(CloseReason.FAILED)
    assert stage.legs.figures().states == {}


# --- a slow service ---


async def test_falling_behind_is_reported_at_each_share_once_and_again_after_recovering() -> None:
    stage = StreamStage()
    far = await stage.connect()
    stage.run(10)
    far.stalled = True
    stage.run(590)
    assert percents(stage) == []
    stage.run(20)
    assert percents(stage) == [30]
    assert stage.ledger.unsent_share == pytest.approx(0.3, abs=0.02)
    stage.run(1_250)
    assert percents(stage) == [30, 60, 90]
    assert stage.leg.look().backlog_ms == pytest.approx(36_000, abs=1_500)
    far.stalled = False
    stage.run(600)
    assert stage.ledger.unsent_share < 0.01
    assert len(far.media()) == stage.ledger.tracks["inbound"].captured
    far.stalled = True
    stage.run(650)
    assert percents(stage) == [30, 60, 90, 30]
    stage.check()


async def test_wavering_around_a_share_is_reported_once() -> None:
    stage = StreamStage()
    far = await stage.connect()
    far.stalled = True
    stage.run(700)
    for _ in range(4):
        far.stalled = False
        stage.run(40)  # 160 frames, 8 %, are made up for
        far.stalled = True
        stage.run(160)
    assert percents(stage) == [30]


async def test_after_forty_seconds_a_service_is_too_slow() -> None:
    stage = StreamStage()
    far = await stage.connect()
    far.stalled = True
    stage.run(2_000)
    assert stage.closed == []
    assert percents(stage) == [30, 60, 90]
    stage.run(2)
    assert stage.closed == ["too slow"]
    assert far.close_calls == [(1008, "too slow")]
    book = stage.ledger.tracks["inbound"]
    assert book.captured == book.lost == 2_001
    assert book.gaps == [Gap(BEGAN_MS + 20, BEGAN_MS + 20 * 2_002)]
    stage.check()


async def test_two_tracks_hold_forty_seconds_too() -> None:
    stage = StreamStage(a_stream("inbound", "outbound"))
    far = await stage.connect()
    far.stalled = True
    stage.run(2_000)
    assert stage.closed == []
    assert percents(stage) == [30, 60, 90]
    stage.run(2)
    assert stage.closed == ["too slow"]
    stage.check()


async def test_a_service_that_takes_everything_and_confirms_nothing_is_too_slow_as_well() -> None:
    stage = StreamStage()
    far = await stage.connect()
    far.answers = False
    stage.run(2_101)
    assert stage.closed == []
    stage.run(2)  # what the last two seconds brought may be on its way
    assert percents(stage) == [30, 60, 90]
    assert stage.closed == ["too slow"]
    assert stage.ledger.tracks["inbound"].delivered == 0


async def test_only_half_a_second_is_given_to_the_socket_ahead() -> None:
    stage = StreamStage()
    far = await stage.connect()
    far.stalled = True
    stage.run(200)
    frame_bytes = 4 * 640 / 3
    assert 20 * frame_bytes < far.unsent_bytes < 35 * frame_bytes
    assert stage.leg.look().figures["held_ms"] == 4_000


async def test_held_audio_of_a_service_that_was_never_there_overflows_from_the_front() -> None:
    stage = await StreamStage().start()
    stage.run(2_100)
    assert stage.closed == []
    assert stage.ledger.tracks["inbound"].gaps == [Gap(BEGAN_MS + 20, BEGAN_MS + 20 * 101)]
    far = await stage.connect()
    stage.run(600)
    assert far.media()[0]["chunk"] == 101
    assert int(far.media()[0]["timestamp"]) == BEGAN_MS + 20 * 101
    stage.check()


# --- redialling ---


async def test_a_lost_connection_is_redialled_and_nothing_is_missing() -> None:
    stage = StreamStage(a_stream(redial=True))
    first = await stage.connect()
    stage.run(75)
    first.lose(1011)
    assert stage.leg.look().state == "interrupted"
    assert stage.port.events[-1] == LegInterrupted("connection lost")
    stage.run(20)
    assert stage.timers.delays[0] < 1.0
    stage.timers.advance(1.0)
    second = await stage.connect()
    stage.run(100)
    assert second.messages[0]["event"] == "start"
    assert second.messages[0]["sequenceNumber"] == 1
    assert second.messages[0]["start"] == first.messages[0]["start"]
    # The first 50 were confirmed; the rest comes again as it was.
    assert [media["chunk"] for media in second.media()] == list(range(51, 196))
    assert second.media()[:25] == first.media()[50:]
    await close(stage)
    book = stage.ledger.tracks["inbound"]
    assert (book.captured, book.delivered, book.lost) == (195, 195, 0)
    assert stage.ledger.connects == 2


async def close(stage: StreamStage) -> None:
    closing = asyncio.create_task(stage.leg.close(CloseReason.ENDED))
    await settle()
    if stage.far is not None:
        stage.far.flow()
    stage.timers.advance(1.0)
    await closing
    stage.check()


async def test_what_overflows_between_two_connections_is_told_from_to() -> None:
    stage = StreamStage(a_stream("inbound", "outbound", redial=True))
    first = await stage.connect()
    stage.run(100)
    first.lose()
    stage.run(2_050)  # 40 s are held
    second = await stage.connect()
    stage.run(800)
    for track in ("inbound", "outbound"):
        got = [media["chunk"] for media in second.media(track)]
        assert got == list(range(2_150 - 2_000 + 1, 2_951))
        [gap] = stage.ledger.tracks[track].gaps
        assert gap == Gap(BEGAN_MS + 20 * 101, BEGAN_MS + 20 * 151)
    await close(stage)
    assert [book.lost for book in stage.ledger.tracks.values()] == [50, 50]


async def test_a_stalled_connection_that_will_be_redialled_loses_the_oldest_instead_of_failing() -> None:
    stage = StreamStage(a_stream(redial=True))
    far = await stage.connect()
    far.stalled = True
    stage.run(2_500)
    assert stage.closed == []
    assert percents(stage) == [30, 60, 90]
    book = stage.ledger.tracks["inbound"]
    assert 500 <= book.lost <= 502  # `start` waits in the socket, too
    far.stalled = False
    stage.run(600)
    got = [media["chunk"] for media in far.media()]
    missing = sorted(set(range(1, got[-1] + 1)) - set(got))
    assert got == sorted(got)
    assert len(missing) == book.lost
    assert book.gaps == [Gap(BEGAN_MS + 20 * missing[0], BEGAN_MS + 20 * (missing[-1] + 1))]
    stage.check()


async def test_a_connection_that_takes_all_and_confirms_nothing_is_dialled_anew() -> None:
    stage = StreamStage(a_stream(redial=True))
    first = await stage.connect()
    first.answers = False
    stage.run(2_101)
    assert first.close_calls == [(1008, "too slow")]
    assert stage.port.events[-1] == LegInterrupted("too slow")
    stage.timers.advance(1.0)
    second = await stage.connect()
    stage.run(600)
    assert second.media()[0]["chunk"] == 2_101 - 2_000 + 1
    stage.check()


async def test_pauses_grow_up_to_a_bound_and_start_over_after_a_good_connection() -> None:
    stage = StreamStage(a_stream(redial=True))
    far = await stage.connect()
    stage.run(1_000)
    far.lose(1000)
    pauses = []
    for _ in range(8):
        [pause] = [delay for delay in stage.timers.delays if delay < 1000]
        pauses.append(round(pause, 2))
        await stage.wait(pause)
        await stage.dial.refuse(DialFailed("refused"))
    assert pauses == [0.5, 1, 2, 4, 8, 15, 15, 15]
    await stage.wait(15)
    far = await stage.connect()
    stage.run(100)  # 2 s are no good connection
    far.lose()
    assert min(stage.timers.delays) == 15
    await stage.wait(15)
    far = await stage.connect()
    stage.run(501)
    far.lose()
    assert min(stage.timers.delays) == 0.5
    assert stage.closed == []


async def test_a_service_that_is_not_there_from_the_start_is_dialled_on_and_that_is_told() -> None:
    stage = await StreamStage(a_stream(redial=True)).start()
    for _ in range(5):
        await stage.dial.refuse(DialFailed("refused"))
        await stage.wait(15)
    assert stage.port.events == [LegInterrupted("connect failed: refused")]
    far = await stage.connect()
    assert stage.port.events[-1] == LegConnected()
    stage.run(1)
    assert far.media()[0]["chunk"] == 1


async def test_a_timeout_ends_a_stream_between_two_connections() -> None:
    stage = StreamStage(a_stream(redial=True, timeout_s=2.0))
    far = await stage.connect()
    stage.run(60)
    far.lose()
    stage.run(45)
    assert stage.closed == ["stream timeout"]
    assert stage.timers.delays == []
    stage.check()


async def test_keys_survive_a_lost_connection_in_their_place() -> None:
    stage = StreamStage(a_stream(redial=True))
    first = await stage.connect()
    stage.run(10)
    first.lose()
    stage.run(5)
    stage.leg.press("inbound", "#")
    stage.leg.press("outbound", "1")  # it has no such track
    stage.timers.advance(1)
    second = await stage.connect()
    stage.run(10)
    kinds = [message["event"] for message in second.messages]
    assert kinds.index("dtmf") == 16
    assert kinds.count("dtmf") == 1


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
