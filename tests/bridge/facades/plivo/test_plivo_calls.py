from __future__ import annotations

import asyncio

import numpy as np
import pytest

from bridge.changes import Change, DigitReceived, ParticipantAdded, ParticipantRemoved
from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, CloseReason
from bridge.errors import LimitReached
from bridge.people import Actor
from mediacodecs.l16 import l16_decode, l16_encode
from tests.kit.calls import CallSocket, a_call, media, start_of
from tests.kit.plivo_house import APP_TOKEN, PlivoHouse
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.unit


def frames_of(frequency_hz: float, seconds: float, rate_hz: int) -> list[bytes]:
    sound = l16_encode(tone(frequency_hz, seconds, rate_hz).astype(np.int16))
    size = rate_hz // 50 * 2
    return [sound[at : at + size] for at in range(0, len(sound), size)]


async def test_a_call_without_a_participant_makes_one_and_takes_it_away(house: PlivoHouse) -> None:
    socket = await house.ring(a_call(headers={"name": "Ann"}))
    ann = house.people()["Ann"]
    assert ann.transient
    assert ann.online
    assert ann.leg_kind == "plivo"
    assert ann.media.audio
    socket.lose(1000)
    await house.settle()
    assert house.people() == {}
    assert house.switchboard.legs() == {}
    assert len(house.facade.calls) == 0


async def test_a_participant_s_token_makes_the_call_theirs(house: PlivoHouse) -> None:
    bob, token = await house.directory.add_participant(house.conference, by=Actor.system(), name="Bob")
    socket = await house.ring(target=f"{house.path}?access_token={token}")
    assert house.people()["Bob"].online
    socket.lose(1000)
    await house.settle()
    assert not house.people()["Bob"].online
    assert house.people()["Bob"].id == bob.id


async def test_callers_hear_each_other_and_not_themselves(house: PlivoHouse) -> None:
    low = await house.ring(a_call(L16_16K))
    high = await house.ring(a_call(L16_8K))
    for frame_low, frame_high in zip(frames_of(440, 1.0, 16_000), frames_of(1000, 1.0, 8_000), strict=True):
        low.say(media(frame_low))
        high.say(media(frame_high))
        await house.tick()
    heard_low = l16_decode(b"".join(low.played_frames()[20:]))
    heard_high = l16_decode(b"".join(high.played_frames()[20:]))
    assert level_of(heard_low, 16_000, 1000) == pytest.approx(8000, rel=0.05)
    assert level_of(heard_low, 16_000, 440) < 8
    assert level_of(heard_high, 8_000, 440) == pytest.approx(8000, rel=0.05)
    assert level_of(heard_high, 8_000, 1000) < 8


async def test_each_tick_gives_each_caller_one_frame(house: PlivoHouse) -> None:
    sockets = [await house.ring(a_call(audio_format)) for audio_format in (L16_8K, L16_16K, ULAW_8K)]
    await house.tick(25)
    for socket, size in zip(sockets, (320, 640, 160), strict=True):
        assert [len(frame) for frame in socket.played_frames()] == [size] * 25


async def test_a_lost_socket_s_participant_waits_and_comes_back(house: PlivoHouse) -> None:
    changes: list[Change] = []
    house.directory.subscribe(changes.append)
    call = a_call(headers={"name": "Ann"})
    socket = await house.ring(call)
    ann = house.people()["Ann"]
    changes.clear()
    socket.lose()
    await house.settle()
    again = await house.ring(a_call(call_id=call.call_id))
    assert house.people()["Ann"].id == ann.id
    assert house.people()["Ann"].online
    assert changes == []
    again.say(media(b"\1\0" * 320))
    await house.tick(2)
    assert len(again.played_frames()) == 2
    assert house.switchboard.look(house.conference.id).participants[ann.id].leg.state == "connected"


async def test_after_the_grace_period_the_participant_leaves() -> None:
    house = await PlivoHouse(grace_s=0.02).open()
    _, token = await house.directory.add_participant(house.conference, by=Actor.system(), name="Bob")
    made = await house.ring(a_call(headers={"name": "Ann"}))
    bob = await house.ring(target=f"{house.path}?access_token={token}")
    made.lose()
    bob.lose(1001)
    await house.settle()
    assert set(house.people()) == {"Ann", "Bob"}
    await asyncio.sleep(0.1)  # the grace period is a timer of the loop
    assert set(house.people()) == {"Bob"}
    assert not house.people()["Bob"].online
    assert len(house.facade.calls) == 0
    await house.close()


