from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K
from bridge.harness.faults import MAX_MOMENTS, FaultyLine
from bridge.harness.line import LineOrders, MessageKind
from bridge.harness.malformed import malformed
from bridge.harness.plivo_caller import new_call
from bridge.harness.scenario_faults import (
    MALFORMED,
    Fault,
    Jitter,
    LateStart,
    Loss,
    Malformed,
    OtherCodec,
    Redial,
    Reordering,
    SlowReading,
)
from bridge.harness.sound import decode
from bridge.legs.plivo_call_wire import CallWriter
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.unit

CALL = new_call(L16_16K)
FRAME = np.arange(320, dtype=np.int16)


class Drive:
    """A line fed as a call feeds it: each 20 ms a frame; what comes out is kept with its tick."""

    def __init__(self, faults: Sequence[Fault], seed: str = "1") -> None:
        self.line = FaultyLine(faults, L16_16K, seed)
        self.writer = CallWriter(CALL)
        self.line.put("start", self.writer.start())
        self.out: list[tuple[int, bytes, bool]] = []
        self.orders: list[LineOrders] = []

    def ticks(self, count: int, also: Sequence[tuple[int, MessageKind, bytes]] = ()) -> Drive:
        for _ in range(count):
            tick = len(self.orders)
            payload = self.line.payload("inbound", FRAME)
            self.line.put("media", self.writer.media("inbound", payload, 20 * tick))
            for at, kind, message in also:
                if at == tick:
                    self.line.put(kind, message)
            orders = self.line.tick()
            self.orders.append(orders)
            self.out += [(tick, one.payload, one.binary) for one in orders.messages]
        return self

    def redial(self) -> None:
        self.writer = CallWriter(CALL)
        self.line.put("start", self.writer.start())

    @property
    def events(self) -> list[str]:
        return [json.loads(payload)["event"] for _, payload, _ in self.out]

    @property
    def chunks(self) -> list[int]:
        found = [json.loads(payload) for _, payload, _ in self.out]
        return [message["media"]["chunk"] for message in found if message["event"] == "media"]


def test_a_line_without_faults_passes_everything_on_at_once() -> None:
    drive = Drive([]).ticks(50)
    assert drive.events == ["start", *["media"] * 50]
    assert drive.chunks == list(range(1, 51))
    assert [tick for tick, _, _ in drive.out] == [0, *range(50)]
    assert all(not o.drops and not o.redials and o.reads is None for o in drive.orders)
    assert drive.line.moments == []


ALL = [
    Jitter(up_to_ms=100),
    Loss(chance=0.1, burst=2),
    Reordering(chance=0.1, by=3),
    Malformed(chance=0.1, kinds=("not_json", "no_payload", "cut_short")),
    Redial(at_ms=3000, after_ms=100),
]


def test_one_seed_gives_the_same_line_and_another_seed_another() -> None:
    assert Drive(ALL, "a").ticks(200).out == Drive(ALL, "a").ticks(200).out
    assert Drive(ALL, "a").ticks(200).out != Drive(ALL, "b").ticks(200).out


def test_one_more_fault_leaves_the_others_as_they_were() -> None:
    alone = Drive([Loss(chance=0.1)]).ticks(200)
    both = Drive([Jitter(up_to_ms=80), Loss(chance=0.1)]).ticks(210)
    assert alone.chunks == [chunk for chunk in both.chunks if chunk <= 200][: len(alone.chunks)]


def test_jitter_holds_messages_up_and_none_overtakes() -> None:
    drive = Drive([Jitter(up_to_ms=100, from_ms=1000, to_ms=3000)]).ticks(250)
    assert drive.chunks == list(range(1, 251))
    late = [tick + 1 - chunk for (tick, _, _), chunk in zip(drive.out[1:], drive.chunks, strict=True)]
    assert set(late[:50]) == {0}
    assert 3 <= max(late[50:150]) <= 5
    assert set(late[160:]) == {0}
    assert [moment.at_ms for moment in drive.line.moments] == [1000]


def test_lost_frames_leave_holes_in_the_numbers() -> None:
    drive = Drive([Loss(chance=0.05, burst=3)]).ticks(1000)
    gaps = np.diff(drive.chunks)
    assert set(gaps) <= {1, 4, 7, 10}
    assert 0.05 < 1 - len(drive.chunks) / 1000 < 0.25
    assert drive.line.counts["loss"] >= 1000 - len(drive.chunks) - 2
    assert Drive([Loss(chance=1)]).ticks(50).chunks == []


def test_reordered_frames_come_after_those_that_overtake_them() -> None:
    chunks = Drive([Reordering(chance=0.1, by=2)]).ticks(500).chunks
    assert len(set(chunks)) == len(chunks) > 495
    assert set(chunks) <= set(range(1, 501))
    late = [at - chunk for at, chunk in enumerate(chunks, 1)]
    assert max(late) >= 2
    assert 20 < sum(a > b for a, b in zip(chunks, chunks[1:], strict=False)) < 120
    held = Drive([Reordering(chance=1, by=50)]).ticks(500)
    assert len(held.chunks) > 300  # not for ever


