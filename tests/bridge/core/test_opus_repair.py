"""Opus on a bad network: jitter, drift, losses, and what is not sent because it is silence."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from mediacodecs.opus import OpusSettings
from tests.kit.netem import Netem
from tests.kit.pools import Heard, Rtp, decoded, opus_pool, packets, play_packets
from tests.kit.tones import click_score, find_tones, speech_like, tone

pytestmark = pytest.mark.unit

VOICE = OpusSettings(application="voip", bitrate=32_000)
WITH_FEC = OpusSettings(application="voip", bitrate=24_000, fec=True, expected_loss=20)


def lively(sent: list[tuple[float, Rtp]], seconds: float, seed: int = 1, **faults: object) -> Heard:
    return play_packets(Netem(seed, **faults).schedule(sent), seconds, pool=opus_pool())  # type: ignore[arg-type]


def test_jitter_and_loss_for_a_minute_do_not_make_the_delay_grow() -> None:
    sent = packets(tone(1_000, 60, 48_000), VOICE)
    heard = lively(sent, 60, seed=2, loss=0.05, jitter_s=0.06)
    by_ten_seconds = heard.depths_ms.reshape(6, -1).mean(axis=1)
    assert by_ten_seconds.max() < 80
    assert by_ten_seconds[5] < by_ten_seconds[1] + 20
    lost = 3_000 - heard.end.frames_in
    assert lost <= heard.end.lost < 1.3 * lost
    assert heard.end.lost <= heard.end.concealed + heard.end.recovered < 1.3 * lost + 10
    assert np.median(heard.levels(2, 60)) == pytest.approx(8_000, rel=0.05)
    assert np.percentile(heard.levels(2, 60), 5) > 4_000
    assert next(iter(find_tones(heard.between(30, 32), 48_000))) == pytest.approx(1_000, abs=3)


def test_with_jitter_alone_nearly_nothing_is_lost() -> None:
    heard = lively(packets(tone(440, 30, 48_000)), 29.9, jitter_s=0.06)
    assert heard.end.concealed + heard.end.lost <= 12
    assert heard.looks[-1].concealed - heard.looks[250].concealed <= 2
    assert heard.end.jitter_ms == pytest.approx(54, abs=8)


def test_the_delay_shrinks_again_after_a_spell_of_jitter() -> None:
    sent = packets(tone(440, 30, 48_000))
    sent[100:500] = Netem(4, jitter_s=0.08).schedule(sent[100:500])
    heard = play_packets(sent, 29.5, pool=opus_pool())
    assert heard.depths_ms[200:500].mean() > 25
    assert heard.depths_ms[-200:].mean() < 8
    assert heard.end.corrected > 3
    before = click_score(heard.between(0.2, 1.9), 48_000, 440)
    assert click_score(heard.between(11, 29), 48_000, 440) < before + 0.3


@pytest.mark.parametrize("ppm", [-300, 300])
def test_a_clock_that_drifts_is_followed_without_clicks(ppm: int) -> None:
    heard = play_packets(packets(tone(440, 80, 48_000), ppm=ppm), 79.5, pool=opus_pool())
    assert heard.depths_ms.max() < 45
    assert heard.end.concealed == heard.end.dropped == heard.end.lost == 0
    assert heard.end.corrected >= 2
    undisturbed = click_score(heard.between(0.2, 5), 48_000, 440)
    assert click_score(heard.between(0.2, 79), 48_000, 440) < undisturbed + 0.3


def test_fec_brings_back_more_of_a_voice_than_concealment() -> None:
    voice = speech_like(20, 48_000, seed=5)

    def with_every_ninth_lost(choice: OpusSettings) -> tuple[Heard, float]:
        sent = packets(voice, choice)
        heard = play_packets([one for index, one in enumerate(sent) if index % 9], 20, pool=opus_pool())
        exact = decoded(sent)
        lag = _lag(heard.sound, exact)
        wrong = power = 0.0
        # The buffer takes a while to notice that packets are lost, and is then deep enough to use copies.
        for index in range(396, 990, 9):
            at = index * 960
            wrong += float(np.square(heard.sound[at + lag : at + lag + 960] - exact[at : at + 960]).sum())
            power += float(np.square(exact[at : at + 960]).sum())
        return heard, wrong / power

    repaired, with_fec = with_every_ninth_lost(WITH_FEC)
    blind, without = with_every_ninth_lost(OpusSettings(application="voip", bitrate=24_000))
    assert blind.end.recovered == 0 and blind.end.concealed > 40
    learnt = repaired.looks[396]
    assert repaired.end.recovered - learnt.recovered > 4 * (repaired.end.concealed - learnt.concealed)
    assert with_fec < 0.5 * without
    # That takes one packet more of delay, and only where it is of use.
    assert repaired.depths_ms[600:].mean() == pytest.approx(20, abs=6)
    assert blind.depths_ms[600:].max() == 0


def _lag(heard: np.ndarray, exact: np.ndarray) -> int:
    """How many samples later it was heard, over the second half."""
    half = len(exact) // 2
    size = 2 * (len(exact) - half)
    spectra = np.fft.rfft(heard[half:], size) * np.conj(np.fft.rfft(exact[half:], size))
    return int(np.argmax(np.fft.irfft(spectra, size)[:9_600]))


def test_a_lost_packet_is_concealed_and_adds_no_delay() -> None:
    sent = packets(tone(1_000, 3, 48_000), VOICE)
    heard = play_packets([one for index, one in enumerate(sent) if index % 10 != 9], 2.9, pool=opus_pool())
    assert 13 <= heard.end.lost <= 15 and heard.end.concealed == heard.end.lost
    assert heard.end.dropped == 0
    assert not heard.depths_ms.any()
    assert heard.levels(0.2, 2.9).min() > 4_500
    assert np.median(heard.levels(0.2, 2.9)) > 7_500


def test_many_lost_packets_fade_to_silence() -> None:
    sent = packets(tone(1_000, 4, 48_000), VOICE)
    heard = play_packets(sent[:100] + sent[150:], 3.9, pool=opus_pool())
    assert heard.levels(2.04, 2.06, 0.02)[0] > 3_000
    assert not heard.between(2.14, 3.0).any()
    assert heard.end.concealed == 5
    assert heard.end.lost == 50
    assert heard.levels(3.1, 3.9).min() > 7_500
    assert click_score(heard.between(2.9, 3.9), 48_000, 1_000) < 1.5


def test_silence_that_is_not_sent_is_not_lost() -> None:
    random = np.random.default_rng(1)
    sound = np.concatenate(
        [part for _ in range(3) for part in (tone(440, 1, 48_000), random.normal(0, 3, 96_000))]
    )
    with_dtx = OpusSettings(application="voip", bitrate=24_000, dtx=True)
    sent = packets(sound, with_dtx)
    spoken = [one for one in sent if len(one[1][0]) > 2]
    assert len(spoken) < 0.75 * len(sent)
    # Renumbered, as a sender does that leaves them out.
    spoken = [(at, (packet[0], 7 + index, packet[2])) for index, (at, packet) in enumerate(spoken)]
    for stream in (sent, spoken):
        heard = play_packets(stream, 8.9, pool=opus_pool())
        assert heard.end.lost == 0
        assert heard.end.concealed <= 3
        for begin in (0.0, 3.0, 6.0):
            assert heard.levels(begin + 0.2, begin + 0.9).min() > 7_000
            assert heard.levels(begin + 1.6, begin + 2.9).max() < 100
        assert heard.depths_ms.max() <= 45


@pytest.mark.parametrize("application", ["lowdelay", "voip"])
def test_a_muted_microphone_is_not_decoded_again_and_again(
    application: Literal["lowdelay", "voip"],
) -> None:
    sound = np.concatenate((tone(440, 0.5, 48_000), np.zeros(48_000 * 10), tone(440, 1, 48_000)))
    sent = packets(sound, OpusSettings(application=application))
    made = opus_pool()
    decodes = 0
    row = made.open()
    decoder = made._state.voice(row).decoder
    real = decoder.decode_into

    def counting(payload: bytes, out: np.ndarray) -> int:
        nonlocal decodes
        decodes += 1
        return real(payload, out)

    decoder.decode_into = counting  # type: ignore[method-assign,assignment]
    blocks = []
    for at, packet in sent:
        made.push(row, *packet, at)
        made.take(at + 0.01)
        blocks.append(made.block[row].copy())
    assert decodes < 25 + 150 + 50
    heard, exact = np.concatenate(blocks), decoded(sent)
    # The same sound, though the decoder was left out for ten seconds; SILK remembers a little.
    limit = 0 if application == "lowdelay" else 100
    assert np.abs(heard - exact)[round(10.6 * 48_000) :].max() <= limit
    assert made.look(row).frames_in == 575 and made.look(row).concealed == 0
