from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.people import NO_MEDIA, Layout, Media, Participant, Role
from bridge.presence import after, routing_of
from bridge.routing import Routing
from bridge.switch_events import LegDown, LegInterruptedOn, LegUp, MediaChanged, Talking

pytestmark = pytest.mark.unit

ANN = Participant("p", "c", "a", "Ann", 1.0, Role.SPEAKER, Layout.MOSAIC, "")
THERE = replace(ANN, online=True, leg_kind="webrtc", media=Media(True, True), secondary_media=Media(True))


def test_a_leg_makes_somebody_present_and_its_end_absent_and_silent() -> None:
    assert after(ANN, LegUp("c", "p", "plivo")) == replace(ANN, online=True, leg_kind="plivo")
    assert after(THERE, LegDown("c", "p", "gone")) == ANN


def test_a_newer_leg_changes_the_kind_and_keeps_what_is_sent() -> None:
    assert after(THERE, LegUp("c", "p", "plivo")) == replace(THERE, leg_kind="plivo")


def test_each_input_is_shown_by_itself_and_video_is_left_alone() -> None:
    assert after(THERE, MediaChanged("c", "p", "primary", False)).media == Media(False, True)
    assert after(THERE, MediaChanged("c", "p", "primary", False)).secondary_media == Media(True)
    assert after(THERE, MediaChanged("c", "p", "secondary", False)).secondary_media == NO_MEDIA
    assert after(THERE, MediaChanged("c", "p", "secondary", False)).media == Media(True, True)


def test_an_interruption_and_talking_change_nothing() -> None:
    assert after(THERE, LegInterruptedOn("c", "p", "ice")) == THERE
    assert after(THERE, Talking("c", "p", "primary", True)) == THERE


def test_routing_is_role_mute_and_overrides() -> None:
    muted = replace(ANN, role=Role.PRESENTER, muted=True, hears={"x": 0.5})
    assert routing_of(muted) == Routing(True, True, True, {"x": 0.5}, tags=muted.tags)
    attendee = replace(ANN, role=Role.ATTENDEE)
    assert routing_of(attendee) == Routing(False, False, tags=attendee.tags)
