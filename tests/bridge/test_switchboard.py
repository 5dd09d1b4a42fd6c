from __future__ import annotations

import numpy as np
import pytest

from bridge.core.events import DigitPressed, LegClosed, LegConnected, LegInterrupted
from bridge.core.ports import (
    L16_16K,
    CloseReason,
    WebRtcOffer,
)
from bridge.errors import BadOffer, Draining, LimitReached, NoSuchRoom, Overloaded
from bridge.routing import Routing
from bridge.switch_events import (
    Digit,
    LegDown,
    LegInterruptedOn,
    LegResumed,
    LegUp,
    MediaChanged,
    Talking,
)
from mediacodecs.opus import OpusEncoder, OpusSettings
from tests.kit.studio import LOUD, Phone, Studio, heard
from tests.kit.tones import tone

pytestmark = pytest.mark.unit


class Hasty(Phone):
    """Somebody who presses a key before the leg is set up."""

    async def start(self) -> str | None:
        self.port.emit(DigitPressed("7"))
        return await super().start()


async def test_phone_and_browser_hear_each_other_and_not_themselves() -> None:
    studio = Studio()
    phone, browser = await studio.phone("p"), await studio.browser("b")
    studio.run(75, {"p": studio.voice(phone, 500), "b": studio.voice(browser, 1200)})
    assert heard(browser, 500) == pytest.approx(LOUD, rel=0.1)
    assert heard(phone, 1200) == pytest.approx(LOUD, rel=0.1)
    assert heard(browser, 1200) < LOUD / 300
    assert heard(phone, 500) < LOUD / 300


async def test_attendee_hears_but_is_not_heard_until_promoted() -> None:
    studio = Studio()
    quiet = await studio.phone("a", Routing(primary_in_mix=False))
    other = await studio.phone("b")
    voices = {"a": studio.voice(quiet, 500), "b": studio.voice(other, 1200)}
    studio.run(50, voices)
    assert heard(other, 500) < 10
    assert heard(quiet, 1200) == pytest.approx(LOUD, rel=0.1)
    studio.board.route("room", "a", Routing())
    studio.run(75, voices)
    assert heard(other, 500) == pytest.approx(LOUD, rel=0.1)


async def test_muted_participant_is_heard_by_nobody_not_even_alone() -> None:
    studio = Studio()
    speaker = await studio.browser("s", routing=Routing(muted=True))
    mix, solo = await studio.phone("m"), await studio.browser("t", "new:s")
    studio.run(50, {"s": studio.voice(speaker, 900)})
    assert heard(mix, 900) < 10
    assert not solo.packets
    studio.board.route("room", "s", Routing())
    voice = studio.voice(speaker, 900)
    studio.run(50, {"s": lambda n: voice(n + 50)})
    assert heard(mix, 900) == pytest.approx(LOUD, rel=0.1)
    assert heard(solo, 900) == pytest.approx(LOUD, rel=0.1)


async def test_override_makes_one_listener_deaf_to_one_speaker() -> None:
    studio = Studio()
    speaker = await studio.phone("s")
    deaf = await studio.phone("d", Routing(hears={"s": 0.0}))
    half = await studio.phone("h", Routing(hears={"s": 0.5}))
    studio.run(75, {"s": studio.voice(speaker, 700)})
    assert heard(deaf, 700) < 10
    assert heard(half, 700) == pytest.approx(LOUD / 2, rel=0.1)


async def test_browser_alone_is_relayed_as_it_is() -> None:
    studio = Studio()
    speaker, listener = await studio.browser("s"), await studio.browser("t", "new:s")
    sent: list[bytes] = []
    under = speaker.input.push
    encoder = OpusEncoder(48_000, OpusSettings())

    def speak(n: int) -> None:
        payload = encoder.encode(tone(600, 0.02, 48_000, LOUD).astype(np.int16))
        sent.append(payload)
        under(payload, n, 960 * n, studio.now)

    studio.run(20, {"s": speak})
    assert listener.packets == sent
    assert set(listener.advances) == {960}