async def test_a_newer_socket_of_a_live_call_takes_over_and_the_older_one_is_closed(
    house: PlivoHouse,
) -> None:
    call = a_call(headers={"name": "Ann"})
    older = await house.ring(call)
    ann = house.people()["Ann"]
    newer = await house.ring(a_call(call_id=call.call_id))
    assert older.close_calls == [(1000, "a newer socket of this call took over")]
    assert {person.id for person in house.people().values()} == {ann.id}
    await house.tick(3)
    assert len(newer.played_frames()) == 3
    newer.lose(1000)
    await house.settle()
    assert house.people() == {}


async def test_a_call_that_comes_back_in_another_format_keeps_its_participant(house: PlivoHouse) -> None:
    call = a_call(L16_16K, headers={"name": "Ann"})
    older = await house.ring(call)
    ann = house.people()["Ann"]
    older.lose()
    newer = await house.ring(a_call(ULAW_8K, call_id=call.call_id))
    assert house.people()["Ann"].id == ann.id
    await house.tick(2)
    assert [len(frame) for frame in newer.played_frames()] == [160, 160]


async def test_nobody_takes_over_a_call_by_naming_its_id(house: PlivoHouse) -> None:
    _, token = await house.directory.add_participant(house.conference, by=Actor.system(), name="Eve")
    call = a_call(headers={"name": "Ann"})
    ann = await house.ring(call)
    await house.ring(a_call(call_id=call.call_id), f"{house.path}?access_token={token}")
    assert ann.close_calls == []
    assert house.people()["Ann"].online
    assert house.people()["Eve"].online


async def test_a_participant_s_second_call_replaces_the_first(house: PlivoHouse) -> None:
    _, token = await house.directory.add_participant(house.conference, by=Actor.system(), name="Bob")
    target = f"{house.path}?access_token={token}"
    first = await house.ring(target=target)
    second = await house.ring(target=target)
    await house.settle()
    assert first.close_calls == [(1000, "replaced")]
    assert second.close_calls == []
    assert house.people()["Bob"].online
    assert len(house.facade.calls) == 1


async def test_both_tracks_are_two_participants_who_only_send(house: PlivoHouse) -> None:
    call = a_call(L16_8K, "inbound", "outbound", headers={"From": "+1555", "To": "+1666"})
    socket = await house.ring(call)
    listener = await house.ring(a_call(L16_8K, headers={"name": "Listener"}))
    assert set(house.people()) == {"+1555", "+1666", "Listener"}
    for inbound, outbound in zip(frames_of(440, 1.0, 8000), frames_of(1000, 1.0, 8000), strict=True):
        socket.say(media(inbound, track="inbound"))
        socket.say(media(outbound, track="outbound"))
        await house.tick()
    assert socket.taken() == []
    heard = l16_decode(b"".join(listener.played_frames()[20:]))
    assert level_of(heard, 8000, 440) == pytest.approx(8000, rel=0.05)
    assert level_of(heard, 8000, 1000) == pytest.approx(8000, rel=0.05)
    socket.lose(1000)
    await house.settle()
    assert set(house.people()) == {"Listener"}


async def test_a_call_of_both_tracks_survives_the_loss_of_its_socket(house: PlivoHouse) -> None:
    call = a_call(L16_8K, "inbound", "outbound")
    socket = await house.ring(call)
    before = {name: person.id for name, person in house.people().items()}
    socket.lose()
    await house.ring(a_call(L16_8K, "inbound", "outbound", call_id=call.call_id))
    assert {name: person.id for name, person in house.people().items()} == before
    assert all(person.online for person in house.people().values())


async def test_one_expelled_track_leaves_the_other_and_the_last_one_closes_the_socket(
    house: PlivoHouse,
) -> None:
    socket = await house.ring(a_call(L16_8K, "inbound", "outbound"))
    caller, callee = house.directory.participants(house.conference)
    await house.directory.remove_participant(caller, by=Actor.system())
    assert socket.close_calls == []
    await house.directory.remove_participant(callee, by=Actor.system())
    assert socket.close_calls == [(1000, "expelled")]
    await house.settle()
    assert len(house.facade.calls) == 0


