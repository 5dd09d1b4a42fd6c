"""How streams look to whoever runs the conference, and that they can be ended there."""

from __future__ import annotations

import pytest

from bridge.core.ledger import Gap, TrackLedger
from bridge.core.ports import InputLook, LegLook
from bridge.errors import NoSuchRoom
from bridge.facades.plivo import ForkLooks
from bridge.facades.plivo.fork_looks import MAX_SHOWN, RECENT_S
from bridge.people import Actor
from bridge.spread import Summary
from bridge.status import InputStatus, ParticipantStatus, RoomStatus, StreamsStatus
from bridge.turns.report import TurnReport
from tests.kit.fork_house import ForkHouse
from tests.kit.plivo_house import APP, OTHER_APP

pytestmark = pytest.mark.unit

NAKED = "wss://user:pass@service.example:8443/audio?secret=s3cr3t#there"


def looks(house: ForkHouse) -> ForkLooks:
    return ForkLooks(house.facade.fork_course, house.time)


def look(house: ForkHouse, room: RoomStatus | None = None) -> StreamsStatus:
    return looks(house).look(APP, house.conference.id, room or RoomStatus())


def leg(state: str = "connected", backlog_ms: float = 20.0, queued_ms: float = 0.0) -> ParticipantStatus:
    queue = InputStatus(-20.0, True, InputLook(depth_ms=queued_ms))
    return ParticipantStatus(LegLook("stream", state, backlog_ms=backlog_ms), {"primary": queue})


async def test_a_stream_of_a_call_says_whom_it_forks_and_how_it_goes(forks: ForkHouse) -> None:
    stream_id = await forks.start(service_url=NAKED, audio_track="both", name="Mood")
    fork = forks.fork(stream_id)
    gaps = [Gap(1_000 * index, 1_000 * index + 20) for index in range(8)]
    fork.ledger.tracks["inbound"] = TrackLedger(500, 480, 8, gaps, more_gaps=3)
    fork.ledger.tracks["outbound"] = TrackLedger(500, 499)
    fork.ledger.unsent_share = 0.31254
    forks.now += 61.2
    (seen,) = look(forks, RoomStatus(participants={stream_id: leg(backlog_ms=12_501.2)})).streams
    assert (seen.id, seen.participant_id, seen.bot_id) == (stream_id, forks.anna.id, None)
    assert (seen.name, seen.host) == ("Mood", "service.example:8443")
    assert (seen.track, seen.format) == ("both", "L16 8 kHz")
    assert (seen.state, seen.seconds, seen.waiting_ms, seen.waiting_share) == ("connected", 61, 12_501, 0.313)
    assert (seen.captured, seen.delivered, seen.lost) == (1_000, 979, 8)
    assert (list(seen.gaps), seen.more_gaps) == (gaps[3:], 6)
    assert seen.play is None
    assert "s3cr3t" not in repr(seen) and "pass" not in repr(seen)


async def test_a_bot_says_what_it_has_queued_and_how_it_takes_its_turns(forks: ForkHouse) -> None:
    stream_id = await forks.start(forks.conference.id, bidirectional=True)
    fork = forks.fork(stream_id)
    fork.ledger.underruns = 2
    report = TurnReport(0, 1, response_delay=Summary(9, 1, 640, 980, 990), barge_in=Summary(2, 1, 210, 220))
    forks.turns.report = lambda room_id, participant_id: report  # type: ignore[method-assign]
    (seen,) = look(forks, RoomStatus(participants={fork.seat_id: leg(queued_ms=419.7)})).streams
    assert (seen.participant_id, seen.bot_id) == (None, fork.bot_id)
    assert seen.play is not None
    assert (seen.play.queued_ms, seen.play.underruns) == (420, 2)
    assert (seen.play.response_p50_ms, seen.play.response_p95_ms, seen.play.barge_in_p50_ms) == (
        640,
        980,
        210,
    )


@pytest.mark.parametrize(
    ("leg_state", "state"),
    [
        ("connecting", "dialling"),
        ("connected", "connected"),
        ("interrupted", "interrupted"),
        ("closed", "ending"),
    ],
)
async def test_its_state_is_its_legs(forks: ForkHouse, leg_state: str, state: str) -> None:
    stream_id = await forks.start()
    (seen,) = look(forks, RoomStatus(participants={stream_id: leg(leg_state)})).streams
    assert seen.state == state


