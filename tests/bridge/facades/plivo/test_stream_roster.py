"""`audio_track=participants`: one socket for each participant, present and future."""

from __future__ import annotations

import asyncio

import pytest

from bridge.core.ledger import TrackLedger
from bridge.core.ports import L16_16K, SoloSource
from bridge.errors import BadInput, EgressRefused, LimitReached, NoSuchRoom, Overloaded
from bridge.facades.plivo.fork import MAX_ENDED_CHILDREN, Fork
from bridge.people import Actor, Role
from tests.kit.fork_house import EVENTS, SERVICE, ForkHouse

pytestmark = pytest.mark.unit

EACH = {"audio_track": "participants", "content_type": "audio/x-l16;rate=16000"}


async def begin(forks: ForkHouse, **more: object) -> str:
    stream_id = await forks.start(forks.conference.id, **EACH, **more)
    await forks.settle()
    return stream_id


def parts(forks: ForkHouse, parent_id: str) -> dict[str, Fork]:
    """Live parts by their participant's id."""
    return {part.participant_id or "": part for part in forks.fork(parent_id).children.values()}


async def test_everybody_who_is_there_or_comes_gets_a_socket(forks: ForkHouse) -> None:
    away = await forks.somebody("Away", online=False)
    parent = await begin(forks, extra_headers="job=7,id=x")
    assert set(parts(forks, parent)) == {forks.anna.id}
    ben = await forks.somebody("Ben & co", Role.MODERATOR)
    forks.switchboard.up(forks.conference.id, away.id)
    await forks.settle()
    children = parts(forks, parent)
    assert set(children) == {forks.anna.id, ben.id, away.id}
    child = children[ben.id]
    spec = forks.spec(child.id)
    assert spec.sources == {"inbound": SoloSource(ben.id)}
    assert (spec.call.stream_id, spec.call.call_id, spec.call.tracks) == (child.id, child.id, ("inbound",))
    assert (spec.call.audio_format, spec.url, spec.bidirectional) == (L16_16K, SERVICE, False)
    assert spec.call.headers == {"job": "7", "id": ben.id, "name": "Ben & co", "role": "moderator"}
    routing = forks.switchboard.routings[forks.conference.id, child.id]
    assert routing.hears_only == frozenset() and "person" not in routing.tags


async def test_a_part_ends_with_its_participants_leg_and_comes_back_with_it(forks: ForkHouse) -> None:
    parent = await begin(forks)
    first = parts(forks, parent)[forks.anna.id]
    forks.switchboard.up(forks.conference.id, forks.anna.id)  # a newer leg in place of the old one
    await forks.settle()
    assert parts(forks, parent)[forks.anna.id] is first
    forks.switchboard.down(forks.conference.id, forks.anna.id)
    await forks.settle()
    assert not parts(forks, parent) and not forks.seats()
    forks.switchboard.up(forks.conference.id, forks.anna.id)
    await forks.settle()
    assert parts(forks, parent)[forks.anna.id] is not first


async def test_bots_have_none_unless_it_is_asked_for(forks: ForkHouse) -> None:
    parent = await begin(forks)
    await forks.start(forks.conference.id, service_url="wss://bot", bidirectional=True, name="Bot")
    assert set(parts(forks, parent)) == {forks.anna.id}
    with_bots = await begin(forks, service_url="wss://other", bots=True)
    assert set(parts(forks, with_bots)) == {forks.anna.id, forks.people()["Bot"].id}


async def test_the_parent_shows_its_parts_and_their_sums(forks: ForkHouse) -> None:
    ben = await forks.somebody("Ben")
    parent = await begin(forks)
    children = parts(forks, parent)
    for number, child in enumerate(children.values(), 1):
        forks.answer(child)
        child.ledger.tracks["inbound"] = TrackLedger(100 * number, 90 * number, number)
    forks.now += 30
    forks.lose(children[ben.id].id)
    await forks.settle()
    shown = await forks.get(parent, forks.conference.id)
    assert (shown["captured"], shown["delivered"], shown["lost"]) == (300, 270, 3)
    assert (shown["status"], shown["bill_duration"]) == ("in-progress", 30)
    of = {one["participant_id"]: one for one in shown["streams"]}
    assert of[ben.id]["end_detail"] == "connection lost" and of[forks.anna.id]["status"] == "in-progress"
    one = await forks.get(children[ben.id].id, forks.conference.id)
    assert one["stream_id"] == children[ben.id].id
    listed = (await forks.http.get(forks.streams(forks.conference.id))).json()["objects"]
    assert [entry["stream_id"] for entry in listed] == [parent]
    assert (await forks.http.get(forks.streams())).json()["objects"] == []


