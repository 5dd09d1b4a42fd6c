from __future__ import annotations

import asyncio

import pytest
from plivo_stream import types as sdk

from bridge.core.events import DigitPressed, LegClosed, LegConnected, LegInterrupted
from bridge.core.ports import (
    L16_8K,
    L16_16K,
    ULAW_8K,
    AudioFormat,
    CallStart,
    CallTrack,
    CloseReason,
    MixSource,
    WebRtcOffer,
)
from bridge.legs.plivo_lag import LagSettings
from bridge.legs.plivo_leg import PlivoLeg, PlivoLegs, PlivoLegSettings
from bridge.legs.plivo_link import PlivoLink
from bridge.legs.plivo_play_wire import Checkpoint, ClearAudio, PlayAudio
from tests.kit.calls import CallPort, CallSocket, a_call, media, start_of

pytestmark = pytest.mark.unit

SETTINGS = PlivoLegSettings(lag=LagSettings(checkpoint_ms=400, soft_ms=300, trimmed_ms=100, hard_ms=1000))


async def admit(link: PlivoLink) -> None: ...


def greeted(legs: PlivoLegs, call: CallStart) -> tuple[PlivoLink, CallSocket]:
    """A link whose call has said `start`."""
    link = legs.new_link(admit, lambda link, reason: None)
    socket = CallSocket(link)
    socket.say(start_of(call))
    return link, socket


class OneLeg:
    """A leg of a fresh call with everything around it."""

    def __init__(self, call: CallStart, **track: bool) -> None:
        self.legs = PlivoLegs(SETTINGS)
        self.call = call
        self.port = CallPort()
        self.link, self.socket = greeted(self.legs, call)
        self.leg = self.legs(self.port, CallTrack(self.link, call.tracks[0], **track))

    async def start(self) -> OneLeg:
        assert await self.leg.start() is None
        return self

    def frame(self, fill: int = 1, *, silent: bool = False, late: bool = False) -> bytes:
        frame = bytes([fill]) * self.call.audio_format.frame_bytes
        self.port.sink.send_frame(frame, silent, late)
        return frame


@pytest.mark.parametrize("audio_format", [L16_8K, L16_16K, ULAW_8K])
async def test_sound_goes_in_and_out_in_the_call_s_format(audio_format: AudioFormat) -> None:
    one = await OneLeg(a_call(audio_format)).start()
    assert one.port.events == [LegConnected()]
    assert one.port.input is not None
    assert one.port.input.audio_format == audio_format
    one.socket.say(media(b"\1\0" * 7))
    assert one.port.input.pushed == [b"\1\0" * 7]
    source, out_format, _ = one.port.output or (None, None, None)
    assert (source, out_format) == (MixSource(), audio_format)
    frame = one.frame()
    [message] = one.socket.taken()
    assert isinstance(message, PlayAudio)
    assert message.media.payload == frame
    assert message.media.audio_format(L16_8K) == audio_format


async def test_a_receive_only_track_sends_nothing() -> None:
    one = await OneLeg(a_call(L16_8K, "inbound", "outbound"), receive_only=True).start()
    assert one.port.output is None
    assert one.port.input is not None


async def test_of_late_frames_only_the_newest_is_sent() -> None:
    one = await OneLeg(a_call()).start()
    one.frame(1, late=True)
    one.frame(2, late=True)
    newest = one.frame(3)
    assert one.socket.played_frames() == [newest]
    assert one.leg.look().figures["late"] == 2


async def test_what_waits_on_our_side_is_dropped_and_not_queued_up() -> None:
    one = await OneLeg(a_call()).start()
    one.socket.unsent_bytes = 100_000
    one.frame()
    assert one.socket.taken() == []
    one.socket.unsent_bytes = 0
    one.socket.full = True
    one.frame()
    one.socket.full = False
    one.frame()
    assert len(one.socket.played_frames()) == 1
    assert one.leg.look().figures["congested"] == 2


async def test_checkpoints_tell_the_far_side_s_backlog() -> None:
    one = await OneLeg(a_call()).start()
    checkpoint = None
    for _ in range(10):
        one.frame()
        for message in one.socket.taken():
            checkpoint = message if isinstance(message, Checkpoint) else checkpoint
    assert checkpoint is not None
    assert one.leg.look().figures["backlog_known"] == 0
    before = one.leg.frames_out
    one.frame()
    one.socket.say({"event": "playedStream", "name": "somebody else's"})
    assert one.leg.look().figures["backlog_known"] == 0
    one.socket.say({"event": "playedStream", "name": checkpoint.name})
    look = one.leg.look()
    assert look.figures["backlog_known"] == 1
    assert look.backlog_ms == (before + 1 - 5) * 20  # the first checkpoint came after the fifth frame


async def test_a_large_backlog_is_cleared_and_sending_goes_on() -> None:
    one = await OneLeg(a_call()).start()
    names = []
    for _ in range(6):
        one.frame()
        names += [message.name for message in one.socket.taken() if isinstance(message, Checkpoint)]
    one.socket.say({"event": "playedStream", "name": names[0]})
    sent = []
    for _ in range(100):
        one.frame()
        sent += one.socket.taken()
    clears = [at for at, message in enumerate(sent) if isinstance(message, ClearAudio)]
    assert clears
    assert isinstance(sent[clears[0] + 1], PlayAudio)
    one.socket.say({"event": "clearedAudio"})
    assert one.leg.look().figures["clears"] == len(clears)


