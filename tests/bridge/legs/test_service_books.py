"""Whatever happens to a stream, every frame is delivered, lost, or waits; and what is said is true."""

from __future__ import annotations

import asyncio
import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core.ports import PTIME_MS, CloseReason, Gap, TrackLedger
from bridge.legs.plivo_call_wire import CallWriter
from bridge.legs.service_hold import MAX_NOTES, Hold, TrackBook
from bridge.legs.service_settings import ServiceSettings
from bridge.sockets import DialFailed
from tests.kit.services import BEGAN_MS, FarSide, StreamStage, a_stream, settle

pytestmark = pytest.mark.unit

SMALL = ServiceSettings(held_ms=2_000, confirm_every_ms=200, most_pause_s=2.0)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 60)),
        st.tuples(st.just("late"), st.integers(1, 5)),
        st.tuples(st.just("miss"), st.integers(1, 5)),
        st.tuples(st.just("accept"), st.just(0)),
        st.tuples(st.just("refuse"), st.just(0)),
        st.tuples(st.just("lose"), st.sampled_from([1000, 1006, 1011])),
        st.tuples(st.just("stall"), st.booleans()),
        st.tuples(st.just("deaf"), st.booleans()),
        st.tuples(st.just("trickle"), st.integers(1, 40)),
        st.tuples(st.just("press"), st.just(0)),
    ),
    max_size=25,
)


async def live(stage: StreamStage, steps: list[tuple[str, int]], far_sides: list[FarSide]) -> None:
    await stage.start()
    for what, amount in steps:
        far = stage.far
        match what:
            case "run":
                stage.run(amount)
            case "late":
                stage.run(amount, late=True)
            case "miss":
                stage.ticks += amount
            case "accept" if stage.dial.waiting:
                stage.far = await stage.dial.accept()
                far_sides.append(stage.far)
            case "refuse" if stage.dial.waiting:
                await stage.dial.refuse(DialFailed("no"))
            case "lose" if far is not None:
                far.lose(amount)
            case "stall" if far is not None:
                far.stalled = bool(amount)
            case "deaf" if far is not None:
                far.answers = not amount
            case "trickle" if far is not None:
                stage.run(1, flow=False)
                stalled, far.stalled = far.stalled, False
                far.flow(amount)
                far.stalled = stalled
            case "press":
                stage.leg.press("inbound", "1")
        await settle()
        stage.check()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.booleans(), st.sampled_from([("inbound",), ("inbound", "outbound")]), st.booleans())
def test_captured_is_delivered_and_lost_and_what_waits(
    steps: list[tuple[str, int]], redial: bool, tracks: tuple[str, ...], patient: bool
) -> None:
    far_sides: list[FarSide] = []

    async def run() -> StreamStage:
        stage = StreamStage(a_stream(*tracks, redial=redial), SMALL)
        await live(stage, steps, far_sides)
        if stage.dial.waiting and patient:
            stage.far = await stage.dial.accept()
            far_sides.append(stage.far)
        closing = asyncio.create_task(stage.leg.close(CloseReason.ENDED))
        await settle()
        if stage.far is not None:
            stage.far.flow()
        await stage.wait(SMALL.farewell_s)
        await closing
        stage.check()
        return stage

    stage = asyncio.run(run())
    for track, book in stage.ledger.tracks.items():
        assert book.captured == book.delivered + book.lost
        arrived: dict[int, tuple[int, str]] = {}
        for far in far_sides:
            numbers = [message["sequenceNumber"] for message in far.messages]
            assert numbers == list(range(1, len(numbers) + 1))
            chunks = [media["chunk"] for media in far.media(track)]
            assert chunks == sorted(set(chunks))
            for media in far.media(track):
                as_it_is = (int(media["timestamp"]), media["payload"])
                assert arrived.setdefault(media["chunk"], as_it_is) == as_it_is
        # What was confirmed has arrived; what has neither arrived nor was confirmed is in a gap.
        assert book.delivered <= len(arrived)
        gaps = book.gaps
        assert book.more_gaps == 0
        assert sum(gap.to_ms - gap.from_ms for gap in gaps) == book.lost * PTIME_MS
        times = [at_ms for at_ms, _ in arrived.values()]
        if times:
            first = min(times + [gap.from_ms for gap in gaps])
            for chunk in range(1, book.captured + 1):
                at_ms = first + (chunk - 1) * PTIME_MS
                assert chunk in arrived or any(gap.from_ms <= at_ms < gap.to_ms for gap in gaps)
        for at_ms, payload in arrived.values():
            number = (at_ms - BEGAN_MS) // PTIME_MS
            assert base64.b64decode(payload)[:2] == number.to_bytes(2, "little")


# --- the hold by itself ---


def a_hold(*tracks: str) -> tuple[Hold, list[TrackBook]]:
    books = [TrackBook(track, TrackLedger()) for track in tracks or ("inbound",)]
    return Hold(books), books


def chunks(hold: Hold) -> list[int]:
    """Send all that is held."""
    sent = []
    while (item := hold.next) is not None:
        sent.append(getattr(item, "chunk", 0))
        hold.sent()
    return sent


def test_what_was_on_the_way_goes_back_to_the_front() -> None:
    hold, [book] = a_hold()
    for n in range(5):
        hold.capture(book, b"", 20 * n)
    hold.sent()
    hold.sent()
    hold.delivered(1)
    assert (hold.on_the_way, hold.held_frames, hold.waiting) == (1, 3, 4)
    hold.take_back()
    assert (hold.on_the_way, hold.held_frames, hold.waiting) == (0, 4, 4)
    assert chunks(hold) == [2, 3, 4, 5]


def test_the_oldest_frame_goes_and_the_notes_before_it_stay() -> None:
    hold, [book] = a_hold()
    hold.note(CallWriter.cleared)
    hold.note(CallWriter.stop)
    for n in range(3):
        hold.capture(book, b"", 20 * n)
    assert hold.lose_oldest()
    assert (book.ledger.lost, book.ledger.gaps) == (1, [Gap(0, 20)])
    assert chunks(hold) == [0, 0, 2, 3]
    assert not hold.lose_oldest()


def test_notes_have_a_bound_of_their_own() -> None:
    hold, _ = a_hold()
    assert all(hold.note(CallWriter.cleared) for _ in range(MAX_NOTES))
    assert not hold.note(CallWriter.cleared)
    assert hold.notes_dropped == 1
    chunks(hold)
    hold.delivered(10)
    assert all(hold.note(CallWriter.cleared) for _ in range(10))
    assert not hold.note(CallWriter.cleared)


def test_a_hold_that_was_given_up_takes_nothing() -> None:
    hold, [book] = a_hold()
    hold.capture(book, b"", 0)
    hold.sent()
    hold.capture(book, b"", 20)
    hold.give_up()
    hold.capture(book, b"", 40)
    assert (book.ledger.captured, book.ledger.lost, hold.waiting, hold.next) == (2, 2, 0, None)
    assert book.ledger.gaps == [Gap(0, 40)]
