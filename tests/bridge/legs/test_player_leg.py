"""Players in a room on a manual clock, with decoders in the test's hand."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.core.ports import PlayerSource
from bridge.errors import BridgeError, EgressRefused
from bridge.legs.player_settings import PlayerSettings
from bridge.legs.player_supply import SupplyFailed, SupplyRefused
from bridge.switch_events import LegDown, LegInterruptedOn, LegResumed, LegUp
from tests.kit.player_tapes import LiveTape, Shelf, Tape
from tests.kit.players import LOUD, FakeDemuxer, PlayerHouse, frequency_of, player_house
from tests.kit.tones import click_score, find_tones, level_of

pytestmark = pytest.mark.unit

TICK = 960


def heard_letters(house: PlayerHouse, count: int, first: int) -> list[int]:
    """What tones were heard, 100 ms by 100 ms, from tick `first`."""
    sound = house.program.since(first)
    found = []
    for n in range(count):
        tones = find_tones(sound[n * 4800 + 960 : (n + 1) * 4800 - 960], 48_000)
        found.append(round(next(iter(tones)) / 100) * 100 if tones else 0)
    return found


def first_sound(house: PlayerHouse) -> int:
    """The tick that sounds first."""
    return next(n for n, frame in enumerate(house.program.frames) if np.abs(frame).max() > 300)


async def test_all_of_it_is_heard_in_order_and_then_the_player_leaves() -> None:
    shelf = Shelf(Tape(["abcd"]))
    async with player_house(open_supply=shelf) as house:
        await house.player(file="x")
        await house.go(60)
        assert heard_letters(house, 4, first_sound(house)) == [frequency_of(letter) for letter in "abcd"]
        downs = [event for event in house.events if isinstance(event, LegDown)]
        assert downs == [LegDown("room", "player", "played to its end")]
        assert LegUp("room", "player", "player") in house.events
        assert not FakeDemuxer.made[-1].alive
        assert house.players.figures().ends == {"played": 1}
        # It left with its last sample, not before.
        assert np.abs(house.program.since(first_sound(house) + 20)).max() == 0


@pytest.mark.parametrize("volume", [0.5, 2.0])
async def test_the_volume_is_that_of_its_source_and_can_be_changed(volume: float) -> None:
    async with player_house(open_supply=Shelf(Tape(["a" * 50]))) as house:
        leg = await house.player(file="x", volume=volume)
        await house.go(40)
        frequency = frequency_of("a")
        assert level_of(house.program.since(-20), 48_000, frequency) == pytest.approx(LOUD * volume, rel=0.02)
        await house.change(file="x", volume=1.5)
        await house.go(22)
        assert level_of(house.program.since(-20), 48_000, frequency) == pytest.approx(LOUD * 1.5, rel=0.02)
        assert house.made["player"] is leg
        assert leg.look().figures["volume"] == 1.5


async def test_a_pause_is_silence_at_once_and_nothing_is_lost_over_it() -> None:
    async with player_house(open_supply=Shelf(Tape(["abcdefgh"]))) as house:
        leg = await house.player(file="x")
        await house.go(1)
        while len(house.program.frames) < 200 and not house.program.sound.any():
            await house.go(1)
        await house.go(11)  # in the middle of "c"
        await house.change(file="x", paused=True)
        await house.go(30)
        assert leg.state == "connected" and leg.look().figures["paused"] == 1
        paused_at = len(house.program.frames) - 30
        assert np.abs(house.program.since(paused_at + 1)).max() == 0
        await house.change(file="x", paused=False)
        await house.go(40)
        before, after = house.program.since(0)[: paused_at * TICK], house.program.since(paused_at + 30)
        begin = first_sound(house) * TICK
        whole = np.concatenate([before[begin:], after])
        assert len(whole[: 8 * 4800]) == 8 * 4800
        for n, letter in enumerate("abcdefgh"):
            piece = whole[n * 4800 + 960 : (n + 1) * 4800 - 960]
            assert level_of(piece, 48_000, frequency_of(letter)) == pytest.approx(LOUD, rel=0.12), letter
        assert np.abs(whole[8 * 4800 :]).max() == 0
        assert isinstance(house.events[-1], LegDown)


async def test_pausing_often_loses_and_doubles_nothing() -> None:
    async with player_house(open_supply=Shelf(Tape(["a" * 30]))) as house:
        await house.player(file="x", paused=True)
        await house.go(5)
        assert not house.program.sound.any()
        ticks = 0
        for length in (3, 7, 1, 11, 2, 5, 4, 9, 6):
            await house.change(file="x", paused=False)
            await house.go(length)
            ticks += length
            await house.change(file="x", paused=True)
            await house.go(3)
        await house.change(file="x", paused=False)
        sounding = len(house.program.frames)
        await house.go(200)
        rest = np.flatnonzero(np.abs(house.program.since(sounding)) > 20)
        # Every stretch began in the tick after it was asked for.
        assert rest[-1] + 1 == pytest.approx(30 * 4800 - ticks * TICK, abs=2 * TICK)


async def test_a_loop_has_no_seam_until_it_is_no_loop_any_more() -> None:
    async with player_house(open_supply=Shelf(Tape(["aa"]))) as house:
        leg = await house.player(file="x", loop=True)
        await house.go(300)
        begin = first_sound(house)
        sound = house.program.since(begin + 1)
        assert click_score(sound.astype(np.float64), 48_000, frequency_of("a")) < 0.1
        assert leg.look().figures["underruns"] == 0
        assert leg.look().figures["rounds"] > 20
        await house.change(file="x", loop=False)
        await house.go(150)
        assert house.events[-1] == LegDown("room", "player", "played to its end")


async def test_runs_follow_each_other_without_a_gap() -> None:
    async with player_house(open_supply=Shelf(Tape(["ab", "c", "de"]))) as house:
        await house.player(file="x")
        await house.go(60)
        assert heard_letters(house, 5, first_sound(house)) == [frequency_of(letter) for letter in "abcde"]


async def test_what_is_decoded_ahead_is_bounded_also_in_a_pause() -> None:
    shelf = Shelf(Tape(["a" * 400]))
    async with player_house(open_supply=shelf) as house:
        leg = await house.player(file="x", paused=True)
        await house.go(200)
        assert FakeDemuxer.made[-1]._given == 20 * 4800
        await house.change(file="x", paused=False)
        await house.go(100)
        assert FakeDemuxer.made[-1]._given == pytest.approx(40 * 4800, abs=4800)
        assert leg.look().figures["ahead_ms"] <= 2_000


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (SupplyRefused("there is no such file"), "there is no such file"),
        (EgressRefused("127.0.0.1 is private"), "127.0.0.1 is private"),
    ],
)
async def test_what_is_refused_ends_it_at_once(failure: BridgeError, why: str) -> None:
    shelf = Shelf(failure)
    async with player_house(open_supply=shelf) as house:
        await house.player(file="x", loop=True)
        await house.go(5)
        assert house.events[-1] == LegDown("room", "player", why)
        assert shelf.opened == 1


@pytest.mark.parametrize(
    ("tape", "why"),
    [
        ("?", "it is broken"),
        ("!", "it takes too much processor time to decode"),
        ("", "there is nothing to hear in it"),
    ],
)
async def test_what_cannot_be_played_ends_it(tape: str, why: str) -> None:
    async with player_house(open_supply=Shelf(Tape([tape]))) as house:
        await house.player(file="x", loop=True)
        await house.go(5)
        assert house.events[-1] == LegDown("room", "player", why)
        assert not FakeDemuxer.made[-1].alive


async def test_what_was_decoded_before_it_broke_is_heard() -> None:
    async with player_house(open_supply=Shelf(Tape(["abc?"]))) as house:
        await house.player(file="x")
        await house.go(40)
        assert heard_letters(house, 3, first_sound(house)) == [frequency_of(letter) for letter in "abc"]
        assert house.events[-1] == LegDown("room", "player", "it is broken")


async def test_a_source_that_is_never_reached_is_given_up_after_a_few_attempts() -> None:
    shelf = Shelf(SupplyFailed("connection refused"))
    async with player_house(open_supply=shelf) as house:
        leg = await house.player(url="rtmp://x/y/z")
        await house.go(2)
        assert leg.state == "connecting" and shelf.opened == 1
        await house.wait(20)
        assert house.events[-1] == LegDown("room", "player", "connection refused")
        assert shelf.opened == PlayerSettings().first_attempts


async def test_live_sound_is_heard_soon_and_interruptions_are_told() -> None:
    tape = LiveTape()
    async with player_house(open_supply=Shelf(tape)) as house:
        leg = await house.player(url="rtmp://x/y/z")
        for _ in range(30):
            tape.coming.put_nowait("a")
            await house.go(5)
        assert level_of(house.program.since(-20), 48_000, frequency_of("a")) == pytest.approx(LOUD, rel=0.02)
        assert leg.state == "connected"
        await house.wait(4)
        assert leg.state == "interrupted"
        assert house.events[-1] == LegInterruptedOn("room", "player", "nothing comes")
        tape.coming.put_nowait("a")
        await house.go(5)
        assert leg.state == "connected"
        assert LegResumed("room", "player") in house.events[-2:]


async def test_a_live_source_that_drops_is_tried_again_for_as_long_as_the_leg_lives() -> None:
    first, second = LiveTape(), LiveTape()
    gone = SupplyFailed("the server closed the connection")
    shelf = Shelf(first, *[gone] * 40, second)
    async with player_house(open_supply=shelf) as house:
        leg = await house.player(url="rtmp://x/y/z")
        for _ in range(10):
            first.coming.put_nowait("a")
            await house.go(5)
        first.coming.put_nowait(gone)
        await house.go(5)
        assert leg.state == "interrupted"
        assert LegInterruptedOn("room", "player", "the server closed the connection") in house.events
        while shelf.opened < 42:
            await house.wait(1.0)
        assert house.timers.now > 300  # it was in no hurry
        for _ in range(10):
            second.coming.put_nowait("b")
            await house.go(5)
        assert leg.state == "connected"
        assert level_of(house.program.since(-20), 48_000, frequency_of("b")) == pytest.approx(LOUD, rel=0.02)


async def test_live_sound_goes_by_unheard_in_a_pause() -> None:
    tape = LiveTape()
    async with player_house(open_supply=Shelf(tape)) as house:
        await house.player(url="rtmp://x/y/z")
        for letter in "a" * 10:
            tape.coming.put_nowait(letter)
            await house.go(5)
        await house.change(url="rtmp://x/y/z", paused=True)
        for letter in "b" * 20:
            tape.coming.put_nowait(letter)
            await house.go(5)
        assert np.abs(house.program.since(-30)).max() < 20
        await house.change(url="rtmp://x/y/z", paused=False)
        for letter in "c" * 20:
            tape.coming.put_nowait(letter)
            await house.go(5)
        assert level_of(house.program.since(-20), 48_000, frequency_of("c")) == pytest.approx(LOUD, rel=0.02)
        assert level_of(house.program.sound, 48_000, frequency_of("b")) < 50


async def test_a_live_source_that_kills_its_decoder_again_and_again_is_given_up() -> None:
    shelf = Shelf(Tape(["a!"], paced=False, ends=False))
    async with player_house(open_supply=shelf) as house:
        leg = await house.player(url="rtmp://x/y/z")
        await house.wait(30)
        assert isinstance(house.events[-1], LegDown)
        assert shelf.opened == PlayerSettings().most_broken
        assert leg.look().figures["decoders_lost"] == 5


async def test_another_source_is_another_leg_and_takes_the_place_of_the_first() -> None:
    async with player_house(open_supply=Shelf(Tape(["a" * 50]))) as house:
        first = await house.player(file="x", volume=2.0)
        await house.go(20)
        second = await house.player(file="y")
        await house.go(30)
        assert second is not first and first.state == "closed"
        assert house.players.figures().ends == {"closed": 1}
        assert level_of(house.program.since(-20), 48_000, frequency_of("a")) == pytest.approx(LOUD, rel=0.02)


async def test_closing_it_ends_its_child_at_once_wherever_it_was() -> None:
    async with player_house(open_supply=Shelf(LiveTape())) as house:
        leg = await house.player(url="rtmp://x/y/z")
        await house.go(5)
        child = FakeDemuxer.made[-1]
        assert child.alive
        await house.close()
        assert not child.alive and leg.state == "closed"
        assert await leg.renegotiate(PlayerSource(url="rtmp://x/y/z")) is None


@pytest.mark.parametrize("volume", [-0.1, 2.1, float("nan")])
def test_a_volume_out_of_bounds_is_no_player(volume: float) -> None:
    house = PlayerHouse()
    with pytest.raises(ValueError, match="volume"):
        house.players(None, PlayerSource(file="x", volume=volume))  # type: ignore[arg-type]


def test_an_address_is_never_printed() -> None:
    assert "key" not in repr(PlayerSource(url="rtmp://host/live/key"))
