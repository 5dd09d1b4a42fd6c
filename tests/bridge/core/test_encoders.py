from __future__ import annotations

import numpy as np
import pytest

from bridge.core.encoders import WARM_FRAMES, Encoders, Stream
from mediacodecs.opus import OpusDecoder, OpusSettings
from tests.kit.tones import tone

pytestmark = pytest.mark.unit


def frames_of(frequency: float, count: int) -> np.ndarray:
    sound = np.rint(tone(frequency, count * 0.02, 48_000, 8000)).astype(np.int16)
    return sound.reshape(count, 960)


def test_stream_without_an_encoder_gets_one_that_is_warmed_up_with_the_past() -> None:
    encoders, stream, sound = Encoders(OpusSettings()), Stream([7]), frames_of(400, 6)
    (job,) = encoders.jobs([stream], 48_000, sound[4:5], lambda number: sound[:4])
    assert (job.warm, job.reset, list(job.outlets)) == (WARM_FRAMES, True, [7])
    assert np.array_equal(job.pcm, sound[:5])
    assert len(job.run()) == 1
    (following,) = encoders.jobs([stream], 48_000, sound[5:])
    assert (following.warm, following.reset, following.encoder) == (0, False, job.encoder)
    assert encoders.in_use == 1


def test_encoder_that_served_others_gives_what_a_new_one_would() -> None:
    encoders, first, second = Encoders(OpusSettings()), Stream([1]), Stream([2])
    for number in range(5):
        encoders.jobs([first], 48_000, frames_of(900, 5)[number : number + 1])[0].run()
    used = first.encoder
    encoders.release(first)
    sound = frames_of(400, 5)
    (job,) = encoders.jobs([second], 48_000, sound[4:], lambda number: sound[:4])
    assert job.encoder is used
    (fresh,) = Encoders(OpusSettings()).jobs([Stream([3])], 48_000, sound[4:], lambda number: sound[:4])
    assert job.run() == fresh.run()


def test_other_rate_takes_another_encoder() -> None:
    encoders, stream = Encoders(OpusSettings()), Stream([1])
    (low,) = encoders.jobs([stream], 8_000, np.zeros((1, 160), np.int16))
    (high,) = encoders.jobs([stream], 48_000, np.zeros((1, 960), np.int16))
    assert low.encoder is not high.encoder and high.warm == WARM_FRAMES
    assert encoders.in_use == 1


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("settings", [OpusSettings(), OpusSettings("voip"), OpusSettings(dtx=True)])
def test_ready_made_silence_decodes_to_silence_at_once_and_for_ever(rate_hz, settings) -> None:
    job = Encoders(settings).silence(rate_hz, [1, 2])
    decoder, out = OpusDecoder(48_000), np.ones(960, dtype=np.int16)
    for _ in range(50):
        (packet,) = job.run()
        assert decoder.decode_into(packet, out) == 960
        assert np.abs(out.astype(int)).max() <= 1
    assert job.encoder is None and list(job.outlets) == [1, 2]
