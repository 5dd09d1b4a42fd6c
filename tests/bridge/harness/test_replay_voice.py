"""Captured callers speak to live bots: the same sound and keys at the same times, and the same silence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from bridge.core.ports import L16_16K, ULAW_8K, AudioFormat
from bridge.errors import ConfigError
from bridge.harness.bot_test import BotTest
from bridge.harness.capture_reading import Capture
from bridge.harness.replay_course import beats, course
from bridge.harness.replay_events import Beat, Came
from bridge.harness.replay_voice import plan_replay, script_of
from bridge.harness.sound import encode
from bridge.legs.capture_wire import VERSION, End, Frame, Head, Key, Link, Media, Record, Tick
from tests.kit import bots
from tests.kit.tones import tone

pytestmark = pytest.mark.e2e

TICK_NS = 20_000_000


def capture(
    records: list[Record], place: str = "caller", audio_format: AudioFormat = L16_16K, name: str = "a"
) -> Capture:
    head = Head(
        VERSION, place, "s", "c", audio_format.encoding.value, audio_format.rate_hz, ("inbound",), 0, 10**12,
    )  # type: ignore[arg-type]  # fmt: skip
    return Capture(Path(f"{name}.mbcapture"), head, records, End(10**10, "closed"))


def frames(count: int, audio_format: AudioFormat = L16_16K) -> list[np.ndarray]:
    sound = tone(440, count * 0.02, audio_format.rate_hz, 8000).astype(np.int16)
    return list(sound.reshape(count, -1))


def said(count: int, *, without: tuple[int, ...] = ()) -> list[Record]:
    """A simulated caller's ticks, some of which said nothing."""
    records: list[Record] = [Link(0, "opened")]
    for number, frame in enumerate(frames(count)):
        at_ns = (number + 1) * TICK_NS
        records.append(Tick(number + 1, at_ns))
        if number not in without:
            records.append(Frame("inbound", frame.tobytes()))
        if number in (10, 11):
            records.append(Key(at_ns, "inbound", "4#"[number - 10]))
    return records


class Listener(bots.Bot):
    """Keeps what it is told."""

    heard: list[dict[str, object]]

    def __init__(self, socket: ServerConnection) -> None:
        super().__init__(socket)
        type(self).heard = []

    async def hear(self, event: dict[str, object]) -> None:
        type(self).heard.append(event)


async def replayed(kept: Capture) -> list[dict[str, object]]:
    """What a bot is told when the capture is replayed to it."""
    async with bots.listening(Listener) as url:
        run = await BotTest(plan_replay(url, [kept])).run()
    assert run.calls[0].end == "caller hung up" and run.calls[0].scenario == "replay of a.mbcapture"
    return Listener.heard


def told(events: list[dict[str, object]]) -> list[bytes]:
    import base64

    media = [event["media"] for event in events if event["event"] == "media"]
    return [base64.b64decode(one["payload"]) for one in media]  # type: ignore[index]


async def test_a_bot_is_told_what_the_captured_caller_said() -> None:
    events = await replayed(capture(said(40)))
    assert told(events) == [frame.tobytes() for frame in frames(40)]
    keys = [(at, event["dtmf"]["digit"]) for at, event in enumerate(events) if event["event"] == "dtmf"]  # type: ignore[index]
    assert [digit for _, digit in keys] == ["4", "#"]
    before = [sum(event["event"] == "media" for event in events[:at]) for at, _ in keys]
    assert before == [11, 12]


async def test_what_was_not_said_then_is_not_said_now() -> None:
    gone = tuple(range(15, 25))
    events = await replayed(capture(said(40, without=gone)))
    assert told(events) == [frame.tobytes() for at, frame in enumerate(frames(40)) if at not in gone]


