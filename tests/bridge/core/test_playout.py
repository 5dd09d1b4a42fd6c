from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.intake import PlayoutPool, PlayoutSettings
from bridge.core.ports import L16_8K, L16_16K, OPUS, ULAW_8K, AudioFormat
from mediacodecs.g711 import ulaw_decode, ulaw_encode
from tests.kit.netem import Netem
from tests.kit.pools import START, Heard, frames, play_raw, wire
from tests.kit.tones import click_score, find_tones, speech_like, tone

pytestmark = pytest.mark.unit

RAW = [L16_8K, L16_16K, ULAW_8K]


def pool(audio_format: AudioFormat = L16_8K, **choices: float) -> PlayoutPool:
    return PlayoutPool(audio_format, PlayoutSettings(**choices))  # type: ignore[arg-type]


def ramp(samples: int) -> np.ndarray:
    """Every sample tells its place (for 30,000 of them)."""
    return np.arange(1_000, 1_000 + samples, dtype=np.int16)


def test_opus_is_not_raw_audio() -> None:
    with pytest.raises(ValueError):
        PlayoutPool(OPUS, PlayoutSettings())


@pytest.mark.parametrize("choices", [{"margin_ms": 20}, {"max_depth_ms": 600}, {"ring_packets": 1}])
def test_settings_that_cannot_work_are_refused(choices: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        PlayoutSettings(**choices)  # type: ignore[arg-type]


@pytest.mark.parametrize("audio_format", RAW)
@pytest.mark.parametrize("phase_ms", [3.5, 10, 19.5])
def test_a_steady_stream_waits_for_the_next_tick_and_no_longer(
    audio_format: AudioFormat, phase_ms: float
) -> None:
    sound = ramp(audio_format.rate_hz)
    heard = play_raw(
        frames(sound, audio_format), audio_format, 1.5, pool=pool(audio_format), phase_s=phase_ms / 1000
    )
    # The first frame arrives at 20 ms; the tick after it comes `phase_ms` later and takes all of it.
    begin = audio_format.frame_samples
    expected = ulaw_decode(ulaw_encode(sound)) if audio_format is ULAW_8K else sound
    assert np.array_equal(heard.sound[begin : begin + len(sound)], expected)
    assert not heard.sound[:begin].any()
    assert heard.end.frames_in == 50 and heard.end.dropped == heard.end.corrected == 0
    assert not heard.depths_ms[:50].any()


def test_audio_that_comes_too_close_to_the_tick_waits_one_more() -> None:
    sound = ramp(8_000)
    heard = play_raw(frames(sound, L16_8K), L16_8K, 1.5, pool=pool(), phase_s=0.001)
    assert np.array_equal(heard.sound[320 : 320 + len(sound)], sound)
    assert heard.looks[50].concealed == 0


@pytest.mark.parametrize("ms", [5, 10, 30, 60, 100, 500])
def test_frames_of_any_length_play_without_a_gap(ms: int) -> None:
    sound = tone(440, 12, 8_000)
    heard = play_raw(frames(sound, L16_8K, ms=ms), L16_8K, 12, pool=pool())
    begin = heard.first_sound_s() + 0.01
    assert begin <= ms / 1000 + 0.045
    assert heard.end.concealed == 0
    assert click_score(heard.between(begin, 11.9), 8_000, 440) < 0.3


def test_sound_is_played_in_full_with_60_ms_of_jitter() -> None:
    sent = Netem(1, jitter_s=0.06, in_order=True).schedule(frames(tone(440, 60, 8_000), L16_8K))
    heard = play_raw(sent, L16_8K, 60, pool=pool())
    assert heard.end.concealed <= 3
    assert heard.end.jitter_ms == pytest.approx(55, abs=8)
    tones = find_tones(heard.between(5, 59), 8_000)
    assert next(iter(tones.items())) == (440, pytest.approx(8_000, rel=0.01))
    assert heard.depths_ms[500:].mean() < 60


def test_jitter_and_loss_for_a_minute_do_not_make_the_delay_grow() -> None:
    # 20 ms of 1 kHz are whole periods: what is lost leaves the phase alone.
    sent = Netem(2, jitter_s=0.06, loss=0.05, in_order=True).schedule(frames(tone(1_000, 60, 8_000), L16_8K))
    lost = 3_000 - len(sent)
    heard = play_raw(sent, L16_8K, 60, pool=pool())
    by_ten_seconds = heard.depths_ms.reshape(6, -1).mean(axis=1)
    assert by_ten_seconds.max() < 60
    assert by_ten_seconds[5] < by_ten_seconds[1] + 15
    assert 0.5 * lost < heard.end.concealed + heard.end.corrected < 1.5 * lost
    assert np.median(heard.levels(5, 60)) == pytest.approx(8_000, rel=0.05)
    assert np.percentile(heard.levels(5, 60), 5) > 4_000


def test_the_delay_shrinks_again_after_a_spell_of_jitter() -> None:
    sent = frames(tone(440, 40, 16_000), L16_16K)
    sent[100:600] = Netem(4, jitter_s=0.1, in_order=True).schedule(sent[100:600])
    heard = play_raw(sent, L16_16K, 39, pool=pool(L16_16K))
    during, after = heard.depths_ms[300:600].mean(), heard.depths_ms[1_200:].mean()
    assert during > 30
    assert after < 6
    assert heard.end.dropped == 0 and heard.end.corrected > 3
    assert click_score(heard.between(13, 38.9), 16_000, 440) < 0.3


def test_the_delay_shrinks_at_once_in_silence() -> None:
    quiet = np.random.default_rng(1).integers(-50, 50, 8_000 * 20)
    sent = frames(quiet, L16_8K)
    # Everybody waits for 150 ms once, then everything comes.
    sent[200:207] = [(START + 208 * 0.02 - 0.011, payload) for _, payload in sent[200:207]]
    heard = play_raw(sent, L16_8K, 19, pool=pool())
    assert heard.depths_ms[210] > 40
    assert heard.depths_ms[460:].max() < 6


@pytest.mark.parametrize("ppm", [-300, 300])
@pytest.mark.parametrize("audio_format", RAW)
def test_a_clock_that_drifts_is_followed_without_clicks(audio_format: AudioFormat, ppm: int) -> None:
    rate, seconds = audio_format.rate_hz, 180 if audio_format is L16_8K else 60
    sent = frames(tone(440, seconds, rate), audio_format, ppm=ppm)
    heard = play_raw(sent, audio_format, seconds - 1, pool=pool(audio_format))
    assert heard.depths_ms.max() < 45
    assert heard.end.dropped == 0
    assert heard.end.concealed == 0
    assert heard.end.corrected >= 2
    # The noise of µ-law itself scores about 1.
    assert click_score(heard.between(0.1, seconds - 1.1), rate, 440) < (
        1.5 if audio_format is ULAW_8K else 0.3
    )


def test_voices_are_spliced_too() -> None:
    voice = speech_like(60, 16_000, seed=3)
    heard = play_raw(frames(voice, L16_16K, ppm=-500), L16_16K, 59, pool=pool(L16_16K))
    assert heard.depths_ms.max() < 45 and heard.end.corrected >= 1 and heard.end.concealed == 0


def test_a_missing_frame_sounds_like_the_one_before() -> None:
    sent = frames(tone(440, 2, 8_000), L16_8K)
    del sent[50]
    heard = play_raw(sent, L16_8K, 1.9, pool=pool())
    assert heard.end.concealed == 1
    around = heard.levels(0.96, 1.1, 0.02)
    assert around.min() > 5_500
    # No worse than a fade of 5 ms, where the phase of the real sound is caught again.
    assert click_score(heard.between(0.1, 1.85), 8_000, 440) < 2


def test_the_sound_dies_away_when_nothing_comes_and_silence_is_not_counted_as_loss() -> None:
    sent = frames(tone(440, 1, 8_000), L16_8K)
    heard = play_raw(sent, L16_8K, 30, pool=pool())
    last = 1.02
    assert heard.levels(last, last + 0.02, 0.02)[0] > 4_000
    assert heard.levels(last + 0.02, last + 0.06, 0.04)[0] < 6_000
    assert not heard.between(last + 0.065, 30).any()
    assert heard.end.concealed == 3
    assert not any(heard.sounding[60:])
    assert click_score(heard.between(0.1, 1.2), 8_000, 440) < 1.5


def test_a_stream_that_ends_in_silence_conceals_nothing() -> None:
    sent = frames(np.zeros(8_000), L16_8K)
    heard = play_raw(sent, L16_8K, 5, pool=pool())
    assert heard.end.concealed == 0 and not any(heard.sounding)


def test_talk_spurts_start_with_the_next_tick_each_time() -> None:
    sent: list[tuple[float, bytes]] = []
    for spurt in range(5):
        sent += frames(tone(440, 0.5, 8_000), L16_8K, start=START + 2 * spurt)
    heard = play_raw(sent, L16_8K, 10, pool=pool())
    for spurt in range(5):
        begin = 2.0 * spurt + 0.02
        assert np.flatnonzero(heard.between(begin, begin + 0.5))[0] <= 8
        assert heard.levels(begin + 0.02, begin + 0.48).min() > 7_900
        assert not heard.between(begin + 0.58, 2.0 * spurt + 2).any()
    assert heard.end.jitter_ms < 1


def test_what_returns_after_a_gap_fades_in() -> None:
    sent = frames(tone(440, 3, 8_000), L16_8K)
    heard = play_raw(sent[:50] + sent[100:], L16_8K, 3, pool=pool())
    assert click_score(heard.between(1.5, 2.9), 8_000, 440) < 1.5


def test_after_a_stall_only_the_newest_part_is_played() -> None:
    sent = frames(tone(440, 10, 8_000), L16_8K)
    burst_at = START + 3.0
    sent = [(burst_at if 100 <= index < 150 else at, payload) for index, (at, payload) in enumerate(sent)]
    heard = play_raw(sent, L16_8K, 9.9, pool=pool())
    assert heard.depths_ms[150:160].max() <= 240
    assert 30 <= heard.end.dropped <= 45
    assert heard.depths_ms[-50:].mean() < 70
    assert heard.levels(3.1, 9.8).min() > 7_000


def test_a_burst_of_a_second_in_one_piece_is_played() -> None:
    heard = play_raw([(START + 0.5, wire(ramp(8_000), L16_8K))], L16_8K, 3, pool=pool())
    begin = 25 * 160
    assert np.array_equal(heard.sound[begin : begin + 8_000], ramp(8_000))
    assert heard.end.dropped == 0


def test_the_oldest_goes_when_the_ring_is_full() -> None:
    made = pool()
    row = made.open()
    made.push(row, wire(ramp(16_000), L16_8K), START)
    assert made.look(row).depth_ms == 1_000
    assert made.look(row).dropped == 50
    made.push(row, wire(ramp(80), L16_8K), START)
    assert made.look(row).dropped == 51
    made.take(START + 0.01)
    assert made.block[row, 0] == 1_000 + 8_000 + 80


def test_a_sender_in_a_hurry_cannot_make_the_delay_grow_without_bound() -> None:
    sent = frames(tone(1_000, 24, 8_000), L16_8K)
    # Twice as fast as it should be for six seconds, then as it should.
    sent = [(START + min((at - START) / 2, at - START - 6), payload) for at, payload in sent]
    heard = play_raw(sent, L16_8K, 17.5, pool=pool())
    assert heard.depths_ms.max() <= 1_000
    assert heard.end.dropped > 0
    assert heard.depths_ms[-50:].max() < 60


def test_an_odd_byte_is_dropped_and_counted() -> None:
    made = pool()
    row = made.open()
    made.push(row, wire(ramp(160), L16_8K) + b"\x01", START)
    made.push(row, b"\x01", START)
    made.push(row, b"", START)
    assert made.look(row).depth_ms == 20
    assert made.look(row).dropped == 1
    made.take(START + 0.01)
    assert np.array_equal(made.block[row], ramp(160))


def test_a_scrap_is_played_though_nothing_follows() -> None:
    heard = play_raw([(START + 0.02, wire(ramp(40), L16_8K))], L16_8K, 0.5, pool=pool())
    begin = np.flatnonzero(heard.sound)[0]
    assert np.array_equal(heard.sound[begin : begin + 40], ramp(40))
    assert 0.04 <= begin / 8_000 <= 0.1


def test_a_view_of_any_kind_can_be_pushed() -> None:
    made = pool()
    row = made.open()
    made.push(row, memoryview(ramp(160)), START)
    made.take(START + 0.01)
    assert np.array_equal(made.block[row], ramp(160))


def test_silence_on_the_wire_does_not_sound() -> None:
    for audio_format in RAW:
        heard = play_raw(frames(np.full(8_000, 4), audio_format), audio_format, 1, pool=pool(audio_format))
        assert not any(heard.sounding)


def test_nobody_hearing_a_row_does_not_stop_its_time() -> None:
    made = pool()
    row = made.open()
    sent = frames(tone(440, 4, 8_000), L16_8K)
    blocks = []
    for tick in range(199):
        now = START + 0.01 + tick * 0.02
        if tick:
            made.push(row, sent[tick - 1][1], sent[tick - 1][0])
        made.wanted[row] = not 50 <= tick < 100
        made.take(now)
        assert made.sounding[row] == (tick > 0 and bool(made.wanted[row]))
        blocks.append(made.block[row].copy())
    heard = Heard(8_000, np.concatenate(blocks))
    assert not heard.between(1, 2).any()
    exact = tone(440, 4, 8_000).astype(np.int16)
    assert np.array_equal(heard.between(2.02, 3.98), exact[2 * 8_000 : round(3.96 * 8_000)])
    # It fades in where it is heard again.
    assert click_score(heard.between(1.5, 3.9), 8_000, 440) < 1.2


def test_rows_come_and_go_without_touching_each_other() -> None:
    made = pool()
    rows = [made.open() for _ in range(20)]
    assert rows == list(range(20)) and made.block.shape[0] >= 20
    for row in rows:
        made.push(row, wire(np.full(160, 1_000 + row), L16_8K), START)
    made.close(3)
    made.take(START + 0.01)
    for row in rows:
        assert (made.block[row] == (0 if row == 3 else 1_000 + row)).all()
    assert made.open() == 3
    assert made.look(3) == type(made.look(3))()
    made.take(START + 0.03)
    assert not made.sounding[3]


def test_growing_keeps_what_is_there() -> None:
    made = pool()
    first = made.open()
    made.push(first, wire(ramp(480), L16_8K), START)
    made.take(START + 0.01)
    for _ in range(40):
        made.open()
    made.take(START + 0.03)
    assert np.array_equal(made.block[first], ramp(480)[160:320])


def test_many_rows_corrected_at_once_stay_within_the_limit_of_a_tick() -> None:
    made = PlayoutPool(L16_8K, PlayoutSettings(corrections_per_tick=3))
    rows = [made.open() for _ in range(30)]
    payload = wire(tone(400, 0.02, 8_000), L16_8K)
    before, most = 0, 0
    for tick in range(200):
        now = START + 0.01 + tick * 0.02
        for row in rows:
            made.push(row, payload * (4 if tick == 0 else 1), now - 0.01)
        made.take(now)
        after = sum(made.look(row).corrected for row in rows)
        most, before = max(most, after - before), after
    assert 0 < most <= 3
    assert max(made.look(row).depth_ms for row in rows) < 60


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.binary(max_size=3_000), st.floats(0, 0.3), st.integers(0, 5)), min_size=1, max_size=60
    ),
    st.sampled_from(RAW),
)
def test_no_bytes_at_no_time_can_break_it(
    pushes: list[tuple[bytes, float, int]], audio_format: AudioFormat
) -> None:
    made = pool(audio_format)
    rows = [made.open(), made.open()]
    now = START
    for payload, pause_s, ticks in pushes:
        now += pause_s
        made.push(rows[len(payload) % 2], payload, now)
        for _ in range(ticks):
            made.take(now)
    for row in rows:
        assert np.isfinite(made.block[row]).all() and np.abs(made.block[row]).max() <= 32_768
        assert 0 <= made.look(row).depth_ms <= 1_000