async def test_phone_alone_is_encoded_once_for_all_who_want_it() -> None:
    studio = Studio()
    speaker = await studio.phone("s")
    listeners = [await studio.browser(name, "new:s") for name in ("t", "u", "v")]
    voice = studio.voice(speaker, 800)
    studio.run(60, {"s": voice})
    assert heard(listeners[0], 800) == pytest.approx(LOUD, rel=0.1)
    assert listeners[0].packets == listeners[1].packets == listeners[2].packets
    voice(60)
    result = studio.bus.tick(studio.now + 0.02)
    assert [len(job.outlets) for job in result.encodes] == [3]


async def test_listener_of_one_who_is_not_there_yet_hears_him_when_he_comes() -> None:
    studio = Studio()
    listener = await studio.browser("t", "new:s")
    studio.run(5)
    assert not listener.packets
    speaker = await studio.phone("s")
    studio.run(60, {"s": studio.voice(speaker, 800)})
    assert heard(listener, 800) == pytest.approx(LOUD, rel=0.1)


async def test_switching_what_is_heard_keeps_the_leg_and_its_time() -> None:
    studio = Studio()
    speaker, other = await studio.phone("s"), await studio.phone("o")
    listener = await studio.browser("t")
    voices = {"s": studio.voice(speaker, 500), "o": studio.voice(other, 900)}
    studio.run(50, voices)
    answer = await studio.board.connect("room", "t", WebRtcOffer("same:s"), Routing())
    assert (answer.answer, answer.renegotiated) == ("again", True)
    studio.run(50, {name: (lambda n, v=voice: v(n + 50)) for name, voice in voices.items()})
    assert heard(listener, 500) == pytest.approx(LOUD, rel=0.1)
    assert heard(listener, 900) < LOUD / 300
    assert set(listener.advances) == {960}


async def test_new_leg_replaces_the_old_one_without_leaving() -> None:
    studio = Studio()
    first, other = await studio.phone("a"), await studio.phone("b")
    studio.run(30, {"a": studio.voice(first, 500)})
    second = await studio.phone("a")
    await studio.board.close()  # only to wait for the old leg's end
    assert first.closed is CloseReason.REPLACED
    assert second is not first
    about = [event for event in studio.events if getattr(event, "participant_id", "") == "a"]
    names = [type(event).__name__ for event in about if not isinstance(event, Talking)]
    assert names == ["LegUp", "MediaChanged", "LegUp", "MediaChanged", "LegDown"]
    assert other.closed is CloseReason.RESTART


async def test_replaced_leg_cannot_disturb_its_successor() -> None:
    studio = Studio()
    first, other = await studio.phone("a"), await studio.phone("b")
    second = await studio.phone("a")
    first.port.close_input("primary")
    first.port.emit(LegClosed("late"))
    studio.run(60, {"a": studio.voice(second, 500)})
    assert heard(other, 500) == pytest.approx(LOUD, rel=0.1)
    assert not [event for event in studio.events if isinstance(event, LegDown)]
    with pytest.raises(RuntimeError):
        first.port.open_audio_input("primary", L16_16K)


async def test_bad_offer_leaves_the_old_leg_as_it_was() -> None:
    studio = Studio()
    first, other = await studio.browser("a"), await studio.phone("b")
    with pytest.raises(BadOffer):
        await studio.board.connect("room", "a", WebRtcOffer("bad"), Routing())
    studio.run(60, {"a": studio.voice(first, 500)})
    assert first.closed is None
    assert heard(other, 500) == pytest.approx(LOUD, rel=0.1)


async def test_what_legs_report_comes_out_as_events() -> None:
    studio = Studio()
    phone = await studio.phone("a")
    phone.port.emit(DigitPressed("5"))
    phone.port.emit(LegClosed("gone"))
    assert studio.events == [
        LegUp("room", "a", "phone"),
        MediaChanged("room", "a", "primary", True),
        Digit("room", "a", "5"),
        LegDown("room", "a", "gone"),
    ]
    assert "5" not in repr(studio.events[2])
    assert studio.board.legs() == {}


