"""Streams in a real room on a manual clock: what is heard and acknowledged in which tick."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import numpy as np
import pytest

from bridge.core.ports import L16_16K, CloseReason, HeardSource, MixSource, ServiceStream, SoloSource
from bridge.legs.service_legs import ServiceLegs
from bridge.legs.service_settings import Surroundings
from bridge.routing import Routing
from bridge.switch_events import Behind, Digit, LegDown, LegUp, MediaChanged
from mediacodecs.dtmf import frequencies
from tests.kit.services import FakeDial, FarSide, ManualTimers, a_stream, settle
from tests.kit.studio import LOUD, Phone, Studio, heard
from tests.kit.tones import find_tones, level_of, tone

pytestmark = pytest.mark.unit

BEGAN_MS = 1_705_312_200_000
FRAME = 320


class House(Studio):
    """A studio that can dial."""

    def __init__(self) -> None:
        self.dial = FakeDial()
        self.timers = ManualTimers()
        self.ticks = 0
        around = Surroundings(self.sound_ms, self.timers.call_later, lambda: 0.5)
        super().__init__(factories={ServiceStream: ServiceLegs(self.dial, self.sound_ms, around=around)})
        self.far_sides: list[FarSide] = []

    def sound_ms(self) -> int:
        return BEGAN_MS + 20 * self.ticks

    async def service(self, name: str, spec: ServiceStream, routing: Routing | None = None) -> FarSide:
        await self.board.connect("room", name, spec, routing or Routing())
        far = await self.dial.accept()
        self.far_sides.append(far)
        return far

    async def bot(self, **more: Any) -> FarSide:
        return await self.service(
            "bot", a_stream(sources={"inbound": MixSource()}, bidirectional=True, **more)
        )

    def go(self, ticks: int, say: dict[str, Any] | None = None) -> None:
        for n in range(ticks):
            self.ticks += 1
            self.timers.advance(0.02)
            self.run(1, {name: (lambda _, speak=speak, n=n: speak(n)) for name, speak in (say or {}).items()})
            for far in self.far_sides:
                far.flow()


def audio(samples: np.ndarray) -> dict[str, Any]:
    payload = base64.b64encode(samples.astype("<i2").tobytes()).decode()
    return {"media": {"contentType": "audio/x-l16", "sampleRate": 16_000, "payload": payload}}


def acks(far: FarSide) -> list[tuple[int, str]]:
    """Acknowledgements, each with the number of frames that came before it."""
    found, frames = [], 0
    for message in far.messages:
        if message["event"] == "media":
            frames += 1
        elif message["event"] in ("playedStream", "clearedAudio"):
            found.append((frames, message.get("name", "cleared")))
    return found


def sound_of(leg: Phone) -> np.ndarray:
    return np.concatenate(leg.heard)


def sound_at(far: FarSide, track: str = "inbound") -> np.ndarray:
    return np.frombuffer(b"".join(base64.b64decode(m["payload"]) for m in far.media(track)), "<i2")


async def test_a_bot_and_a_caller_hear_each_other_and_not_themselves() -> None:
    house = House()
    phone = await house.phone("anna")
    far = await house.bot()
    assert house.events[-2:] == [LegUp("room", "bot", "stream"), MediaChanged("room", "bot", "primary", True)]
    house.go(1)
    far.say("playAudio", **audio(tone(700, 2.0, 16_000, LOUD)))
    house.go(60, {"anna": house.voice(phone, 500)})
    assert heard(phone, 700) == pytest.approx(LOUD, rel=0.02)
    assert heard(phone, 500) < 20
    bot_heard = sound_at(far)[-8_000:].astype(np.float32)
    assert level_of(bot_heard, 16_000, 500) == pytest.approx(LOUD, rel=0.1)
    assert level_of(bot_heard, 16_000, 700) < 20


async def test_frames_come_every_tick_from_the_first_on_also_in_silence() -> None:
    house = House()
    far = await house.bot()
    house.go(10)
    assert [media["chunk"] for media in far.media()] == list(range(1, 11))
    assert [int(media["timestamp"]) for media in far.media()] == [BEGAN_MS + 20 * n for n in range(1, 11)]
    assert not sound_at(far).any()


async def test_a_checkpoint_with_nothing_queued_is_acknowledged_in_the_next_tick() -> None:
    house = House()
    far = await house.bot()
    house.go(5)
    far.say("checkpoint", streamId="s", name="now")
    house.go(1)
    assert acks(far) == [(6, "now")]


async def test_a_checkpoint_is_acknowledged_in_the_tick_that_plays_the_last_of_it() -> None:
    house = House()
    phone = await house.phone("anna")
    far = await house.bot()
    house.go(5)
    phone.heard.clear()
    far.say("playAudio", **audio(np.full(5 * FRAME, 8_000)))
    far.say("checkpoint", streamId="s", name="first")
    far.say("playAudio", **audio(np.full(2 * FRAME - 100, 4_000)))
    far.say("checkpoint", streamId="s", name="second")
    house.go(10)
    assert acks(far) == [(5 + 5, "first"), (5 + 7, "second")]
    loud = np.abs(sound_of(phone)) > 2_000
    assert loud[: 7 * FRAME - 150].all()
    assert not loud[7 * FRAME :].any()


async def test_a_clear_in_the_middle_of_a_phrase_is_heard_within_a_tick() -> None:
    house = House()
    phone = await house.phone("anna")
    far = await house.bot()
    house.go(1)
    phone.heard.clear()
    far.say("playAudio", **audio(np.full(3 * FRAME, 8_000)))
    far.say("checkpoint", streamId="s", name="played")
    far.say("playAudio", **audio(np.full(50 * FRAME, 8_000)))
    far.say("checkpoint", streamId="s", name="partly played")
    far.say("checkpoint", streamId="s", name="and this")
    house.go(10)
    far.say("clearAudio", streamId="s")
    house.go(10)
    assert acks(far) == [(4, "played"), (12, "cleared")]
    loud = np.abs(sound_of(phone)) > 100
    assert loud[: 10 * FRAME].all()
    assert not loud[10 * FRAME + 5 * 16 :].any()  # but for the fade
    assert house.board.look("room").participants["bot"].leg.figures["marks_refused"] == 0
    far.say("checkpoint", streamId="s", name="after")
    house.go(1)
    assert acks(far)[-1] == (22, "after")


async def test_what_is_played_right_after_a_clear_is_not_delayed() -> None:
    house = House()
    phone = await house.phone("anna")
    far = await house.bot()
    far.say("playAudio", **audio(tone(600, 2.0, 16_000, LOUD)))
    house.go(10)
    phone.heard.clear()
    far.say("clearAudio", streamId="s")
    far.say("playAudio", **audio(np.full(FRAME, 6_000)))
    far.say("checkpoint", streamId="s", name="new")
    house.go(5)
    # After 5 ms of fade, within the same tick.
    assert (sound_of(phone)[200 : FRAME + 80 - 20] > 3_000).all()
    assert acks(far) == [(11, "cleared"), (12, "new")]


async def test_two_clears_in_a_row_are_acknowledged_twice() -> None:
    house = House()
    far = await house.bot()
    house.go(1)
    far.say("clearAudio", streamId="s")
    far.say("clearAudio", streamId="s")
    house.go(1)
    assert acks(far) == [(2, "cleared"), (2, "cleared")]


async def test_more_checkpoints_than_are_kept_leave_the_room_as_it_is() -> None:
    house = House()
    far = await house.bot()
    far.say("playAudio", **audio(np.zeros(FRAME)))
    for n in range(1_200):
        far.say("checkpoint", streamId="s", name=str(n))
    house.go(400)
    assert [name for _, name in acks(far)] == [str(n) for n in range(1_000)]
    assert house.board.look("room").participants["bot"].leg.figures["marks_refused"] == 200
    far.say("checkpoint", streamId="s", name="again")
    house.go(1)
    assert acks(far)[-1][1] == "again"


async def test_keys_are_heard_in_the_room_behind_what_was_queued_and_told() -> None:
    house = House()
    phone = await house.phone("anna")
    far = await house.bot()
    house.go(1)
    phone.heard.clear()
    far.say("playAudio", **audio(np.zeros(5 * FRAME)))
    far.say("sendDTMF", dtmf="5#")
    house.go(40)
    sound = sound_of(phone).astype(np.float32)
    for key, at in (("5", 0.1), ("#", 0.3)):
        tones = find_tones(sound[int((at + 0.01) * 16_000) : int((at + 0.09) * 16_000)], 16_000)
        found = sorted(hz for hz, level in tones.items() if level > 2_000)
        assert found == [pytest.approx(hz, rel=0.01) for hz in frequencies(key)]
    assert [event.digit for event in house.events if isinstance(event, Digit)] == ["5", "#"]


async def test_choppy_audio_is_smoothed_and_underruns_are_counted() -> None:
    house = House()
    spec = a_stream(sources={"inbound": MixSource()}, bidirectional=True)
    far = await house.service("bot", spec)
    sound = tone(600, 4.0, 16_000, LOUD)
    for n in range(40):
        far.say("playAudio", **audio(sound[n * 1_000 : (n + 1) * 1_000]))
        house.go(3 if n % 10 else 8)
    house.go(30)
    assert 0 < spec.ledger.underruns < 10
    assert spec.ledger.played_ms == 2_500


async def test_a_fork_sends_what_is_said_and_what_is_heard_each_on_its_track() -> None:
    house = House()
    anna, bernd = await house.phone("anna"), await house.phone("bernd")
    sources = {"inbound": SoloSource("anna"), "outbound": HeardSource("anna")}
    far = await house.service("fork", a_stream("inbound", "outbound", sources=sources))
    house.go(60, {"anna": house.voice(anna, 500), "bernd": house.voice(bernd, 900)})
    for track, there, absent in (("inbound", 500, 900), ("outbound", 900, 500)):
        sound = sound_at(far, track)[-16_000:].astype(np.float32)
        assert level_of(sound, 16_000, there) == pytest.approx(LOUD, rel=0.1)
        assert level_of(sound, 16_000, absent) < 20
        assert [media["chunk"] for media in far.media(track)] == list(range(1, 61))
    house.board.press("room", "fork", "inbound", "9")
    house.go(1)
    assert [message["dtmf"]["digit"] for message in far.events("dtmf")] == ["9"]
    assert "fork" not in {event.participant_id for event in house.events if isinstance(event, MediaChanged)}


async def test_a_stream_s_end_is_the_stream_s_alone() -> None:
    house = House()
    phone, other = await house.phone("anna"), await house.phone("bernd")
    far = await house.bot()
    far.say("playAudio", **audio(tone(700, 9.0, 16_000, LOUD)))
    house.go(20, {"anna": house.voice(phone, 500)})
    far.lose(1000)
    house.go(60, {"anna": house.voice(phone, 500)})
    assert house.events[-1] == LegDown("room", "bot", "service closed")
    assert heard(other, 500) == pytest.approx(LOUD, rel=0.1)
    assert heard(phone, 700) < 20
    await settle()
    assert house.board.legs() == {"phone": 2}


async def test_a_stalled_bot_is_told_of_and_ends_too_slow_without_disturbing_a_tick() -> None:
    house = House()
    phone = await house.phone("anna")
    spec = a_stream(sources={"inbound": MixSource()}, bidirectional=True)
    far = await house.service("bot", spec)
    far.stalled = True
    house.go(2_010)
    told = [event.percent for event in house.events if isinstance(event, Behind)]
    assert told == [30, 60, 90]
    assert house.events[-1] == LegDown("room", "bot", "too slow")
    assert len(phone.heard) == 2_010
    book = spec.ledger.tracks["inbound"]
    assert book.captured == book.lost > 1_990
    await settle()


async def test_expelling_a_bot_closes_its_socket_and_its_books() -> None:
    house = House()
    spec = a_stream(sources={"inbound": MixSource()}, bidirectional=True, audio_format=L16_16K)
    far = await house.service("bot", spec)
    house.go(30)
    ending = asyncio.create_task(house.board.disconnect("room", "bot", CloseReason.EXPELLED))
    await settle()
    far.flow()
    await ending
    assert far.close_calls == [(1000, "expelled")]
    assert spec.ledger.tracks["inbound"].delivered == 30