def test_a_late_start_loses_what_was_said_before_it_or_comes_after_it() -> None:
    drive = Drive([LateStart(by_ms=200)]).ticks(20)
    assert drive.out[0][0] == 10
    assert drive.events == ["start", *["media"] * 10]
    assert drive.chunks[0] == 11
    first = Drive([LateStart(by_ms=200, media_first=True)]).ticks(20)
    assert first.events == [*["media"] * 10, "start", *["media"] * 10]
    assert first.chunks == list(range(1, 21))


def test_what_overtakes_a_late_start_keeps_its_order() -> None:
    line = FaultyLine([LateStart(by_ms=60, media_first=True)], L16_16K)
    writer = CallWriter(replace(CALL, tracks=("inbound", "outbound")))
    line.put("start", writer.start())
    sent = []
    for tick in range(5):
        for track in ("inbound", "outbound"):
            line.put("media", writer.media(track, bytes(640), 20 * tick))
        sent += [json.loads(outgoing.payload) for outgoing in line.tick().messages]
    assert [message["event"] for message in sent] == ["media"] * 6 + ["start"] + ["media"] * 4
    tracks = [message["media"]["track"] for message in sent if message["event"] == "media"]
    assert tracks == ["inbound", "outbound"] * 5


def test_other_messages_wait_for_a_late_start() -> None:
    drive = Drive([LateStart(by_ms=200)])
    drive.ticks(20, also=[(2, "dtmf", drive.writer.dtmf("inbound", "1", 0))])
    assert drive.events[:2] == ["start", "dtmf"]


def test_a_redial_drops_and_begins_anew() -> None:
    drive = Drive([Redial(at_ms=1000, after_ms=300), Jitter(up_to_ms=60)]).ticks(80)
    assert [tick for tick, orders in enumerate(drive.orders) if orders.drops] == [50]
    assert [tick for tick, orders in enumerate(drive.orders) if orders.redials] == [65]
    assert not [tick for tick, _, _ in drive.out if tick > 50]  # nothing goes out until it is back
    drive.redial()
    before = len(drive.out)
    drive.ticks(20)
    assert drive.events[before] == "start"
    assert drive.chunks[-1] > 10


def test_slow_reading_orders_a_pace() -> None:
    drive = Drive([SlowReading(messages_per_s=5, from_ms=1000, to_ms=2000)]).ticks(150)
    reads = [orders.reads for orders in drive.orders]
    assert reads[:50] == [None] * 50
    assert reads[50:100] == [pytest.approx(0.1)] * 50
    assert reads[100:] == [None] * 50


@pytest.mark.parametrize(("sent", "audio_format"), [("mulaw-8k", ULAW_8K), ("l16-8k", L16_8K)])
def test_another_codec_is_sent_than_announced(sent: str, audio_format: object) -> None:
    line = FaultyLine([OtherCodec(sent=sent, from_ms=100)], L16_16K)
    sound = tone(440, 1.1, 16_000).astype(np.int16).reshape(-1, 320)
    payloads = []
    for frame in sound:
        payloads.append(line.payload("inbound", frame))
        line.tick()
    assert {len(payload) for payload in payloads[:5]} == {640}
    assert {len(payload) for payload in payloads[5:]} == {160 if sent == "mulaw-8k" else 320}
    heard = decode(b"".join(payloads[6:]), audio_format)  # type: ignore[arg-type]
    assert level_of(heard[:8000], 8000, 440) == pytest.approx(8000, rel=0.02)


def test_malformed_messages_come_between_the_others() -> None:
    drive = Drive([Malformed(chance=0.2, kinds=("no_payload",))]).ticks(200)
    assert 20 < drive.events.count("media") - 200 < 60
    assert drive.events[0] == "start"
    assert len(drive.line.moments) == drive.line.counts["malformed"] == drive.events.count("media") - 200


@pytest.mark.parametrize("kind", MALFORMED)
def test_each_kind_of_malformed_message_is_wrong_in_its_own_way(kind: str) -> None:
    usual = CallWriter(CALL).media("inbound", FRAME.tobytes(), 0)
    made = malformed(kind, usual)
    assert made.payload != usual or made.binary
    assert made.binary == (kind == "binary")
    malformed(kind, b"{}")  # before anything was sent
    if kind in ("not_json", "cut_short"):
        with pytest.raises(json.JSONDecodeError):
            json.loads(made.payload)
    elif kind == "not_utf8":
        with pytest.raises(UnicodeDecodeError):
            made.payload.decode()
    else:
        assert isinstance(json.loads(made.payload), dict)


def test_what_goes_wrong_is_told_within_bounds() -> None:
    drive = Drive([Loss(chance=1)]).ticks(MAX_MOMENTS + 100)
    assert len(drive.line.moments) == MAX_MOMENTS
    assert drive.line.counts["loss"] == MAX_MOMENTS + 100
    told = []
    drive = Drive([Jitter(up_to_ms=60)])
    drive.line.on_moment = told.append
    drive.ticks(5)
    assert [(m.kind, m.text) for m in told] == [("fault", "messages are held up for up to 60ms")]