async def test_one_that_has_no_leg_yet_is_dialled_and_counts_from_when_it_was_asked_for(
    forks: ForkHouse,
) -> None:
    await forks.start(up=False)
    forks.now += 3
    (seen,) = look(forks).streams
    assert (seen.state, seen.seconds, seen.waiting_ms) == ("dialling", 3, 0)


async def test_what_ended_is_shown_for_a_minute_with_its_reason(forks: ForkHouse) -> None:
    stream_id = await forks.start()
    forks.now += 5
    forks.lose(stream_id, "connection lost")
    await forks.settle()
    forks.now += RECENT_S
    (seen,) = look(forks).streams
    assert (seen.state, seen.seconds, seen.end) == ("ended", 5, "Connection error: connection lost")
    forks.now += 0.1
    assert look(forks).streams == []


async def test_a_rosters_parts_are_under_it_and_its_figures_are_their_sums(forks: ForkHouse) -> None:
    ben = await forks.somebody("Ben")
    parent = await forks.start(forks.conference.id, audio_track="participants")
    await forks.settle()
    first, second = forks.fork(parent).children.values()
    forks.answer(first)
    for part, captured, share in ((first, 100, 0.1), (second, 50, 0.6)):
        part.ledger.tracks["inbound"] = TrackLedger(captured, captured - 2, 1)
        part.ledger.unsent_share = share
    room = RoomStatus(participants={first.id: leg(), second.id: leg("connecting", backlog_ms=24_000)})
    (seen,) = look(forks, room).streams
    assert (seen.roster, seen.state, seen.part_states) == (True, "connected", {"connected": 1, "dialling": 1})
    assert (seen.captured, seen.delivered, seen.lost) == (150, 146, 2)
    assert (seen.waiting_ms, seen.waiting_share) == (24_000, 0.6)
    assert [part.participant_id for part in seen.parts] == [forks.anna.id, ben.id]
    assert [part.state for part in seen.parts] == ["connected", "dialling"]
    forks.switchboard.down(forks.conference.id, ben.id)
    await forks.settle()
    (seen,) = look(forks, room).streams
    assert [part.state for part in seen.parts] == ["connected", "ended"]
    assert seen.part_states == {"connected": 1}


async def test_other_conferences_and_applications_are_not_looked_at(forks: ForkHouse) -> None:
    await forks.start()
    elsewhere = await forks.directory.open_conference(APP, by=Actor.system())
    assert looks(forks).look(APP, elsewhere.id, RoomStatus()).streams == []
    assert looks(forks).look(OTHER_APP, forks.conference.id, RoomStatus()).streams == []


async def test_no_more_are_shown_than_can_be_looked_at_between_two_ticks(forks: ForkHouse) -> None:
    for number in range(MAX_SHOWN):
        await forks.somebody(f"P{number}")
    await forks.start(forks.conference.id, audio_track="participants")
    await forks.start(service_url="wss://other.example")
    await forks.settle()
    seen = look(forks)
    assert [len(stream.parts) for stream in seen.streams] == [MAX_SHOWN - 2, 0]
    assert seen.left_out == 3


async def test_a_stream_or_a_part_of_one_is_ended(forks: ForkHouse) -> None:
    ben = await forks.somebody("Ben")
    parent = await forks.start(forks.conference.id, audio_track="participants")
    await forks.settle()
    parts = {part.participant_id: part.id for part in forks.fork(parent).children.values()}
    await looks(forks).end(APP, forks.conference.id, parts[ben.id])
    await forks.settle()
    assert set(forks.fork(parent).children) == {parts[forks.anna.id]}
    await looks(forks).end(APP, forks.conference.id, parent)
    await forks.settle()
    assert forks.facade.fork_course.records.live() == []
    assert (await forks.get(parent, forks.conference.id))["end_reason"] == "API request"


async def test_what_does_not_live_there_is_not_found(forks: ForkHouse) -> None:
    stream_id = await forks.start()
    elsewhere = await forks.directory.open_conference(APP, by=Actor.system())
    for application_id, conference_id, wanted in (
        (OTHER_APP, forks.conference.id, stream_id),
        (APP, elsewhere.id, stream_id),
        (APP, forks.conference.id, "nothing"),
    ):
        with pytest.raises(NoSuchRoom):
            await looks(forks).end(application_id, conference_id, wanted)
    await looks(forks).end(APP, forks.conference.id, stream_id)
    with pytest.raises(NoSuchRoom):
        await looks(forks).end(APP, forks.conference.id, stream_id)
