"""What happens to streams while they live: the call ends, the service fails, keys are pressed."""

from __future__ import annotations

import asyncio

import pytest

from bridge.changes import Change, DigitReceived
from bridge.core.ports import CloseReason
from bridge.people import Actor
from tests.kit.fork_house import EVENTS, SERVICE, ForkHouse

pytestmark = pytest.mark.unit


async def test_a_service_that_fails_ends_the_stream_and_not_the_call(forks: ForkHouse) -> None:
    stream_id = await forks.start()
    forks.lose(stream_id)
    await forks.settle()
    assert forks.people()["Anna"].online
    assert (forks.conference.id, stream_id) in forks.switchboard.forgotten
    await forks.start()  # to the same address again


@pytest.mark.parametrize(
    ("cause", "hung_up"),
    [("service closed: 1000", True), ("connection lost", True), ("stream timeout", False)],
)
async def test_hangup_on_close_hangs_up_when_the_service_closes_or_fails(
    forks: ForkHouse, cause: str, hung_up: bool
) -> None:
    stream_id = await forks.start(hangup_on_close=True)
    forks.lose(stream_id, cause)
    await forks.settle()
    assert forks.people()["Anna"].online is not hung_up
    assert ((forks.conference.id, forks.anna.id, CloseReason.HANGUP) in forks.switchboard.ended) is hung_up


async def test_a_stream_that_is_stopped_hangs_up_nobody(forks: ForkHouse) -> None:
    await forks.start(hangup_on_close=True)
    await forks.http.delete(forks.streams())
    await forks.settle()
    assert forks.people()["Anna"].online


async def test_digits_reach_the_services_that_hear_who_presses_them_and_no_others(forks: ForkHouse) -> None:
    ben = await forks.somebody("Ben")
    room = forks.conference.id
    inbound, outbound = await forks.start(), await forks.start(service_url="wss://b", audio_track="outbound")
    await forks.start(ben.id)
    await forks.start(room, service_url="wss://bot", bidirectional=True, name="All ears")
    await forks.start(room, service_url="wss://deaf", bidirectional=True, name="Ben's", hears=[ben.id])
    forks.switchboard.press(room, forks.anna.id, "5")
    bot = forks.people()["All ears"]
    assert forks.switchboard.passed_on == [
        (room, seat, "inbound", "5") for seat in (inbound, outbound, bot.id)
    ]
    forks.switchboard.press(room, bot.id, "7")
    assert len(forks.switchboard.passed_on) == 3, "a service is not told of its own keys"


async def test_keys_that_a_service_sounds_to_one_participant_are_told_as_the_streams(
    forks: ForkHouse,
) -> None:
    told: list[Change] = []
    forks.directory.subscribe(told.append)
    stream_id = await forks.start(bidirectional=True)
    room = forks.conference.id
    forks.switchboard.press(room, stream_id, "4")
    assert told[-1] == DigitReceived(room, Actor.participant(stream_id), stream_id, "4")
    await forks.start(room, service_url="wss://bot", bidirectional=True, name="Bot")
    bot = forks.people()["Bot"]
    told.clear()
    forks.switchboard.press(room, bot.id, "5")
    assert told == [DigitReceived(room, Actor.participant(bot.id), bot.id, "5")], "a bot's are its own"


async def test_a_call_that_ends_while_its_stream_is_set_up_ends_the_stream(forks: ForkHouse) -> None:
    async def ends() -> None:
        forks.switchboard.while_connecting = None
        forks.switchboard.down(forks.conference.id, forks.anna.id)
        await asyncio.sleep(0)

    forks.switchboard.while_connecting = ends
    response = await forks.http.post(forks.streams(), json={"service_url": SERVICE})
    await forks.settle()
    assert response.status_code == 202 and not forks.seats()
    assert (await forks.get(response.json()["stream_id"]))["end_reason"] == "Call hangup"


async def test_a_stream_that_is_stopped_while_it_is_set_up_is_stopped(forks: ForkHouse) -> None:
    stopping: list[asyncio.Task[object]] = []

    async def stops() -> None:
        forks.switchboard.while_connecting = None
        stopping.append(asyncio.create_task(forks.http.delete(forks.streams())))
        await forks.settle()

    forks.switchboard.while_connecting = stops
    await forks.http.post(forks.streams(), json={"service_url": SERVICE})
    assert (await stopping[0]).status_code == 204  # type: ignore[attr-defined]
    assert not forks.seats() and not forks.facade.fork_course.records.live()