async def test_an_expelled_caller_does_not_come_back_into_the_same_place(house: PlivoHouse) -> None:
    call = a_call(headers={"name": "Ann"})
    socket = await house.ring(call)
    ann = house.people()["Ann"]
    socket.lose()
    await house.directory.remove_participant(ann, by=Actor.system())
    await house.settle()
    assert len(house.facade.calls) == 0
    await house.ring(a_call(call_id=call.call_id, headers={"name": "Ann"}))
    assert house.people()["Ann"].id != ann.id


async def test_the_end_of_the_conference_closes_the_call(house: PlivoHouse) -> None:
    socket = await house.ring()
    await house.directory.close_conference(house.conference, by=Actor.system())
    assert socket.close_calls == [(1000, "ended")]
    await house.settle()
    assert len(house.facade.calls) == 0


async def test_a_restart_closes_calls_with_1012_and_forgets_those_that_were_lost(house: PlivoHouse) -> None:
    live = await house.ring()
    lost = await house.ring()
    lost.lose()
    await house.switchboard.close(CloseReason.RESTART)
    await house.settle()
    assert live.close_calls == [(1012, "restart")]
    assert len(house.facade.calls) == 0


async def test_a_call_in_its_grace_period_may_come_back_while_the_server_drains(house: PlivoHouse) -> None:
    call = a_call(headers={"name": "Ann"})
    socket = await house.ring(call)
    house.switchboard.draining = True
    socket.lose()
    again = await house.ring(a_call(call_id=call.call_id))
    await house.tick(1)
    assert len(again.played_frames()) == 1
    again.lose()
    stranger = await house.ring(a_call())
    assert stranger.close_calls == [(1012, "the server restarts")]
    assert set(house.people()) == {"Ann"}


async def test_a_call_that_cannot_be_connected_leaves_nobody_behind(
    house: PlivoHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(*arguments: object) -> None:
        raise LimitReached("legs", 1)

    monkeypatch.setattr(house.directory, "connect", connect)
    socket = await house.ring()
    assert socket.close_calls == [(1013, "a limit is reached")]
    assert house.people() == {}
    assert len(house.facade.calls) == 0


async def test_a_conference_that_ends_between_door_and_start_closes_with_1008(house: PlivoHouse) -> None:
    accepted = await house.upgrade(f"{house.path}?access_token={APP_TOKEN}")
    await house.directory.close_conference(house.conference, by=Actor.system())
    socket = CallSocket(accepted.receiver)  # type: ignore[union-attr]
    socket.say(start_of(a_call()))
    await house.settle()
    assert socket.close_calls == [(1008, "no such conference")]


async def test_a_call_that_hangs_up_while_being_admitted_leaves_nobody_behind(house: PlivoHouse) -> None:
    for code in (1000, 1006):
        accepted = await house.upgrade(f"{house.path}?access_token={APP_TOKEN}")
        socket = CallSocket(accepted.receiver)  # type: ignore[union-attr]
        socket.say(start_of(a_call(headers={"name": str(code)})))
        socket.lose(code)
        await house.settle()
    assert set(house.people()) == {"1006"}
    assert house.facade.calls.is_waiting(house.conference.id)


async def test_keys_and_comings_are_told_as_the_system_s_doing(house: PlivoHouse) -> None:
    changes: list[Change] = []
    house.directory.subscribe(changes.append)
    socket = await house.ring(a_call(headers={"name": "Ann"}))
    ann = house.people()["Ann"]
    socket.say({"event": "dtmf", "dtmf": {"digit": "5"}})
    socket.lose(1000)
    await house.settle()
    added, *_, removed = changes
    assert isinstance(added, ParticipantAdded)
    assert isinstance(removed, ParticipantRemoved)
    assert added.by == removed.by == Actor.system()
    [digit] = [change for change in changes if isinstance(change, DigitReceived)]
    assert (digit.participant_id, digit.digit) == (ann.id, "5")


async def test_two_sockets_of_one_call_at_the_same_moment_become_one_participant(house: PlivoHouse) -> None:
    call_id = a_call().call_id
    sockets = []
    for _ in range(3):
        accepted = await house.upgrade(f"{house.path}?access_token={APP_TOKEN}")
        sockets.append(CallSocket(accepted.receiver))  # type: ignore[union-attr]
    for socket in sockets:
        socket.say(start_of(a_call(call_id=call_id)))
    await house.settle()
    assert len(house.people()) == 1
    assert [bool(socket.close_calls) for socket in sockets] == [True, True, False]