async def test_stopping_the_parent_stops_all_and_nobody_gets_one_any_more(forks: ForkHouse) -> None:
    await forks.somebody("Ben")
    parent = await begin(forks, status_callback_url=EVENTS)
    for child in parts(forks, parent).values():
        forks.answer(child)
    response = await forks.http.delete(forks.streams(forks.conference.id, parent))
    assert response.status_code == 204 and not forks.seats()
    await forks.somebody("Cleo")
    await forks.settle()
    assert not forks.seats() and not forks.facade.fork_course.records.live()
    shown = await forks.get(parent, forks.conference.id)
    assert shown["end_reason"] == "API request" and len(shown["streams"]) == 2
    events = [(asked.event, asked.fields.get("ParentStreamID")) for asked in forks.asked]
    assert events.count(("StartStream", parent)) == events.count(("StopStream", parent)) == 2
    assert events.count(("StartStream", None)) == events.count(("StopStream", None)) == 1


async def test_one_part_can_be_stopped_also_by_the_hang_up_of_its_service(forks: ForkHouse) -> None:
    ben = await forks.somebody("Ben")
    parent = await begin(forks)
    children = parts(forks, parent)
    anna_part, ben_part = children[forks.anna.id].id, children[ben.id].id
    assert (await forks.http.delete(forks.streams(forks.conference.id, anna_part))).status_code == 204
    assert (await forks.http.delete(forks.path(ben_part))).status_code == 204
    assert not forks.seats() and forks.people()["Ben"].online
    assert forks.fork(parent).ending is None
    assert (await forks.http.delete(forks.path(ben_part))).status_code == 404
    await forks.somebody("Cleo")
    await forks.settle()
    assert len(forks.seats()) == 1


async def test_stopping_a_calls_streams_does_not_stop_its_part_of_another(forks: ForkHouse) -> None:
    await begin(forks)
    assert (await forks.http.delete(forks.streams())).status_code == 400
    assert len(forks.seats()) == 1


async def test_it_ends_so_long_after_its_first_service_was_reached(forks: ForkHouse) -> None:
    parent = await begin(forks, stream_timeout=1)
    fork = forks.fork(parent)
    assert parent not in forks.facade.fork_course._timers
    forks.answer(parts(forks, parent)[forks.anna.id])
    async with asyncio.timeout(3):
        await fork.over.wait()
    assert (await forks.get(parent, forks.conference.id))["end_reason"] == "Stream timeout"
    assert not forks.seats()


async def test_a_part_that_cannot_be_had_is_told_and_the_others_go_on(forks: ForkHouse) -> None:
    forks.switchboard.errors.append(RuntimeError("broken"))
    parent = await begin(forks, status_callback_url=EVENTS)
    ben = await forks.somebody("Ben")
    await forks.settle()
    assert set(parts(forks, parent)) == {ben.id}
    assert [(asked.event, asked.fields["Detail"]) for asked in forks.asked] == [
        ("DroppedStream", "it could not be set up")
    ]


