"""Opus there and back: sound keeps its pitch and level, losses are covered up, garbage does no harm."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mediacodecs.opus import RATES_HZ, OpusDecoder, OpusEncoder, OpusError, OpusSettings, packet_samples
from tests.kit.tones import click_score, find_tones, level_of, speech_like, tone

pytestmark = pytest.mark.unit

Application = Literal["lowdelay", "voip", "audio"]
APPLICATIONS: list[Application] = ["lowdelay", "voip", "audio"]
CAREFUL = OpusSettings(application="voip", fec=True, expected_loss=20)


def _frames(sound: NDArray[np.float32], rate_hz: int) -> NDArray[np.int16]:
    return np.rint(sound).astype(np.int16).reshape(-1, rate_hz // 50)


def _decoded(packets: list[bytes], rate_hz: int) -> NDArray[np.float32]:
    decoder, frame = OpusDecoder(rate_hz), rate_hz // 50
    sound = np.zeros(len(packets) * frame, np.float32)
    for index, packet in enumerate(packets):
        assert decoder.decode_into(packet, sound[index * frame :]) == frame
    return sound


def _signal_to_noise_db(sound: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    noise = np.sum((sound.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(np.sum(truth.astype(np.float64) ** 2) / max(noise, 1e-9)))


@pytest.mark.parametrize("application", APPLICATIONS)
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
def test_tone_keeps_its_pitch_and_level(rate_hz: int, application: Application) -> None:
    encoder = OpusEncoder(rate_hz, OpusSettings(application=application))
    packets = [encoder.encode(frame) for frame in _frames(tone(1_000, 1.0, rate_hz), rate_hz)]
    sound = _decoded(packets, rate_hz)[rate_hz // 5 :]
    assert next(iter(find_tones(sound, rate_hz))) == 1_000
    assert level_of(sound, rate_hz, 1_000) == pytest.approx(8_000, rel=0.06)
    assert click_score(sound, rate_hz, 1_000) < 1.0


@pytest.mark.parametrize(("rate_in", "rate_out"), list(itertools.permutations(RATES_HZ, 2)))
def test_any_rate_decodes_what_any_other_encoded(rate_in: int, rate_out: int) -> None:
    encoder = OpusEncoder(rate_in, OpusSettings())
    packets = [encoder.encode(frame) for frame in _frames(tone(700, 0.6, rate_in), rate_in)]
    assert {packet_samples(packet) for packet in packets} == {960}
    sound = _decoded(packets, rate_out)[rate_out // 5 :]
    assert next(iter(find_tones(sound, rate_out))) == 700
    assert level_of(sound, rate_out, 700) == pytest.approx(8_000, rel=0.06)


@pytest.mark.parametrize(("application", "seconds"), [("lowdelay", 0.0025), ("voip", 0.0065)])
def test_lookahead_is_how_much_the_coded_sound_lags(application: Application, seconds: float) -> None:
    encoder = OpusEncoder(48_000, OpusSettings(application=application, bitrate=128_000))
    assert encoder.lookahead_samples == round(seconds * 48_000)
    original = speech_like(1.0, 48_000, seed=2)
    sound = _decoded([encoder.encode(frame) for frame in _frames(original, 48_000)], 48_000)
    likeness = np.correlate(sound[10_000:31_000], original[10_000:30_000], mode="valid")
    assert abs(int(np.argmax(likeness)) - encoder.lookahead_samples) <= 3


@pytest.mark.parametrize("milliseconds", [2.5, 5, 10, 20, 40, 60, 80, 100, 120])
def test_every_length_that_opus_has_is_coded(milliseconds: float) -> None:
    samples = round(milliseconds * 16)
    packet = OpusEncoder(16_000, OpusSettings()).encode(np.zeros(samples, np.int16))
    assert packet_samples(packet) == 3 * samples
    assert OpusDecoder(16_000).decode_into(packet, np.zeros(samples, np.int16)) == samples


def test_bitrate_and_complexity_are_heeded() -> None:
    frames = _frames(speech_like(2.0, 48_000), 48_000)

    def size(bitrate: int) -> int:
        encoder = OpusEncoder(48_000, OpusSettings(bitrate=bitrate))
        return sum(len(encoder.encode(frame)) for frame in frames)

    assert size(96_000) > 2 * size(32_000) > 2 * size(12_000)
    simple = OpusEncoder(48_000, OpusSettings(complexity=0))
    thorough = OpusEncoder(48_000, OpusSettings(complexity=10))
    assert [simple.encode(frame) for frame in frames] != [thorough.encode(frame) for frame in frames]


def test_silence_with_dtx_gives_packets_that_need_not_be_sent() -> None:
    encoder = OpusEncoder(48_000, OpusSettings(application="voip", dtx=True))
    sizes = [len(encoder.encode(np.zeros(960, np.int16))) for _ in range(100)]
    assert sum(size <= 2 for size in sizes[-50:]) >= 45
    steady = OpusEncoder(48_000, OpusSettings(application="voip"))
    assert all(len(steady.encode(np.zeros(960, np.int16))) > 2 for _ in range(100))


@pytest.mark.parametrize(
    ("application", "first", "in_the_end"), [("lowdelay", 7_000, 2_000), ("voip", 5_000, 1)]
)
def test_concealment_goes_on_with_the_sound_and_then_fades(
    application: Application, first: float, in_the_end: float
) -> None:
    """SILK falls silent after some 80 ms; CELT falls to a rest of noise 12 dB down or more, for ever."""
    encoder, decoder = OpusEncoder(48_000, OpusSettings(application=application)), OpusDecoder(48_000)
    out = np.zeros(960, np.float32)
    for frame in _frames(tone(400, 0.4, 48_000), 48_000):
        decoder.decode_into(encoder.encode(frame), out)
    levels = []
    for _ in range(25):
        assert decoder.conceal_into(out) == 960
        levels.append(level_of(out, 48_000, 400))
    assert levels[0] > first
    assert levels[0] > levels[1] > levels[2]
    assert max(levels[8:]) < in_the_end


def test_concealed_single_loss_in_a_tone_makes_no_click() -> None:
    encoder, decoder = OpusEncoder(48_000, OpusSettings()), OpusDecoder(48_000)
    frames = _frames(tone(400, 0.6, 48_000), 48_000)
    sound, gap = np.zeros((2, 30, 960), np.float32)
    for index, frame in enumerate(frames):
        packet = encoder.encode(frame)
        if index == 15:
            decoder.conceal_into(sound[index])
        else:
            decoder.decode_into(packet, sound[index])
    gap[:] = sound
    gap[15] = 0.0
    concealed, silenced = (click_score(one[5:].ravel(), 48_000, 400) for one in (sound, gap))
    assert concealed < 1.5 < silenced / 2


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_fec_brings_a_lost_frame_back_better_than_concealment(rate_hz: int) -> None:
    frame = rate_hz // 50
    encoder = OpusEncoder(rate_hz, CAREFUL)
    packets = [encoder.encode(one) for one in _frames(speech_like(4.0, rate_hz, seed=5), rate_hz)]
    intact = _decoded(packets, rate_hz).reshape(-1, frame)
    with_fec: list[float] = []
    without: list[float] = []
    for lost in range(20, 190, 10):
        if np.abs(intact[lost]).max() < 1_500:
            continue
        for results, recover in ((with_fec, True), (without, False)):
            decoder, out = OpusDecoder(rate_hz), np.zeros(frame, np.float32)
            for packet in packets[:lost]:
                decoder.decode_into(packet, out)
            if recover:
                assert decoder.recover_into(packets[lost + 1], out) == frame
            else:
                assert decoder.conceal_into(out) == frame
            results.append(_signal_to_noise_db(out, intact[lost]))
    assert len(with_fec) >= 5
    assert np.median(with_fec) > np.median(without) + 3
    assert np.mean(np.greater(with_fec, without)) > 0.8


def test_recovering_from_a_packet_without_a_copy_conceals() -> None:
    encoder = OpusEncoder(48_000, OpusSettings())
    packets = [encoder.encode(frame) for frame in _frames(tone(400, 0.4, 48_000), 48_000)]
    recovering, concealing = OpusDecoder(48_000), OpusDecoder(48_000)
    recovered, concealed = np.zeros((2, 960), np.float32)
    for packet in packets[:10]:
        recovering.decode_into(packet, recovered)
        concealing.decode_into(packet, concealed)
    recovering.recover_into(packets[11], recovered)
    concealing.conceal_into(concealed)
    assert np.array_equal(recovered, concealed) and recovered.any()


def test_int16_and_float32_come_out_the_same_and_the_rest_of_out_is_left_alone() -> None:
    packet = OpusEncoder(16_000, OpusSettings()).encode(_frames(tone(440, 0.02, 16_000), 16_000)[0])
    whole, wide = np.zeros(320, np.int16), np.full(400, 7.0, np.float32)
    assert OpusDecoder(16_000).decode_into(packet, whole) == 320
    assert OpusDecoder(16_000).decode_into(memoryview(packet), wide) == 320
    assert np.array_equal(wide[:320], whole) and whole.any()
    assert np.all(wide[320:] == 7.0)


def test_stereo_packet_comes_out_as_one_channel() -> None:
    silk_stereo_of_nothing = bytes([0b0000_1100])  # SILK, 20 ms, stereo, an empty frame
    assert OpusDecoder(48_000).decode_into(silk_stereo_of_nothing, np.zeros(960, np.int16)) == 960


def test_reset_forgets_what_was_heard() -> None:
    frames = _frames(speech_like(0.6, 48_000, seed=9), 48_000)
    encoder = OpusEncoder(48_000, OpusSettings())
    first = [encoder.encode(frame) for frame in frames]
    assert encoder.encode(frames[0]) != first[0]
    encoder.reset()
    assert [encoder.encode(frame) for frame in frames] == first
    decoder, fresh, again = OpusDecoder(48_000), np.zeros(960, np.int16), np.zeros(960, np.int16)
    decoder.decode_into(first[0], fresh)
    decoder.decode_into(first[9], again)
    decoder.reset()
    decoder.decode_into(first[0], again)
    assert np.array_equal(fresh, again)


def test_many_encoders_may_work_in_threads_at_once() -> None:
    frames = _frames(speech_like(1.0, 48_000, seed=1), 48_000)

    def encoded(_: int) -> list[bytes]:
        encoder = OpusEncoder(48_000, OpusSettings())
        return [encoder.encode(frame) for frame in frames]

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(encoded, range(8)))
    assert all(result == encoded(0) for result in results)


@pytest.mark.parametrize("rate_hz", [0, 11_025, 32_000, 44_100, 96_000])
def test_rate_that_opus_has_not_is_refused(rate_hz: int) -> None:
    with pytest.raises(ValueError, match="no rate"):
        OpusEncoder(rate_hz, OpusSettings())
    with pytest.raises(ValueError, match="no rate"):
        OpusDecoder(rate_hz)


@pytest.mark.parametrize(
    "wrong",
    [
        {"application": "music"},
        {"bitrate": 499},
        {"bitrate": 512_001},
        {"complexity": -1},
        {"complexity": 11},
        {"expected_loss": 101},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        OpusSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "extreme",
    [
        OpusSettings(application=application, bitrate=bitrate, complexity=complexity, fec=True, dtx=True)
        for application in APPLICATIONS
        for bitrate, complexity in ((500, 0), (512_000, 10))
    ],
)
def test_extreme_settings_are_taken_by_libopus(extreme: OpusSettings) -> None:
    encoder = OpusEncoder(48_000, extreme)
    frames = _frames(speech_like(0.2, 48_000), 48_000)
    assert all(packet_samples(encoder.encode(frame)) == 960 for frame in frames)


def test_wrong_samples_are_refused_by_the_encoder() -> None:
    encoder = OpusEncoder(48_000, OpusSettings())
    for samples in (0, 1, 959, 961, 48_000):
        with pytest.raises(OpusError, match="encode: bad argument"):
            encoder.encode(np.zeros(samples, np.int16))
    for wrong in (np.zeros(960, np.float32), np.zeros(960, np.uint8)):
        with pytest.raises(TypeError, match="int16"):
            encoder.encode(wrong)  # type: ignore[arg-type]


def test_strided_samples_are_encoded_as_they_read() -> None:
    pcm = _frames(speech_like(0.04, 48_000), 48_000).ravel()
    strided = OpusEncoder(48_000, OpusSettings()).encode(pcm[::2])
    assert strided == OpusEncoder(48_000, OpusSettings()).encode(pcm[::2].copy())


def test_room_that_does_not_fit_is_refused() -> None:
    decoder = OpusDecoder(48_000)
    packet = OpusEncoder(48_000, OpusSettings()).encode(np.zeros(960, np.int16))
    with pytest.raises(OpusError, match="buffer too small"):
        decoder.decode_into(packet, np.zeros(959, np.int16))
    assert decoder.decode_into(packet, np.zeros(100_000, np.int16)) == 960
    for room in (0, 961, 5_761, 9_600):
        with pytest.raises(OpusError, match="bad argument"):
            decoder.conceal_into(np.zeros(room, np.int16))
        with pytest.raises(OpusError, match="bad argument"):
            decoder.recover_into(packet, np.zeros(room, np.int16))


def test_empty_packet_is_corrupt_and_not_a_loss() -> None:
    decoder = OpusDecoder(48_000)
    for call in (decoder.decode_into, decoder.recover_into):
        with pytest.raises(OpusError, match="corrupt packet") as caught:
            call(b"", np.zeros(960, np.int16))
        assert caught.value.code == -4


def test_decoder_goes_on_after_a_corrupt_packet() -> None:
    encoder, decoder, out = (
        OpusEncoder(48_000, OpusSettings()),
        OpusDecoder(48_000),
        np.zeros(960, np.float32),
    )
    for index, frame in enumerate(_frames(tone(500, 0.6, 48_000), 48_000)):
        if index % 5 == 2:
            with pytest.raises(OpusError, match="corrupt packet"):
                decoder.decode_into(b"\xff\x00\x13\x37", out)
        decoder.decode_into(encoder.encode(frame), out)
    assert level_of(out, 48_000, 500) == pytest.approx(8_000, rel=0.1)


DECODER = OpusDecoder(48_000)
TRUE_PACKETS = [
    OpusEncoder(48_000, choice).encode(frame)
    for choice in (OpusSettings(), CAREFUL)
    for frame in _frames(speech_like(0.1, 48_000), 48_000)
]


@given(st.one_of(st.binary(max_size=1_500), st.sampled_from(TRUE_PACKETS)), st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_bytes_decode_or_are_refused(payload: bytes, as_fec: bool) -> None:
    out = np.full(5_760, 99.0, np.float32)
    try:
        call = DECODER.recover_into if as_fec else DECODER.decode_into
        samples = call(payload, out)
    except OpusError:
        return
    assert samples == (5_760 if as_fec else packet_samples(payload))
    assert np.abs(out[:samples]).max() <= 32_768 and np.all(out[samples:] == 99.0)


@given(st.sampled_from(TRUE_PACKETS), st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_packets_decode_or_are_refused(packet: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(packet) - 1))
    damaged = packet[:at] + bytes([data.draw(st.integers(0, 255))]) + packet[at + 1 :]
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    try:
        samples = DECODER.decode_into(damaged, np.zeros(5_760, np.int16))
    except OpusError:
        assert packet_samples(damaged) == 0
    else:
        assert samples == packet_samples(damaged)
