"""Opus packets of a live input: in time, in order, from whatever stream they come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.intake import OpusPool, PlayoutSettings
from mediacodecs.opus import OpusEncoder, OpusSettings
from tests.kit.netem import Netem
from tests.kit.pools import START, decoded, opus_pool, packets, play_packets
from tests.kit.tones import click_score, find_tones, speech_like, tone

pytestmark = pytest.mark.unit

VOICE = OpusSettings(application="voip", bitrate=32_000)


def test_rates_that_opus_has_not_are_refused() -> None:
    with pytest.raises(ValueError):
        OpusPool(44_100, PlayoutSettings())


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("phase_ms", [3.5, 10, 19.5])
def test_a_steady_stream_waits_for_the_next_tick_and_no_longer(rate_hz: int, phase_ms: float) -> None:
    sent = packets(speech_like(1, 48_000), VOICE)
    heard = play_packets(sent, 1.2, pool=opus_pool(rate_hz), phase_s=phase_ms / 1000)
    exact = decoded(sent, rate_hz)
    begin = rate_hz // 50
    there = np.abs(exact.reshape(50, -1)).max(axis=1) > 8
    frames = heard.sound[begin : begin + len(exact)].reshape(50, -1)
    assert np.array_equal(frames[there], exact.reshape(50, -1)[there])
    assert not frames[~there].any()
    assert heard.looks[50].concealed == heard.looks[50].lost == 0
    assert not heard.depths_ms.any()


@pytest.mark.parametrize("ms", [10, 40, 60])
def test_packets_of_other_durations_play_without_a_gap(ms: int) -> None:
    sent = packets(tone(440, 6, 48_000), ms=ms)
    heard = play_packets(sent, 5.9, pool=opus_pool())
    assert heard.end.concealed == 0 and heard.end.frames_in >= 5_800 // ms
    assert heard.depths_ms.max() <= 2 * ms
    exact = decoded(sent)
    begin = round((heard.first_sound_s(0) * 48_000) // 960 * 960)
    played = heard.sound[begin + 960 :]
    assert np.array_equal(played, exact[960 : 960 + len(played)])


def test_packets_of_2_5_ms_play_without_a_gap() -> None:
    encoder = OpusEncoder(48_000, OpusSettings())
    sound = tone(440, 2, 48_000).astype(np.int16)
    sent = [
        (START + (at + 120) / 48_000, (encoder.encode(sound[at : at + 120]), at // 120, at))
        for at in range(0, len(sound), 120)
    ]
    heard = play_packets(sent, 1.9, pool=opus_pool())
    assert heard.end.concealed == heard.end.lost == 0
    assert np.median(heard.levels(0.2, 1.9)) == pytest.approx(8_000, rel=0.03)


def test_numbers_and_timestamps_may_wrap() -> None:
    sent = packets(tone(440, 4, 48_000), number=65_500, timestamp=2**32 - 48_000)
    heard = play_packets(sent, 4, pool=opus_pool())
    assert heard.end.lost == heard.end.concealed == heard.end.dropped == 0
    assert heard.end.frames_in == 199
    assert heard.levels(0.1, 3.9).min() > 7_900


def test_packets_that_come_doubled_are_played_once() -> None:
    sent = packets(tone(440, 4, 48_000))
    heard = play_packets(Netem(1, duplication=0.5).schedule(sent), 3.9, pool=opus_pool())
    assert 60 < heard.end.dropped < 140
    assert heard.end.concealed == 0 and not heard.depths_ms.any() and heard.end.corrected == 0


def test_a_packet_out_of_order_is_played_in_its_place_when_the_buffer_holds_it() -> None:
    sent = packets(tone(440, 4, 48_000))
    late = [(at + 0.045 if 5 <= index < 8 else at, packet) for index, (at, packet) in enumerate(sent)]
    for index in range(20, 180, 9):
        (first, one), (second, other) = late[index], late[index + 1]
        late[index], late[index + 1] = (first, other), (second, one)
    heard = play_packets(late, 3.5, pool=opus_pool())
    assert heard.looks[-1].lost == heard.looks[15].lost
    assert heard.levels(0.5, 3.4).min() > 7_900


def test_another_stream_takes_over_after_two_packets() -> None:
    first = packets(tone(440, 2, 48_000), number=1_000, timestamp=7)
    second = packets(tone(1_500, 2, 48_000), number=30_000, timestamp=2**31 + 5, start=START + 2)
    heard = play_packets(first + second, 4, pool=opus_pool())
    assert 1_500 in find_tones(heard.between(2.3, 3.9), 48_000)
    assert heard.levels(2.2, 3.9).min() > 7_500
    assert heard.end.dropped == 1 and heard.end.lost == 0
    assert heard.depths_ms[-1] == 0


def test_a_lone_strange_packet_changes_nothing() -> None:
    sent = packets(tone(440, 2, 48_000))
    stray = (START + 1.005, (sent[0][1][0], 40_000, 123))
    heard = play_packets([*sent, stray], 1.9, pool=opus_pool())
    assert heard.end.dropped == 1 and heard.end.concealed == 0
    assert heard.levels(0.2, 1.9).min() > 7_900


def test_a_timestamp_that_leaps_begins_a_new_stream() -> None:
    sent = packets(tone(440, 1, 48_000))
    leapt = packets(tone(440, 2, 48_000), number=1_050, timestamp=10**9, start=START + 1)
    back = packets(tone(440, 2, 48_000), number=1_150, timestamp=500, start=START + 3)
    heard = play_packets(sent + leapt + back, 4.9, pool=opus_pool())
    assert heard.end.dropped == heard.end.lost == 0
    for begin in (0.1, 1.1, 3.1):
        assert heard.levels(begin, begin + 0.8).min() > 7_500


def test_after_a_stall_only_the_newest_part_is_played() -> None:
    sent = packets(tone(440, 8, 48_000))
    stalled = [(START + 3 if 100 <= index < 149 else at, one) for index, (at, one) in enumerate(sent)]
    heard = play_packets(stalled, 7.9, pool=opus_pool())
    assert heard.depths_ms[150:160].max() <= 240
    assert heard.end.dropped >= 30
    assert heard.depths_ms[-50:].mean() < 70


def test_the_ring_is_bounded() -> None:
    made = opus_pool()
    row = made.open()
    sent = packets(tone(440, 4, 48_000))
    for _, packet in sent[:20]:
        made.push(row, *packet, START)
    made.take(START + 0.01)
    for _, packet in sent[20:]:
        made.push(row, *packet, START + 0.011)
    assert made.look(row).depth_ms <= 64 * 20
    assert made.look(row).dropped >= 199 - 64 - 20
    made.take(START + 0.03)
    assert made.sounding[row]


@pytest.mark.parametrize("from_start", [True, False])
def test_nobody_hearing_a_row_does_not_stop_its_time(from_start: bool) -> None:
    sent = packets(tone(440, 4, 48_000))
    begin = 0 if from_start else 50
    heard = play_packets(sent, 3.9, pool=opus_pool(), wanted=lambda tick: not begin <= tick < 100)
    assert heard.sounding[2:begin].count(False) == 0 and not any(heard.sounding[begin:100])
    assert heard.levels(2.15, 3.9).min() > 7_900
    exact = decoded(sent)
    # The same sound at the same time as if it had been heard all along, but for the coder's own memory.
    wrong = heard.between(2.2, 3.9) - exact[round(2.18 * 48_000) : round(3.88 * 48_000)]
    assert np.abs(wrong).max() < 400
    assert click_score(heard.between(1.9, 3.8), 48_000, 440) < 1.5
    assert heard.end.concealed == heard.end.lost == 0


def test_unheard_rows_are_not_decoded() -> None:
    made = opus_pool()
    row = made.open()
    made.wanted[row] = False

    def never(payload: bytes, out: np.ndarray) -> int:
        raise AssertionError("decoded for nobody")

    made._state.voice(row).decoder.decode_into = never  # type: ignore[method-assign,assignment]
    for ms in (20, 60, 10):
        for at, packet in packets(tone(440, 1, 48_000), ms=ms, number=ms * 500, timestamp=ms * 10**7):
            made.push(row, *packet, at)
            made.take(at + 0.01)
    assert made.look(row).depth_ms < 250


@pytest.mark.parametrize("garbage", [b"", b"\x03", b"\x03\x00", bytes(5_000), b"\xff\xff" * 20])
def test_a_packet_that_is_none_is_dropped_and_counted(garbage: bytes) -> None:
    sent = packets(tone(440, 1, 48_000))
    heard = play_packets([*sent, (START + 0.505, (garbage, 1_026, 0))], 0.95, pool=opus_pool())
    assert heard.end.dropped == 1
    assert heard.levels(0.2, 0.95).min() > 7_900


def test_a_packet_with_a_corrupt_inside_is_bridged() -> None:
    sent = packets(tone(440, 2, 48_000))
    at, (payload, number, timestamp) = sent[50]
    # A code 1 packet: two frames that are shorter than they say.
    sent[50] = (at, (bytes([payload[0] & 0xFC | 1]) + payload[1:], number, timestamp))
    heard = play_packets(sent, 1.9, pool=opus_pool())
    assert heard.end.frames_in + heard.end.dropped >= 94
    assert heard.levels(1.2, 1.9).min() > 7_500


def test_rows_come_and_go_without_touching_each_other() -> None:
    made = opus_pool()
    tones = [400 + 100 * index for index in range(12)]
    rows = [made.open() for _ in tones]
    streams = [packets(tone(hertz, 1, 48_000)) for hertz in tones]
    blocks = []
    for index in range(50):
        now = START + index * 0.02
        if index == 10:
            made.close(rows[4])
            assert not made.sounding[rows[4]] and not made.block[rows[4]].any()
        for row, stream in zip(rows, streams, strict=True):
            if index < 10 or row != rows[4]:
                made.push(row, *stream[index][1], now)
        made.take(now + 0.01)
        blocks.append(made.block.copy())
    for row, hertz in zip(rows, tones, strict=True):
        sound = np.concatenate([block[row] for block in blocks[15:]])
        found = find_tones(sound, 48_000)
        assert (list(found)[:1] == [hertz]) == (row != rows[4])
    assert made.open() == rows[4]
    assert made.look(rows[4]).frames_in == 0


Push = st.tuples(
    st.one_of(st.binary(max_size=40), st.sampled_from([p[0] for _, p in packets(tone(440, 0.4, 48_000))])),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.booleans(),
    st.floats(0, 0.1),
    st.integers(0, 4),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(Push, min_size=1, max_size=60), st.sampled_from([8_000, 48_000]))
def test_no_packets_in_no_order_can_break_it(
    pushes: list[tuple[bytes, int, int, bool, float, int]], rate_hz: int
) -> None:
    made = opus_pool(rate_hz)
    row = made.open()
    now, number, timestamp = START, 0, 0
    for payload, any_number, any_timestamp, follows, pause_s, ticks in pushes:
        now += pause_s
        number = number + 1 if follows else any_number
        timestamp = timestamp + 960 if follows else any_timestamp
        made.push(row, payload, number & 0xFFFF, timestamp & 0xFFFFFFFF, now)
        made.wanted[row] = any_number % 3 > 0
        for _ in range(ticks):
            made.take(now)
            assert np.isfinite(made.block[row]).all() and np.abs(made.block[row]).max() <= 32_768
    look = made.look(row)
    assert 0 <= look.depth_ms < 12_000
    assert min(look.lost, look.dropped, look.concealed, look.recovered) >= 0