async def test_a_leg_that_is_silent_for_a_while_is_told_to_be_back() -> None:
    studio = Studio()
    phone = await studio.phone("a")
    studio.events.clear()
    phone.port.emit(LegInterrupted("nothing heard"))
    phone.port.emit(LegConnected())
    assert studio.events == [LegInterruptedOn("room", "a", "nothing heard"), LegResumed("room", "a")]


async def test_a_key_pressed_while_the_leg_is_set_up_is_told_once_it_is_there() -> None:
    studio = Studio(phone=Hasty)
    await studio.phone("a")
    assert studio.events == [
        LegUp("room", "a", "phone"),
        MediaChanged("room", "a", "primary", True),
        Digit("room", "a", "7"),
    ]


async def test_texts_reach_one_participant_and_unknown_ones_are_dropped() -> None:
    studio = Studio()
    phone = await studio.phone("a")
    studio.board.send("room", "a", "hello")
    studio.board.send("room", "nobody", "hello")
    studio.board.send("nowhere", "a", "hello")
    assert phone.texts == ["hello"]


async def test_closing_a_room_closes_its_legs_and_its_place_in_the_mixer() -> None:
    studio = Studio()
    phone = await studio.phone("a")
    assert studio.bus.figures().rooms == 1
    await studio.board.close_room("room", CloseReason.ENDED)
    studio.run(2)
    assert phone.closed is CloseReason.ENDED
    assert studio.bus.figures().rooms == 0
    with pytest.raises(NoSuchRoom):
        await studio.phone("a")


async def test_the_log_tells_who_came_and_went_and_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "bridge.switchboard")
    studio = Studio()
    await studio.phone("a")
    await studio.board.disconnect("room", "a", CloseReason.EXPELLED)
    kind = caplog.records[0].leg  # type: ignore[attr-defined]
    assert [
        (line.getMessage(), line.room, line.participant, line.leg)  # type: ignore[attr-defined]
        for line in caplog.records
    ] == [
        ("- connected", "room", "a", kind),
        (f"- disconnected: {CloseReason.EXPELLED.value}", "room", "a", kind),
    ]


async def test_empty_room_takes_no_place_in_the_mixer() -> None:
    studio = Studio()
    await studio.phone("a")
    await studio.board.disconnect("room", "a", CloseReason.EXPELLED)
    studio.run(2)
    assert studio.bus.figures().rooms == 0
    assert studio.board.look("room").participants == {}
    again = await studio.phone("a")
    studio.run(3)
    assert len(again.heard) == 3


@pytest.mark.parametrize(
    ("state", "error"), [("draining", Draining), ("overloaded", Overloaded), ("full", LimitReached)]
)
async def test_new_media_is_refused_and_live_media_goes_on(state: str, error: type[Exception]) -> None:
    studio = Studio(max_legs=1 if state == "full" else 10)
    phone = await studio.phone("a")
    if state != "full":
        setattr(studio.board, state, True)
    with pytest.raises(error):
        await studio.phone("b")
    if state != "draining":
        phone = await studio.phone("a")
    studio.run(5)
    assert len(phone.heard) == 5


async def test_a_look_shows_levels_of_everybody_connected() -> None:
    studio = Studio()
    speaker = await studio.phone("s")
    await studio.phone("q")
    studio.run(50, {"s": studio.voice(speaker, 500)})
    status = studio.board.look("room")
    assert status.rate_hz == 16_000
    assert status.participants["s"].inputs["primary"].talking
    assert status.participants["s"].inputs["primary"].level_dbov == pytest.approx(-15, abs=1)
    assert not status.participants["q"].inputs["primary"].talking
    assert status.participants["q"].inputs["primary"].level_dbov == -127


async def test_sink_that_raises_is_cut_off_and_nobody_else_notices() -> None:
    studio = Studio()
    broken, fine = await studio.phone("a"), await studio.phone("b")

    def fail(frame: bytes, silent: bool, late: bool) -> None:
        raise OSError("gone")

    broken.send_frame = fail  # type: ignore[method-assign]
    studio.run(5)
    assert studio.dispatch.broken == 1
    assert len(fine.heard) == 5
