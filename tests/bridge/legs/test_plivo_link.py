from __future__ import annotations

import asyncio
import json
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat, CloseReason
from bridge.legs.plivo_figures import PlivoFigures
from bridge.legs.plivo_link import LinkSettings, PlivoLink
from tests.kit.calls import CallSocket, a_call, media, start_of

pytestmark = pytest.mark.unit


class FakeEar:
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.pressed = ""
        self.names: list[str] = []
        self.ends: list[str] = []

    def media(self, payload: bytes) -> None:
        self.heard.append(payload)

    def digits(self, digits: str) -> None:
        self.pressed += digits

    def played(self, name: str) -> None:
        self.names.append(name)

    def interrupted(self, cause: str) -> None:
        self.ends.append("interrupted")

    def hung_up(self, cause: str) -> None:
        self.ends.append("hung up")


class Desk:
    """Admits calls and notes their ends."""

    def __init__(self, link_settings: LinkSettings | None = None) -> None:
        self.admitted: list[PlivoLink] = []
        self.ends: list[CloseReason] = []
        self.totals = PlivoFigures()
        self.hold: asyncio.Event | None = None
        self.fail = False
        self.ears: dict[str, FakeEar] = {}
        self.link = PlivoLink(self._admit, self._over, link_settings or LinkSettings(), self.totals)
        self.socket = CallSocket(self.link)

    async def _admit(self, link: PlivoLink) -> None:
        if self.fail:
            raise RuntimeError("broken")
        if self.hold is not None:
            await self.hold.wait()
        for track in link.start.tracks:
            self.ears[track] = FakeEar()
            link.attach(track, self.ears[track])
        self.admitted.append(link)

    def _over(self, link: PlivoLink, reason: CloseReason) -> None:
        assert link is self.link
        self.ends.append(reason)

    async def begin(self, audio_format: AudioFormat = L16_16K, *tracks: str) -> FakeEar:
        call = a_call(audio_format, *tracks)
        self.socket.say(start_of(call))
        await settle()
        return self.ears[call.tracks[0]]


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_after_start_the_call_is_admitted_and_its_media_heard() -> None:
    desk = Desk()
    ear = await desk.begin(L16_8K)
    assert desk.link.start.audio_format == L16_8K
    desk.socket.say(media(b"\1\0"))
    desk.socket.say(media(b"\2\0", track="inbound"))
    assert ear.heard == [b"\1\0", b"\2\0"]
    assert desk.totals.bad_messages == 0


async def test_frames_of_any_length_pass() -> None:
    desk = Desk()
    ear = await desk.begin(ULAW_8K)
    lengths = [0, 1, 159, 160, 4000]
    for length in lengths:
        desk.socket.say(media(bytes(length)))
    assert [len(payload) for payload in ear.heard] == lengths


async def test_both_tracks_are_told_apart() -> None:
    desk = Desk()
    caller = await desk.begin(L16_8K, "inbound", "outbound")
    desk.socket.say(media(b"\1\0", track="outbound"))
    desk.socket.say(media(b"\2\0", track="inbound"))
    assert caller.heard == [b"\2\0"]
    assert desk.ears["outbound"].heard == [b"\1\0"]


async def test_media_before_start_is_dropped_and_counted() -> None:
    desk = Desk()
    desk.socket.say(media(b"\1\0"))
    ear = await desk.begin()
    assert ear.heard == []
    assert (desk.totals.before_start, desk.totals.bad_messages) == (1, 1)


async def test_media_before_admission_is_dropped_but_keys_are_kept() -> None:
    desk = Desk()
    desk.hold = asyncio.Event()
    desk.socket.say(start_of(a_call()))
    await settle()
    desk.socket.say(media(b"\1\0"))
    for digit in "12#":
        desk.socket.say({"event": "dtmf", "dtmf": {"digit": digit}})
    desk.hold.set()
    await settle()
    assert desk.ears["inbound"].pressed == "12#"
    assert (desk.totals.early, desk.totals.bad_messages) == (1, 0)


async def test_no_start_in_time_closes_with_1008() -> None:
    desk = Desk(LinkSettings(start_timeout_s=0.01))
    await asyncio.sleep(0.05)  # a real timer of the loop is under test
    assert desk.socket.close_calls[0][0] == 1008
    assert desk.ends == []


async def test_a_start_that_cannot_be_worked_with_closes_with_1003() -> None:
    desk = Desk()
    desk.socket.say({"event": "start", "start": {"mediaFormat": {"encoding": "audio/opus"}}})
    assert desk.socket.close_calls == [(1003, "the media format is not supported")]
    assert desk.totals.bad_start == 1
    assert desk.ends == []


async def test_a_second_start_is_dropped_unless_it_changes_the_format() -> None:
    desk = Desk()
    await desk.begin(L16_8K)
    desk.socket.say(start_of(a_call(L16_8K)))
    assert desk.socket.close_calls == []
    assert desk.totals.repeated_start == 1
    desk.socket.say(start_of(a_call(ULAW_8K)))
    assert desk.socket.close_calls[0][0] == 1008
    assert desk.ends == [CloseReason.ENDED]


