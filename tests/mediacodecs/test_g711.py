"""G.711 against the segment formulas of the recommendation, written here a second time and another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacodecs.g711 import (
    ALAW_SILENCE,
    ULAW_SILENCE,
    alaw_decode,
    alaw_encode,
    ulaw_decode,
    ulaw_encode,
)

pytestmark = pytest.mark.unit

EVERY_CODE = np.arange(256, dtype=np.uint8)
EVERY_SAMPLE = np.arange(-32_768, 32_768, dtype=np.int32).astype(np.int16)


def _ulaw_value(code: int) -> int:
    """One code by table 2 of G.711: the segments begin at 0, 31, 95, 223 … (14 bits) with steps 2, 4, 8 …"""
    bits = code ^ 0xFF
    segment, step = (bits >> 4) & 7, bits & 15
    width = 2 << segment
    first = (33 << segment) - 33  # of the segment's output values
    magnitude = first + width * step
    return 4 * (-magnitude if bits & 0x80 else magnitude)


def _alaw_value(code: int) -> int:
    """One code by table 1 of G.711: 32 steps of 2 (13 bits), then 16 steps of 2, 4, 8 … to a segment."""
    bits = code ^ 0x55
    segment, step = (bits >> 4) & 7, bits & 15
    if segment == 0:
        magnitude = 2 * step + 1
    else:
        width = 1 << segment
        magnitude = 16 * width + width * step + width // 2
    return 8 * (magnitude if bits & 0x80 else -magnitude)


def _ulaw_code(sample: int) -> int:
    """One sample by comparison with the decision values, which lie in the middle between output values."""
    sign = 0x80 if sample < 0 else 0
    magnitude = (~sample if sample < 0 else sample) >> 2
    upper, segment = 31, 0
    while segment < 7 and magnitude >= upper:
        segment += 1
        upper = 2 * upper + 33
    lower = (32 << segment) - 33  # the segment's first decision value
    step = min((magnitude - lower) // (2 << segment), 15)
    return (sign | segment << 4 | step) ^ 0xFF


def _alaw_code(sample: int) -> int:
    sign = 0 if sample < 0 else 0x80
    magnitude = (~sample if sample < 0 else sample) >> 3
    segment, upper = 0, 32
    while magnitude >= upper:
        segment += 1
        upper *= 2
    lower = upper // 2 if segment else 0
    step = (magnitude - lower) // (1 << max(segment, 1))
    return (sign | segment << 4 | step) ^ 0x55


def test_every_ulaw_code_decodes_as_the_recommendation_says() -> None:
    assert ulaw_decode(EVERY_CODE).tolist() == [_ulaw_value(code) for code in range(256)]


def test_every_alaw_code_decodes_as_the_recommendation_says() -> None:
    assert alaw_decode(EVERY_CODE).tolist() == [_alaw_value(code) for code in range(256)]


def test_every_sample_encodes_to_ulaw_as_the_recommendation_says() -> None:
    assert ulaw_encode(EVERY_SAMPLE).tolist() == [_ulaw_code(sample) for sample in EVERY_SAMPLE.tolist()]


def test_every_sample_encodes_to_alaw_as_the_recommendation_says() -> None:
    assert alaw_encode(EVERY_SAMPLE).tolist() == [_alaw_code(sample) for sample in EVERY_SAMPLE.tolist()]


def test_known_values_of_the_tables() -> None:
    ulaw = {0x00: -32_124, 0x80: 32_124, 0xFF: 0, 0x7F: 0, 0xFE: 8, 0xEF: 132, 0x8F: 16_764}
    assert {code: ulaw_decode(np.array([code], np.uint8))[0] for code in ulaw} == ulaw
    alaw = {0xD5: 8, 0x55: -8, 0x2A: -32_256, 0xAA: 32_256, 0xC5: 264}
    assert {code: alaw_decode(np.array([code], np.uint8))[0] for code in alaw} == alaw
    assert ulaw_encode(np.zeros(1, np.int16))[0] == ULAW_SILENCE
    assert alaw_encode(np.zeros(1, np.int16))[0] == ALAW_SILENCE


def test_louder_samples_never_decode_to_something_softer() -> None:
    for encode, decode in ((ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)):
        assert np.all(np.diff(decode(encode(EVERY_SAMPLE))) >= 0)


def test_error_is_at_most_half_a_step_up_to_the_outermost_value() -> None:
    for encode, decode in ((ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)):
        values = np.unique(decode(EVERY_CODE))
        coded = decode(encode(EVERY_SAMPLE))
        within = np.abs(EVERY_SAMPLE.astype(np.int32)) <= values.max()
        at = np.searchsorted(values, coded)
        step = np.maximum(np.diff(values, append=np.inf)[at], np.diff(values, prepend=-np.inf)[at])
        assert np.all(np.abs(coded - EVERY_SAMPLE)[within] <= step[within] / 2)


def test_decoded_codes_encode_to_themselves() -> None:
    alaw = alaw_encode(alaw_decode(EVERY_CODE).astype(np.int16))
    assert np.array_equal(alaw, EVERY_CODE)
    ulaw = ulaw_encode(ulaw_decode(EVERY_CODE).astype(np.int16))
    one_zero_of_two = np.where(EVERY_CODE == 0x7F, 0xFF, EVERY_CODE)
    assert np.array_equal(ulaw, one_zero_of_two)


@given(st.integers(1, 5), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_batch_of_any_shape_equals_its_rows(rows: int, samples: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    pcm = random.integers(-32_768, 32_768, (rows, samples)).astype(np.int16)
    codes = random.integers(0, 256, (rows, samples)).astype(np.uint8)
    for encode in (ulaw_encode, alaw_encode):
        assert encode(pcm).shape == pcm.shape
        assert all(np.array_equal(encode(pcm)[row], encode(pcm[row])) for row in range(rows))
    for decode in (ulaw_decode, alaw_decode):
        assert decode(codes).dtype == np.float32
        assert all(np.array_equal(decode(codes)[row], decode(codes[row])) for row in range(rows))


def test_columns_of_a_larger_array_are_read_right() -> None:
    pcm = EVERY_SAMPLE[:1_000].reshape(10, 100)
    assert np.array_equal(ulaw_encode(pcm[:, 20:60]), ulaw_encode(pcm)[:, 20:60])


def test_out_is_filled_and_returned() -> None:
    pcm = EVERY_SAMPLE[20_000:20_320].reshape(2, 160)
    codes = np.empty((2, 160), np.uint8)
    sound = np.empty((2, 160), np.float32)
    for encode, decode in ((ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)):
        assert encode(pcm, codes) is codes
        assert np.array_equal(codes, encode(pcm))
        assert decode(codes, sound) is sound
        assert np.array_equal(sound, decode(codes))