async def test_silence_is_left_out_while_the_far_side_lies_behind() -> None:
    one = await OneLeg(a_call()).start()
    names = []
    for _ in range(25):
        one.frame()
        names += [message.name for message in one.socket.taken() if isinstance(message, Checkpoint)]
    one.socket.say({"event": "playedStream", "name": names[0]})
    assert one.leg.look().backlog_ms == 400
    one.frame(silent=False)
    for _ in range(8):
        one.frame(silent=True)
    assert len(one.socket.played_frames()) == 1
    assert one.leg.look().figures["trimmed"] == 8


async def test_the_vendor_s_types_accept_everything_that_is_sent() -> None:
    one = await OneLeg(a_call(ULAW_8K)).start()
    types = {
        "playAudio": sdk.PlayAudioEvent,
        "checkpoint": sdk.CheckpointEvent,
        "clearAudio": sdk.ClearAudioEvent,
    }
    seen = set()
    first = None
    for _ in range(120):
        one.frame()
        for message in one.socket.sent:
            for event, kind in types.items():
                if f'"{event}"'.encode() in message:
                    parsed = kind.model_validate_json(message)
                    seen.add(event)
                    if isinstance(parsed, sdk.CheckpointEvent):
                        assert parsed.stream_id == one.call.stream_id
                        first = first or parsed.name
        one.socket.sent.clear()
        if first is not None and "clearAudio" not in seen:
            one.socket.say({"event": "playedStream", "name": first})
    assert seen == set(types)


async def test_keys_are_reported() -> None:
    one = await OneLeg(a_call()).start()
    one.socket.say({"event": "dtmf", "dtmf": {"digit": "5", "track": "inbound"}})
    assert one.port.events[-1] == DigitPressed("5")


async def test_a_lost_socket_interrupts_and_a_hang_up_closes() -> None:
    one = await OneLeg(a_call()).start()
    one.socket.lose()
    assert isinstance(one.port.events[-1], LegInterrupted)
    assert one.leg.look().state == "interrupted"
    one.frame()
    assert one.socket.taken() == []
    other = await OneLeg(a_call()).start()
    other.socket.lose(1000)
    assert isinstance(other.port.events[-1], LegClosed)
    assert other.leg.look().state == "closed"


async def test_a_newer_socket_of_the_call_goes_on_with_the_same_leg() -> None:
    one = await OneLeg(a_call()).start()
    one.socket.lose()
    newer, socket = greeted(one.legs, a_call(call_id=one.call.call_id))
    assert await one.leg.renegotiate(CallTrack(newer, "inbound")) == ""
    assert one.port.events[-1] == LegConnected()
    frame = one.frame()
    assert socket.played_frames() == [frame]
    socket.say(media(b"\1\0"))
    assert one.port.input is not None
    assert one.port.input.pushed == [b"\1\0"]
    assert one.leg.look().state == "connected"


async def test_a_live_socket_that_is_replaced_is_closed_and_disturbs_nothing() -> None:
    one = await OneLeg(a_call()).start()
    newer, socket = greeted(one.legs, a_call(call_id=one.call.call_id))
    assert await one.leg.renegotiate(CallTrack(newer, "inbound")) == ""
    assert one.socket.close_calls == [(1000, "a newer socket of this call took over")]
    assert one.leg.look().state == "connected"
    one.frame()
    assert len(socket.played_frames()) == 1


@pytest.mark.parametrize("kind", ["another call", "another format", "an offer", "another track"])
async def test_what_is_not_the_same_call_needs_a_new_leg(kind: str) -> None:
    one = await OneLeg(a_call(L16_8K)).start()
    call_id = None if kind == "another call" else one.call.call_id
    audio_format = ULAW_8K if kind == "another format" else L16_8K
    newer, _ = greeted(one.legs, a_call(audio_format, call_id=call_id))
    spec = CallTrack(newer, "outbound" if kind == "another track" else "inbound")
    assert await one.leg.renegotiate(WebRtcOffer("v=0") if kind == "an offer" else spec) is None
    assert one.socket.close_calls == []


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (CloseReason.EXPELLED, 1000),
        (CloseReason.REPLACED, 1000),
        (CloseReason.ENDED, 1000),
        (CloseReason.HANGUP, 1000),
        (CloseReason.RESTART, 1012),
        (CloseReason.FAILED, 1011),
    ],
)
async def test_each_reason_has_its_close_code(reason: CloseReason, code: int) -> None:
    one = await OneLeg(a_call()).start()
    await one.leg.close(reason)
    await one.leg.close(reason)
    assert one.socket.close_calls == [(code, reason.value)]
    assert one.port.events == [LegConnected()]
    assert one.leg.look().state == "closed"


async def test_a_leg_on_a_socket_already_lost_begins_interrupted() -> None:
    one = OneLeg(a_call())
    one.socket.lose()
    await one.start()
    assert one.leg.look().state == "interrupted"


async def test_totals_add_up_over_calls() -> None:
    legs = PlivoLegs(SETTINGS)
    for _ in range(2):
        _, socket = greeted(legs, a_call())
        socket.say(b"garbage")
    assert legs.figures().bad_messages == 2


async def test_factories_refuse_what_is_not_theirs() -> None:
    with pytest.raises(TypeError):
        PlivoLegs()(CallPort(), WebRtcOffer("v=0"))
    with pytest.raises(TypeError):
        PlivoLegs()(CallPort(), CallTrack(object(), "inbound"))  # type: ignore[arg-type]
    assert PlivoLeg.kind == "plivo"
    await asyncio.sleep(0)
