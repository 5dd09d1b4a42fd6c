"""Services that are slow, and services that are gone and dialled again."""

from __future__ import annotations

import asyncio

import pytest

from bridge.core.events import LegConnected, LegInterrupted
from bridge.core.ports import (
    CloseReason,
    Gap,
)
from bridge.sockets import DialFailed
from tests.kit.services import BEGAN_MS, StreamStage, a_stream, percents, settle

pytestmark = pytest.mark.unit


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