@pytest.mark.parametrize(
    ("message", "figure"),
    [
        (b"}{", "malformed"),
        (b'{"event":"media","media":{"payload":"?"}}', "bad_base64"),
        (media(b"abc"), "odd_length"),
        (media(b"ab", track="sideways"), "strange_track"),
        (b'{"event":"start"}', "bad_start"),
        (b'{"event":"novelty"}', "unknown"),
    ],
)
async def test_one_bad_message_is_counted_and_ends_nothing(message: bytes, figure: str) -> None:
    desk = Desk()
    ear = await desk.begin()
    desk.socket.say(message)
    desk.socket.say(media(b"\1\0"))
    assert ear.heard == [b"\1\0"]
    assert getattr(desk.totals, figure) == getattr(desk.link.figures, figure) == 1
    assert desk.socket.close_calls == []


async def test_nothing_but_garbage_ends_the_call() -> None:
    desk = Desk(LinkSettings(bad_in_a_row=10))
    await desk.begin()
    for _ in range(9):
        desk.socket.say(b"garbage")
    desk.socket.say(media(b"\1\0"))
    for _ in range(9):
        desk.socket.say(b"garbage")
    assert desk.socket.close_calls == []
    desk.socket.say(b"garbage")
    assert desk.socket.close_calls[0][0] == 1007


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (1000, CloseReason.HANGUP, "hung up"),
        (1005, CloseReason.HANGUP, "hung up"),
        (1006, CloseReason.FAILED, "interrupted"),
        (1001, CloseReason.FAILED, "interrupted"),
        (1009, CloseReason.FAILED, "interrupted"),
    ],
)
async def test_how_the_socket_closes_tells_whether_the_call_may_come_back(
    code: int, reason: CloseReason, told: str
) -> None:
    desk = Desk()
    ear = await desk.begin()
    desk.socket.lose(code)
    assert desk.ends == [reason]
    assert ear.ends == [told]
    assert not desk.link.open


async def test_after_stop_a_lost_socket_is_the_end() -> None:
    desk = Desk()
    ear = await desk.begin()
    desk.socket.say({"event": "stop"})
    desk.socket.say(media(b"\1\0"))
    assert ear.heard == [b"\1\0"]
    desk.socket.lose(1006)
    assert desk.ends == [CloseReason.HANGUP]


async def test_a_lost_call_that_is_then_closed_is_over_for_good() -> None:
    desk = Desk()
    ear = await desk.begin()
    desk.socket.lose()
    desk.link.detach(ear, 1000, "expelled")
    assert desk.ends == [CloseReason.FAILED, CloseReason.ENDED]


async def test_the_socket_stays_until_the_last_leg_lets_go() -> None:
    desk = Desk()
    caller = await desk.begin(L16_8K, "inbound", "outbound")
    desk.link.detach(caller, 1000, "expelled")
    desk.link.detach(caller, 1000, "expelled")
    assert desk.socket.close_calls == []
    desk.link.detach(desk.ears["outbound"], 1012, "restart")
    assert desk.socket.close_calls == [(1012, "restart")]
    assert desk.ends == [CloseReason.ENDED]


async def test_a_call_that_ends_while_being_admitted_is_reported_afterwards() -> None:
    desk = Desk()
    desk.hold = asyncio.Event()
    desk.socket.say(start_of(a_call()))
    await settle()
    desk.socket.lose(1000)
    assert desk.ends == []
    desk.hold.set()
    await settle()
    assert desk.ends == [CloseReason.HANGUP]
    assert desk.ears["inbound"].ends == ["hung up"]


async def test_a_failing_admission_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.fail = True
    desk.socket.say(start_of(a_call()))
    await settle()
    assert desk.socket.close_calls == [(1011, "internal error")]
    assert desk.ends == [CloseReason.ENDED]


async def test_digits_and_audio_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk = Desk()
    await desk.begin()
    desk.socket.say({"event": "dtmf", "dtmf": {"digit": "7777"}})
    desk.socket.say(b'{"event":"dtmf","dtmf":{"digit":"7777x"}}')
    desk.socket.lose()
    assert "7777" not in caplog.text


VALUES = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
MESSAGES = (
    st.binary(max_size=40)
    | st.fixed_dictionaries(
        {"event": st.sampled_from(["start", "media", "dtmf", "playedStream", "clearedAudio", "stop", "?"])},
        optional={
            "start": VALUES | st.just({"mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 8000}}),
            "media": VALUES | st.fixed_dictionaries({"payload": VALUES | st.just("AAA=")}),
            "dtmf": VALUES | st.fixed_dictionaries({"digit": VALUES}),
            "name": VALUES,
        },
    ).map(lambda value: json.dumps(value).encode())
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(MESSAGES, max_size=30), st.booleans())
def test_garbage_never_comes_out_as_an_exception(messages: list[bytes], is_text: bool) -> None:
    async def play() -> None:
        desk = Desk(LinkSettings(bad_in_a_row=1000))
        for message in messages:
            if not desk.socket.close_calls:
                desk.link.received(message, is_text)
            await asyncio.sleep(0)
        if not desk.socket.close_calls:
            desk.socket.lose()
        await settle()

    asyncio.run(play())
