"""The resampler: flat where speech is, deaf where images and aliases would be, the same in any chunks."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mediacodecs.resample import RATES_HZ, Resampler, resampler
from tests.kit.tones import chirp, level_of, tone

pytestmark = pytest.mark.unit

PAIRS = list(itertools.permutations(RATES_HZ, 2))
AMPLITUDE = 10_000.0


def _noise(rows: int, samples: int, seed: int = 0) -> NDArray[np.float32]:
    return np.asarray(np.random.default_rng(seed).normal(0, 3_000, (rows, samples)), dtype=np.float32)


def _all(change: Resampler, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    changed: NDArray[np.float32] = change.process(sound[None], change.history(1))[0]
    return changed


def _settled(change: Resampler, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The output without its first 20 ms, while the filter fills."""
    return _all(change, sound)[change.rate_out // 50 :]


def _decibels(ratio: float) -> float:
    return 20 * math.log10(max(ratio, 1e-12))


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_pass_band_is_flat(rate_in: int, rate_out: int) -> None:
    nyquist = min(rate_in, rate_out) / 2
    change = resampler(rate_in, rate_out)
    for share in (0.01, 0.075, 0.25, 0.5, 0.75, 0.825, 0.85):  # of Nyquist: up to 3.3 and 3.4 kHz at 8 kHz
        sound = _settled(change, tone(share * nyquist, 0.52, rate_in, AMPLITUDE))
        gain = _decibels(level_of(sound, rate_out, share * nyquist) / AMPLITUDE)
        assert abs(gain) < (0.02 if share <= 0.825 else 0.1), f"{share * nyquist} Hz: {gain} dB"


@pytest.mark.parametrize(("rate_in", "rate_out"), [pair for pair in PAIRS if pair[0] < pair[1]])
def test_images_are_78_db_down(rate_in: int, rate_out: int) -> None:
    change = resampler(rate_in, rate_out)
    for share in (0.1, 0.3, 0.6, 0.85, 0.92):
        pitch = share * rate_in / 2
        sound = _settled(change, tone(pitch, 0.52, rate_in, AMPLITUDE))
        for turn in range(1, rate_out // rate_in + 1):
            for image in (turn * rate_in - pitch, turn * rate_in + pitch):
                if image < rate_out / 2:
                    level = _decibels(level_of(sound, rate_out, image) / AMPLITUDE)
                    assert level < -78, f"{pitch} Hz sounds at {image} Hz: {level} dB"


@pytest.mark.parametrize(("rate_in", "rate_out"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_aliases_are_78_db_down(rate_in: int, rate_out: int) -> None:
    change = resampler(rate_in, rate_out)
    for pitch in np.linspace(1.075 * rate_out / 2, rate_in / 2 - 50, 23):
        sound = _settled(change, tone(float(pitch), 0.52, rate_in, AMPLITUDE))
        level = _decibels(float(np.abs(sound).max()) / AMPLITUDE)
        assert level < -78, f"{pitch} Hz folds back at {level} dB"


@pytest.mark.parametrize("taps", [16, 24, 32, 48, 64])
@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_delay_is_as_declared_at_every_frequency(rate_in: int, rate_out: int, taps: int) -> None:
    change = Resampler(rate_in, rate_out, taps)
    nyquist = min(rate_in, rate_out) / 2
    time = np.arange(rate_out // 2) / rate_out - change.delay_s
    for share in (0.02, 0.2, 0.5):
        sound = _settled(change, tone(share * nyquist, 0.5, rate_in, AMPLITUDE))
        expected = AMPLITUDE * np.sin(2 * np.pi * share * nyquist * time)[rate_out // 50 :]
        assert np.abs(sound - expected).max() < AMPLITUDE * 0.002


def test_default_delay_is_3_ms_at_telephone_rate() -> None:
    assert resampler(8_000, 48_000).delay_s == pytest.approx(0.00298, abs=1e-5)
    assert resampler(48_000, 8_000).delay_s == pytest.approx(0.00288, abs=1e-5)
    assert resampler(16_000, 48_000).delay_s == pytest.approx(0.00148, abs=1e-5)
    assert resampler(48_000, 16_000).delay_s == pytest.approx(0.00144, abs=1e-5)


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_sweep_comes_out_as_the_same_sweep_later(rate_in: int, rate_out: int) -> None:
    change = resampler(rate_in, rate_out)
    top = 0.8 * min(rate_in, rate_out) / 2
    # The ideal is the same sweep at a rate that has both, read at the moments that lie `delay_s` back.
    ideal = chirp(50, top, 2.0, 48_000, AMPLITUDE)
    lag = round(change.delay_s * 48_000)
    assert lag == pytest.approx(change.delay_s * 48_000)
    expected = np.concatenate((np.zeros(lag, np.float32), ideal))[: len(ideal) : 48_000 // rate_out]
    error = _all(change, chirp(50, top, 2.0, rate_in, AMPLITUDE)) - expected
    settled = slice(rate_out // 50, -(rate_out // 50))
    noise = np.sqrt((error[settled] ** 2).mean() / (AMPLITUDE**2 / 2))
    assert _decibels(float(noise)) < -70


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
@pytest.mark.parametrize("rows", [1, 3])
def test_frames_of_20_ms_make_the_same_as_one_long_call(rate_in: int, rate_out: int, rows: int) -> None:
    change = resampler(rate_in, rate_out)
    sound = _noise(rows, rate_in)
    frame = rate_in // 50
    history = change.history(rows)
    pieces = [change.process(sound[:, at : at + frame], history) for at in range(0, rate_in, frame)]
    whole = change.process(sound, change.history(rows))
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=0.01)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.sampled_from(PAIRS), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_chunks_of_any_blocks_make_the_same_as_one_call(
    chunks: list[int], pair: tuple[int, int], seed: int
) -> None:
    change = resampler(*pair)
    sound = _noise(2, sum(chunks) * change.block, seed)
    history, ends = change.history(2), np.cumsum(chunks) * change.block
    pieces = [
        change.process(sound[:, end - blocks * change.block : end], history)
        for blocks, end in zip(chunks, ends, strict=True)
    ]
    whole_history = change.history(2)
    whole = change.process(sound, whole_history)
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=0.01)
    assert np.array_equal(history, whole_history)


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_minute_of_frames_drifts_by_nothing(rate_in: int, rate_out: int) -> None:
    """A tone of whole periods a frame: once the filter is full every frame is exactly the same."""
    change = resampler(rate_in, rate_out)
    frame = tone(500, 0.02, rate_in, AMPLITUDE)[None]
    history = change.history(1)
    out = np.empty((1, rate_out // 50), np.float32)
    change.process(frame, history, out)
    steady = change.process(frame, history, out).copy()
    for _ in range(3_000):
        change.process(frame, history, out)
    assert np.array_equal(out, steady)


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_batch_equals_each_row_alone(rate_in: int, rate_out: int) -> None:
    change = resampler(rate_in, rate_out)
    sound, history = _noise(300, rate_in // 50), _noise(300, change.history_samples, seed=1)
    together = change.process(sound, history.copy())
    for row in (0, 1, 127, 128, 255, 256, 299):
        alone = change.process(sound[row : row + 1], history[row : row + 1].copy())
        np.testing.assert_allclose(together[row], alone[0], atol=0.02)


def test_row_goes_on_elsewhere_with_its_history() -> None:
    change = resampler(8_000, 48_000)
    sound = _noise(3, 320)
    history = change.history(3)
    change.process(sound[:, :160], history)
    moved = change.process(sound[1:2, 160:], history[1:2].copy())
    stayed = change.process(sound[:, 160:], history)
    np.testing.assert_allclose(moved[0], stayed[1], atol=0.01)


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_silence_stays_exact_silence(rate_in: int, rate_out: int) -> None:
    change = resampler(rate_in, rate_out)
    sound = _noise(3, rate_in // 50)
    sound[1] = 0.0
    assert not change.process(sound, change.history(3))[1].any()


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_constant_stays_that_constant(rate_in: int, rate_out: int) -> None:
    change = resampler(rate_in, rate_out)
    sound = _settled(change, np.full(rate_in // 10, 1_000.0, np.float32))
    np.testing.assert_allclose(sound, 1_000.0, rtol=1e-4)


def test_out_is_filled_and_returned() -> None:
    change = resampler(8_000, 16_000)
    sound, out = _noise(4, 160), np.empty((4, 320), np.float32)
    assert change.process(sound, change.history(4), out) is out
    assert np.array_equal(out, change.process(sound, change.history(4)))


def test_input_of_any_strides_is_read_right() -> None:
    change = resampler(16_000, 8_000)
    wide = _noise(4, 960)
    strided = wide[::2, 320:640]
    assert np.array_equal(
        change.process(strided, change.history(2)), change.process(strided.copy(), change.history(2))
    )


def test_no_rows_give_no_rows() -> None:
    change = resampler(8_000, 48_000)
    assert change.process(np.empty((0, 160), np.float32), change.history(0)).shape == (0, 960)


def test_shapes_that_do_not_fit_are_refused() -> None:
    change = resampler(8_000, 48_000)
    with pytest.raises(ValueError, match="multiple of 16"):
        change.process(_noise(1, 161), change.history(1))
    with pytest.raises(ValueError, match="out must be"):
        change.process(_noise(1, 160), change.history(1), np.empty((1, 320), np.float32))
    with pytest.raises(ValueError, match="out must be"):
        change.process(_noise(1, 160), change.history(1), np.empty((1, 1_920), np.float32)[:, ::2])
    with pytest.raises(ValueError):
        change.process(_noise(2, 160), change.history(1))


@pytest.mark.parametrize(
    ("rate_in", "rate_out", "taps"), [(8_000, 8_000, 48), (44_100, 48_000, 48), (8_000, 48_000, 4)]
)
def test_other_rates_and_too_few_taps_are_refused(rate_in: int, rate_out: int, taps: int) -> None:
    with pytest.raises(ValueError, match=r"resample|taps"):
        Resampler(rate_in, rate_out, taps)


def test_resamplers_are_designed_once() -> None:
    assert resampler(8_000, 48_000) is resampler(8_000, 48_000)
