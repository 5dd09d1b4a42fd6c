"""Sound for tests, and how to tell what is in it: by frequency, by level, by the absence of clicks.

All samples are float32 [S] at int16 scale; amplitudes are peaks on that scale (a full-scale sine has 32,767).
Readers also take int16 and other real arrays.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

FULL_SCALE = 32_767.0
_LOBE_BINS = 4  # half the main lobe of the window below, in bins of the unpadded transform


def tone(
    frequency_hz: float, seconds: float, rate_hz: int, amplitude: float = 8000.0, phase: float = 0.0
) -> NDArray[np.float32]:
    """A sine of round(seconds * rate_hz) samples; `phase` in radians at the first one."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time + phase)).astype(np.float32)


def chirp(
    start_hz: float, end_hz: float, seconds: float, rate_hz: int, amplitude: float = 8000.0
) -> NDArray[np.float32]:
    """A sine whose frequency moves from `start_hz` to `end_hz` at a constant speed."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    cycles = start_hz * time + (end_hz - start_hz) * time**2 / (2 * seconds)
    return (amplitude * np.sin(2 * np.pi * cycles)).astype(np.float32)


def speech_like(
    seconds: float, rate_hz: int, seed: int = 0, amplitude: float = 8000.0
) -> NDArray[np.float32]:
    """Syllables of noise within 200…3,400 Hz, 80 to 300 ms long, with exact silence of 40 to 400 ms between.

    The same seed gives the same sound. The loudest sample has `amplitude`. It begins with a syllable.
    """
    random = np.random.default_rng(seed)
    samples = round(seconds * rate_hz)
    spectrum = np.fft.rfft(random.standard_normal(samples))
    frequencies = np.fft.rfftfreq(samples, 1 / rate_hz)
    spectrum[(frequencies < 200) | (frequencies > 3_400)] = 0
    spectrum /= np.sqrt(1 + (frequencies / 500) ** 2)  # falls off above 500 Hz as a voice does
    noise = np.fft.irfft(spectrum, samples)
    envelope = np.zeros(samples)
    at = 0
    while at < samples:
        length = round(random.uniform(0.08, 0.30) * rate_hz)
        syllable = np.hanning(length + 2)[1:-1] * random.uniform(0.4, 1.0)
        envelope[at : at + length] = syllable[: samples - at]
        at += length + round(random.uniform(0.04, 0.40) * rate_hz)
    sound: NDArray[np.float64] = noise * envelope
    sound *= amplitude / np.abs(sound).max()
    return sound.astype(np.float32)


def find_tones(samples: ArrayLike, rate_hz: int, floor_db: float = -50.0) -> dict[int, float]:
    """The steady tones in `samples`: frequency rounded to 1 Hz → amplitude, the loudest first.

    `floor_db` is relative to a full-scale sine; what is below is not a tone. Two tones are told apart when
    they lie at least 8 / duration apart (40 Hz for 200 ms). Amplitudes are right to about 1 %.
    """
    sound = np.asarray(samples, dtype=np.float64)
    size = 1 << (4 * len(sound) - 1).bit_length()  # padded, so that a peak is never far from a bin
    window = _window(len(sound))
    magnitude = 2 * np.abs(np.fft.rfft(sound * window, size)) / window.sum()
    lobe = _LOBE_BINS * size / len(sound)
    inner = magnitude[1:-1]
    peaks = 1 + np.flatnonzero((inner >= magnitude[:-2]) & (inner > magnitude[2:]))
    peaks = peaks[(magnitude[peaks] > FULL_SCALE * 10 ** (floor_db / 20)) & (peaks > lobe)]
    found: dict[float, float] = {}
    for peak in peaks[np.argsort(-magnitude[peaks])]:
        if all(abs(peak - other) > lobe for other in found):
            # A parabola through the logarithms of three bins: the window's main lobe is nearly one.
            left, mid, right = np.log(magnitude[peak - 1 : peak + 2] + 1e-30)
            shift = (left - right) / (2 * (left - 2 * mid + right))
            found[peak + shift] = float(np.exp(mid - (left - right) * shift / 4))
    return {round(at * rate_hz / size): amplitude for at, amplitude in found.items()}


def level_of(samples: ArrayLike, rate_hz: int, frequency_hz: float) -> float:
    """Amplitude of the tone of that very frequency; others 4 / duration away count less than 1 / 30,000."""
    sound = np.asarray(samples, dtype=np.float64)
    window = _window(len(sound))
    turning = np.exp(-2j * np.pi * frequency_hz / rate_hz * np.arange(len(sound)))
    return float(2 * np.abs(np.sum(sound * window * turning)) / window.sum())


def click_score(samples: ArrayLike, rate_hz: int, frequency_hz: float, ramp_s: float = 0.005) -> float:
    """How much the worst spot of a tone sticks out; 1.0 is what a linear fade over `ramp_s` may do.

    A steady tone scores nearly 0, a fade from nothing to full within `ramp_s` scores 1; hard gaps, phase
    jumps and stray samples score more the harder they are. To be stricter give a longer `ramp_s`. Coding
    noise raises the score too: for coded sound compare with an undisturbed stretch. The first and last few
    milliseconds only serve as context. Silence scores 0. Most telling at 300 Hz and above.
    """
    sound = np.asarray(samples, dtype=np.float64)
    kernel = _all_but_the_tone(rate_hz, frequency_hz)
    if len(sound) < 2 * len(kernel):
        raise ValueError(f"{len(sound)} samples are too few to judge; give at least {2 * len(kernel)}")
    # The loudest stretch tells the tone's amplitude: the rest may be faded or missing.
    stretch = round(0.02 * rate_hz)
    amplitude = max(
        level_of(sound[at : at + stretch], rate_hz, frequency_hz)
        for at in range(0, max(len(sound) - stretch, 0) + 1, max(stretch // 2, 1))
    )
    worst = float(np.abs(np.convolve(sound, kernel, mode="valid")).max())
    if worst == 0.0:
        return 0.0
    return worst / max(amplitude * _allowed(rate_hz, frequency_hz, ramp_s), 1e-9)


@cache
def _allowed(rate_hz: int, frequency_hz: float, ramp_s: float) -> float:
    """What a linear fade of a tone of amplitude 1 leaves behind, at the worst phase."""
    kernel = _all_but_the_tone(rate_hz, frequency_hz)
    edge = len(kernel) / rate_hz
    worst = 0.0
    for phase in np.arange(0, 2 * np.pi, np.pi / 8):
        faded = tone(frequency_hz, 2 * edge + ramp_s, rate_hz, 1.0, float(phase)).astype(np.float64)
        time = np.arange(len(faded)) / rate_hz
        faded *= np.clip((time - edge) / ramp_s, 0, 1)
        worst = max(worst, float(np.abs(np.convolve(faded, kernel, mode="valid")).max()))
    return worst


@cache
def _all_but_the_tone(rate_hz: int, frequency_hz: float) -> NDArray[np.float64]:
    """A filter that takes away a tone whose amplitude and phase stay or change evenly, and leaves the rest.

    It is the least-squares fit of such a tone to a short stretch, taken away from the sample in its middle.
    """
    half = round(max(0.002, 0.75 / frequency_hz) * rate_hz)
    time = np.arange(-half, half + 1) / rate_hz
    weight = np.hanning(2 * half + 3)[1:-1]
    cosine, sine = np.cos(2 * np.pi * frequency_hz * time), np.sin(2 * np.pi * frequency_hz * time)
    shapes = np.stack((cosine, sine, time * cosine * rate_hz / half, time * sine * rate_hz / half), axis=1)
    fit = np.linalg.pinv(shapes * weight[:, None]) * weight
    kernel = -(shapes[half] @ fit)
    kernel[half] += 1.0
    return np.asarray(kernel[::-1], dtype=np.float64)


@cache
def _window(samples: int) -> NDArray[np.float64]:
    """Blackman-Harris with four terms: side lobes 92 dB down."""
    turn = 2 * np.pi * np.arange(samples) / max(samples, 1)
    return 0.35875 - 0.48829 * np.cos(turn) + 0.14128 * np.cos(2 * turn) - 0.01168 * np.cos(3 * turn)