@pytest.mark.parametrize("whole", [False, True])
async def test_a_leg_that_came_and_went_while_it_was_set_up_is_a_dropped_stream(
    forks: ForkHouse, whole: bool
) -> None:
    """The switchboard says nothing of such a leg."""

    async def fails() -> None:
        forks.switchboard.while_connecting = None
        (fork,) = forks.facade.fork_course.records.live()
        fork.ledger.ended_at = forks.now

    forks.switchboard.while_connecting = fails
    call_uuid = forks.conference.id if whole else forks.anna.id
    given = {"service_url": SERVICE, "status_callback_url": EVENTS}
    response = await forks.http.post(forks.streams(call_uuid), json=given)
    await forks.settle()
    shown = await forks.get(response.json()["stream_id"], call_uuid)
    assert (shown["end_reason"], shown["end_detail"]) == ("Connection error", "connect failed")
    assert forks.events == ["DroppedStream"]
    assert list(forks.people()) == ["Anna"]


async def test_a_closed_conference_ends_everything_in_it(forks: ForkHouse) -> None:
    on_call = await forks.start(status_callback_url=EVENTS)
    bot = await forks.start(forks.conference.id, service_url="wss://bot", bidirectional=True)
    parts = await forks.start(forks.conference.id, service_url="wss://all", audio_track="participants")
    await forks.settle()
    await forks.directory.close_conference(forks.conference, by=Actor.system())
    await forks.settle()
    assert not forks.seats() and not forks.facade.fork_course.records.live()
    for stream_id in (bot, parts):
        assert (await forks.get(stream_id, forks.conference.id))["end_reason"] == "Call hangup"
    assert (await forks.get(on_call))["end_reason"] == "Call hangup"
    assert forks.events == ["StartStream", "StopStream"]


async def test_a_reconnected_leg_starts_its_stream_once(forks: ForkHouse) -> None:
    stream_id = await forks.start(status_callback_url=EVENTS)
    forks.now += 10
    forks.answer(forks.fork(stream_id))
    await forks.settle()
    assert forks.events == ["StartStream"]
    shown = await forks.get(stream_id)
    assert (shown["bill_duration"], shown["reconnects"]) == (10, 1)


async def test_a_participants_newer_leg_keeps_its_streams(forks: ForkHouse) -> None:
    stream_id = await forks.start()
    forks.switchboard.up(forks.conference.id, forks.anna.id)
    await forks.settle()
    assert forks.seats() == {stream_id}


async def test_turns_are_measured_on_bidirectional_streams_against_whom_they_hear(forks: ForkHouse) -> None:
    ben = await forks.somebody("Ben")
    await forks.start(service_url="wss://ear")
    on_anna = await forks.start(bidirectional=True)
    await forks.start(
        forks.conference.id, service_url="wss://bot", bidirectional=True, name="B", hears=[ben.id]
    )
    room, bot = forks.conference.id, forks.people()["B"]
    watched = forks.turns.watched
    assert set(watched) == {(room, on_anna), (room, bot.id)}
    assert watched[room, on_anna](forks.anna.id) and not watched[room, on_anna](ben.id)
    assert watched[room, bot.id](ben.id) and not watched[room, bot.id](forks.anna.id)
    assert (await forks.get(on_anna))["turns"]["until_ms"] == 1000
    forks.lose(on_anna)
    await forks.settle()
    assert set(watched) == {(room, bot.id)}
    assert (await forks.get(on_anna))["turns"]["until_ms"] == 2000


async def test_ended_streams_are_remembered_up_to_a_bound(forks: ForkHouse) -> None:
    records = forks.facade.fork_course.records
    records._max_ended = 3
    made = []
    for _ in range(5):
        forks.now += 1
        made.append(await forks.start())
        await forks.http.delete(forks.streams())
    listed = (await forks.http.get(forks.streams())).json()
    assert [one["stream_id"] for one in listed["objects"]] == made[:1:-1]
    assert (await forks.http.get(forks.streams(None, made[0]))).status_code == 404
    assert (records.started, records.ended) == (5, 5)