async def test_a_lost_connection_is_lost_again() -> None:
    records = said(40)
    at = next(n for n, record in enumerate(records) if isinstance(record, Tick) and record.number == 12)
    records.insert(at, Link(11 * TICK_NS, "emptied"))
    at = next(n for n, record in enumerate(records) if isinstance(record, Tick) and record.number == 17)
    records.insert(at, Link(16 * TICK_NS, "resumed"))
    starts = []

    class Redialled(Listener):
        async def hear(self, event: dict[str, object]) -> None:
            if event["event"] == "start":
                starts.append(event["start"]["callId"])  # type: ignore[index]

    async with bots.listening(Redialled) as url:
        run = await BotTest(plan_replay(url, [capture(records)])).run()
    assert len(starts) == 2 and len(set(starts)) == 1
    assert run.calls[0].end == "caller hung up"
    assert any(moment.kind == "redialled" for moment in run.calls[0].timeline)


def test_captures_of_several_codecs_are_not_played_in_one_run() -> None:
    with pytest.raises(ConfigError, match="one codec"):
        plan_replay("ws://x", [capture(said(3)), capture(said(3), audio_format=ULAW_8K)])
    with pytest.raises(ConfigError, match="nothing was said"):
        script_of(capture([Link(0, "opened")]))


def test_several_captures_take_turns() -> None:
    one, other = capture(said(3), name="a"), capture(said(5), name="b")
    plan = plan_replay("ws://x", [one, other], calls=5)
    assert [plan.cast(number).scenario for number in range(1, 6)] == [
        f"replay of {name}.mbcapture" for name in "ababa"
    ]
    assert len(plan_replay("ws://x", [one, other]).starts) == 2


# --- a phone's side ---


def phone(arrivals_ms: list[float], audio_format: AudioFormat = L16_16K, ticks: int = 60) -> Capture:
    """A call that streamed in: frame n came at `arrivals_ms[n]`; the bridge sent silence in every tick."""
    sound = frames(len(arrivals_ms), audio_format)
    records: list[Record] = [Link(0, "opened")]
    events: list[tuple[float, list[Record]]] = [
        (n * 20.0, [Tick(n, n * TICK_NS), Frame("mix", b"")]) for n in range(1, ticks)
    ]
    events += [
        (ms, [Media(round(ms * 1e6), "call", "inbound", encode(frame, audio_format))])
        for ms, frame in zip(arrivals_ms, sound, strict=True)
    ]
    for _, some in sorted(events, key=lambda event: event[0]):
        records += some
    return capture(records, "call", audio_format)


def test_a_jittered_phone_is_laid_without_gaps() -> None:
    jitter = [0, 3, 45, 45, 45, 2, 0, 7, 30, 30, 30, 1, 0, 0, 19]
    arrivals, last = [], 0.0
    for number, late in enumerate(jitter):
        last = max(last, 35.0 + 20 * number + late)
        arrivals.append(last)
    found = beats(phone(arrivals))
    sounding = [at for at, beat in enumerate(found) if beat.sent]
    assert sounding == list(range(sounding[0], sounding[0] + 15))
    assert [beat.said.tobytes() for beat in found if beat.sent] == [frame.tobytes() for frame in frames(15)]
    assert all(later.at_ns - sooner.at_ns == TICK_NS for sooner, later in zip(found, found[1:], strict=False))


def test_an_interruption_of_the_phone_stays_one() -> None:
    arrivals = [35.0 + 20 * n for n in range(10)] + [35.0 + 20 * n + 400 for n in range(10, 20)]
    found = beats(phone(arrivals))
    gone = [at for at, beat in enumerate(found) if not beat.sent]
    sounding = [at for at, beat in enumerate(found) if beat.sent]
    assert len(sounding) == 20
    inside = [at for at in gone if sounding[0] < at < sounding[-1]]
    assert inside == list(range(sounding[9] + 1, sounding[9] + 21))


def test_what_the_bridge_sent_is_never_dry_at_the_phone() -> None:
    events = list(course(phone([35.0 + 20 * n for n in range(40)], ULAW_8K)))
    assert isinstance(events[0], Link)
    waiting, lowest = 0, 1
    for event in events[1:]:
        if isinstance(event, Came):
            assert json.loads(event.message)["media"]["contentType"] == "audio/x-mulaw"
            waiting += 1
        elif isinstance(event, Beat) and waiting:
            waiting -= 1
            lowest = min(lowest, waiting)
    assert lowest == 0 and waiting <= 1
