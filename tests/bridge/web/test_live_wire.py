from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from bridge.core.ports import InputLook, LegLook
from bridge.people import Audience, Conference, Layout, Media, Participant, Role
from bridge.status import InputStatus, ParticipantStatus, RoomStatus, StreamsStatus
from bridge.web import live_wire
from tests.bridge.web.staged_streams import AN_HOUR_AGO_MS, gaps, playing, stream

pytestmark = pytest.mark.wire

CONFERENCE = Conference("c1", "a1", "Quiz <b>", Layout.MOSAIC, 1000.0, 87400.0)
ADA = Participant("p1", "c1", "a1", "Ada", 1.0, Role.MODERATOR, Layout.MOSAIC, "", muted=True)
BOB = replace(ADA, id="p2", name="‮Bob", role=Role.ATTENDEE, muted=False, hears={"p1": 0.25})


def status(level: float, talking: bool = True, kind: str = "webrtc", **more: float) -> ParticipantStatus:
    return ParticipantStatus(
        LegLook(kind, "connected", "Opus", round_trip_ms=12.5),
        {"primary": InputStatus(level, talking, InputLook(depth_ms=40.0, target_ms=60.0, lost=3))},
    )


def test_levels_are_of_the_connected_ones_only() -> None:
    told = json.loads(live_wire.levels(RoomStatus(16000, 4, {"p1": status(-23.6)}), [ADA, BOB]))
    assert told == {
        "type": "levels",
        "participants": {"p1": {"level": -24, "talking": True, "kind": "webrtc", "muted": True}},
    }


def test_levels_leave_out_legs_of_people_who_are_not_known_any_more() -> None:
    assert (
        json.loads(live_wire.levels(RoomStatus(participants={"gone": status(-9)}), [ADA]))["participants"]
        == {}
    )


def test_somebody_without_inputs_is_silent() -> None:
    silent = ParticipantStatus(LegLook("plivo", "connected"), {})
    told = json.loads(live_wire.levels(RoomStatus(participants={"p2": silent}), [BOB]))
    assert told["participants"]["p2"] == {"level": -127, "talking": False, "kind": "plivo", "muted": False}


def test_the_louder_of_two_inputs_counts() -> None:
    both = ParticipantStatus(
        LegLook("webrtc", "connected"),
        {
            "primary": InputStatus(-60.0, False, InputLook()),
            "secondary": InputStatus(-12.0, True, InputLook()),
        },
    )
    told = json.loads(live_wire.levels(RoomStatus(participants={"p2": both}), [BOB]))
    assert told["participants"]["p2"]["level"] == -12
    assert told["participants"]["p2"]["talking"] is True


def test_people_carry_names_as_they_are_and_overrides() -> None:
    online = replace(BOB, online=True, leg_kind="plivo", media=Media(True, False), transient=True)
    told = json.loads(live_wire.people(CONFERENCE, [ADA, online]))
    assert told["type"] == "people"
    assert told["conference"] == {"id": "c1", "name": "Quiz <b>", "created_at": 1000.0, "ends_at": 87400.0}
    assert told["participants"][1] == {
        "id": "p2",
        "name": "‮Bob",
        "role": "attendee",
        "online": True,
        "audio": True,
        "kind": "plivo",
        "transient": True,
        "muted": False,
        "hears": {"p1": 0.25},
        "tags": ["attendee", "p2", "person"],
        "hears_only": None,
        "heard_by": None,
    }


def test_a_bot_is_told_apart_from_those_who_call_by_the_same_kind_of_leg() -> None:
    audience = Audience(hears=frozenset(["person", "p9"]), heard_by=frozenset(["moderator"]))
    bot = replace(BOB, online=True, leg_kind="stream", transient=True, service=audience)
    levels = json.loads(live_wire.levels(RoomStatus(participants={"p2": status(-20, kind="stream")}), [bot]))
    assert levels["participants"]["p2"] == {"level": -20, "talking": True, "kind": "bot", "muted": False}
    (seen,) = json.loads(live_wire.people(CONFERENCE, [bot]))["participants"]
    assert (seen["kind"], seen["hears_only"], seen["heard_by"]) == ("bot", ["p9", "person"], ["moderator"])
    assert "bot" in seen["tags"]
    (away,) = json.loads(live_wire.people(CONFERENCE, [replace(bot, leg_kind=None)]))["participants"]
    assert away["kind"] is None


def test_streams_carry_all_that_is_known_of_them() -> None:
    part = stream("s2", ADA, waiting_share=0.504, state="interrupted", end="", gaps=gaps(2), more_gaps=98)
    roster = stream("s1", name="Captions <b>", roster=True, part_states={"interrupted": 1}, parts=(part,))
    bot = stream("s3", bot_id="p9", play=playing(barge_in_p50_ms=None))
    told = json.loads(live_wire.streams(StreamsStatus((roster, bot), left_out=7)))
    assert (told["type"], told["left_out"], len(told["streams"])) == ("streams", 7, 2)
    first, second = told["streams"]
    assert (first["name"], first["roster"]) == ("Captions <b>", True)
    assert first["part_states"] == {"interrupted": 1}
    (shown,) = first["parts"]
    assert (shown["participant_id"], shown["state"], shown["waiting_share"]) == ("p1", "interrupted", 0.504)
    assert shown["gaps"][0] == {"from_ms": AN_HOUR_AGO_MS, "to_ms": AN_HOUR_AGO_MS + 500}
    assert (len(shown["gaps"]), shown["more_gaps"], shown["play"]) == (2, 98, None)
    assert second["bot_id"] == "p9"
    assert second["play"] == {
        "queued_ms": 420, "underruns": 0, "response_p50_ms": 640, "response_p95_ms": 980,
        "barge_in_p50_ms": None,
    }  # fmt: skip


def test_looks_carry_every_number_of_leg_and_input() -> None:
    told = json.loads(live_wire.looks(RoomStatus(48000, 8, {"p1": status(-30.4)})))
    assert (told["type"], told["rate_hz"], told["capacity"]) == ("looks", 48000, 8)
    look = told["participants"]["p1"]
    assert look["leg"]["round_trip_ms"] == 12.5
    assert look["leg"]["loss"] is None
    assert look["inputs"]["primary"]["level"] == -30
    assert look["inputs"]["primary"]["look"]["lost"] == 3
    assert look["inputs"]["primary"]["look"]["target_ms"] == 60.0


def test_numbers_json_does_not_have_become_null() -> None:
    odd = ParticipantStatus(LegLook("webrtc", "connected", loss=math.nan, round_trip_ms=math.inf), {})
    look = json.loads(live_wire.looks(RoomStatus(participants={"p1": odd})))["participants"]["p1"]
    assert (look["leg"]["loss"], look["leg"]["round_trip_ms"]) == (None, None)