async def test_a_part_without_a_place_gets_one_as_soon_as_there_is_one(
    forks: ForkHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bridge.facades.plivo.fork_course.RETRY_S", 0.0)
    forks.switchboard.errors += [Overloaded(), LimitReached("legs", 1), Overloaded()]
    parent = await begin(forks, status_callback_url=EVENTS)
    part = parts(forks, parent)[forks.anna.id]
    assert forks.seats() == {part.id} and not forks.facade.fork_course._timers
    forks.answer(part)
    await forks.settle()
    assert forks.events == ["StartStream", "StartStream"]
    assert caplog.text.count("not streamed yet") == 1


@pytest.mark.parametrize("how", ["parent", "part", "participant", "conference"])
async def test_a_part_that_waits_for_a_place_can_be_ended(forks: ForkHouse, how: str) -> None:
    forks.switchboard.errors.append(Overloaded())
    parent = await begin(forks)
    part = parts(forks, parent)[forks.anna.id]
    assert not forks.seats() and (await forks.get(part.id, forks.conference.id))["status"] == "initiated"
    match how:
        case "parent":
            await forks.http.delete(forks.streams(forks.conference.id, parent))
        case "part":
            await forks.http.delete(forks.streams(forks.conference.id, part.id))
        case "participant":
            forks.switchboard.down(forks.conference.id, forks.anna.id)
        case "conference":
            await forks.directory.close_conference(forks.conference, by=Actor.system())
            await forks.settle()
    reason = "API request" if how in ("parent", "part") else "Call hangup"
    assert part.over.is_set() and part.ending is not None and part.ending.reason == reason
    live = [] if how in ("parent", "conference") else [parent]
    assert [fork.id for fork in forks.facade.fork_course.records.live()] == live
    assert (
        not forks.facade.fork_course._timers and (forks.conference.id, part.id) in forks.switchboard.forgotten
    )


async def test_digits_reach_the_part_of_whoever_pressed_them(forks: ForkHouse) -> None:
    await forks.somebody("Ben")
    parent = await begin(forks)
    forks.switchboard.press(forks.conference.id, forks.anna.id, "#")
    part = parts(forks, parent)[forks.anna.id]
    assert forks.switchboard.passed_on == [(forks.conference.id, part.id, "inbound", "#")]


async def test_many_ended_parts_are_kept_as_sums(forks: ForkHouse) -> None:
    parent = forks.fork(await begin(forks))
    for _ in range(MAX_ENDED_CHILDREN + 5):
        (child,) = parent.children.values()
        child.ledger.tracks["inbound"] = TrackLedger(10, 9, 1)
        forks.switchboard.down(forks.conference.id, forks.anna.id)
        await forks.settle()
        forks.switchboard.up(forks.conference.id, forks.anna.id)
        await forks.settle()
    assert parent.sums().captured == 10 * (MAX_ENDED_CHILDREN + 5)
    shown = await forks.get(parent.id, forks.conference.id)
    assert (len(shown["streams"]), shown["older_streams"]) == (MAX_ENDED_CHILDREN + 1, 5)


async def test_ended_parts_push_out_nobodys_streams_and_are_themselves_bounded(forks: ForkHouse) -> None:
    records = forks.facade.fork_course.records
    records._max_ended, records._max_with_parts = 4, 2
    rosters = []
    for _ in range(3):
        forks.now += 1
        rosters.append(await begin(forks))
        for _ in range(3):
            forks.switchboard.down(forks.conference.id, forks.anna.id)
            await forks.settle()
            forks.switchboard.up(forks.conference.id, forks.anna.id)
            await forks.settle()
        part = parts(forks, rosters[-1])[forks.anna.id]
        await forks.http.delete(forks.streams(forks.conference.id))
    shown = [await forks.get(roster, forks.conference.id) for roster in rosters]
    assert [(len(one["streams"]), one["older_streams"]) for one in shown] == [(0, 4), (4, 0), (4, 0)]
    assert (await forks.get(part.id, forks.conference.id))["stream_id"] == part.id
    assert (records.started, records.ended) == (15, 15)


# --- declared with the conference ---


async def test_declared_streams_attach_before_anybody_comes(forks: ForkHouse) -> None:
    own = forks.facade.forks
    prepared = await own.prepare(
        [{"service_url": SERVICE, **EACH}, {"service_url": "wss://bot", "bidirectional": True, "name": "B"}],
    )
    forks.conference = await forks.directory.open_conference(
        forks.conference.application_id, by=Actor.system(), name="New"
    )
    each, bot = [forks.fork(one) for one in await own.declare(forks.conference, prepared)]
    assert list(forks.people()) == ["B"] and forks.fork(each.id).roster
    assert forks.spec(bot.bot_id or "").call.account_id == each.auth_id
    ben = await forks.somebody("Ben")
    await forks.settle()
    assert set(parts(forks, each.id)) == {ben.id}
    assert (await forks.get(each.id, forks.conference.id))["call_uuid"] == forks.conference.id


@pytest.mark.parametrize(
    ("streams", "error"),
    [
        ([{"service_url": "wss://10.0.0.1/"}], EgressRefused),
        ([{"service_url": SERVICE}, {"service_url": SERVICE, **EACH}], BadInput),
        ([{"service_url": SERVICE, "audio_track": "both"}], BadInput),
        ([{"service_url": f"wss://s/{number}"} for number in range(21)], BadInput),
    ],
)
async def test_what_is_declared_is_checked_before(
    forks: ForkHouse, streams: list[dict[str, object]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await forks.facade.forks.prepare(streams)


async def test_a_conference_that_is_over_by_then_has_no_stream(forks: ForkHouse) -> None:
    own = forks.facade.forks
    prepared = await own.prepare([{"service_url": SERVICE, **EACH}])
    await forks.directory.close_conference(forks.conference, by=Actor.system())
    with pytest.raises(NoSuchRoom):
        await own.declare(forks.conference, prepared)
    assert not forks.facade.fork_course.records.live()


async def test_when_one_declared_stream_fails_none_is_left(forks: ForkHouse) -> None:
    own = forks.facade.forks
    streams: list[dict[str, object]] = [{"service_url": SERVICE, **EACH}, {"service_url": "wss://bot"}]
    prepared = await own.prepare(streams)
    forks.switchboard.down(forks.conference.id, forks.anna.id)
    forks.switchboard.errors.append(Overloaded())
    with pytest.raises(Overloaded):
        await own.declare(forks.conference, prepared)
    await forks.settle()
    assert not forks.facade.fork_course.records.live() and list(forks.people()) == ["Anna"]
