"""Sound for simulated calls: files in, files out, and the three formats a call can have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat, Encoding
from mediacodecs.g711 import ulaw_decode, ulaw_encode
from mediacodecs.l16 import l16_decode, l16_encode

Samples = NDArray[np.int16]

CODECS = {"l16-16k": L16_16K, "l16-8k": L16_8K, "mulaw-8k": ULAW_8K}
"""Formats by the names they have on the command line."""

SAMPLE = Path(__file__).with_name("sounds") / "caller.flac"
"""A person on the phone, 25 s, spoken by espeak-ng: what callers say when nobody has said what."""

_PADDING_S = 0.05
_ULAW_TO_INT16 = ulaw_decode(np.arange(256, dtype=np.uint8)).astype(np.int16)


def load(path: Path, rate_hz: int) -> Samples:
    """The sound of a file that libsndfile can read, mono, at `rate_hz`: int16 [n].

    Raises OSError when there is no such file, ValueError when it cannot be read or holds nothing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        sound, file_rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as wrong:
        raise ValueError(f"{path} cannot be read: {wrong.error_string}") from None
    if not len(sound):
        raise ValueError(f"{path} holds no sound")
    mono = sound.mean(axis=1, dtype=np.float64) * 32_768
    resampled = change_rate(mono, int(file_rate_hz), rate_hz)
    return np.rint(resampled).clip(-32_768, 32_767).astype(np.int16)


def change_rate(sound: NDArray[np.float64], rate_in_hz: int, rate_out_hz: int) -> NDArray[np.float64]:
    """A whole sound at another rate, by its spectrum: exact below both Nyquist frequencies."""
    if rate_in_hz == rate_out_hz:
        return sound
    # The transform takes its input for one turn of a loop; silence keeps the end from ringing into the start.
    padded = np.concatenate((sound, np.zeros(round(rate_in_hz * _PADDING_S))))
    samples_out = round(len(padded) * rate_out_hz / rate_in_hz)
    spectrum = np.fft.rfft(padded)
    resampled: NDArray[np.float64] = np.fft.irfft(spectrum[: samples_out // 2 + 1], samples_out)
    wanted = round(len(sound) * rate_out_hz / rate_in_hz)
    return resampled[:wanted] * (samples_out / len(padded))


def encode(samples: Samples, audio_format: AudioFormat) -> bytes:
    """Wire audio of int16 [n]."""
    return encoder(audio_format)(samples)


def decode(payload: bytes, audio_format: AudioFormat) -> Samples:
    """int16 [n] of wire audio, which may be a view of it. Raises ValueError for half a sample."""
    return decoder(audio_format)(payload)


def encoder(audio_format: AudioFormat) -> Callable[[Samples], bytes]:
    """`encode` for one format: for what is done 50 times a second."""
    return _encode_ulaw if audio_format.encoding is Encoding.ULAW else l16_encode


def decoder(audio_format: AudioFormat) -> Callable[[bytes], Samples]:
    """`decode` for one format."""
    return _decode_ulaw if audio_format.encoding is Encoding.ULAW else l16_decode


def _encode_ulaw(samples: Samples) -> bytes:
    return ulaw_encode(samples).tobytes()


def _decode_ulaw(payload: bytes) -> Samples:
    return _ULAW_TO_INT16.take(np.frombuffer(payload, np.uint8))


class Loop:
    """Frames of 20 ms out of a sound, again and again or once; silence afterwards."""

    def __init__(self, samples: Samples, frame_samples: int, *, repeat: bool) -> None:
        self._samples = samples
        self._frame_samples = frame_samples
        self._repeat = repeat and len(samples) > 0
        self._at = 0

    @property
    def over(self) -> bool:
        """Whether only silence follows."""
        return not self._repeat and self._at >= len(self._samples)

    def next_frame(self) -> Samples:
        """int16 [frame_samples]."""
        if self._repeat:
            indices = np.arange(self._at, self._at + self._frame_samples)
            frame: Samples = self._samples.take(indices, mode="wrap")
            self._at = (self._at + self._frame_samples) % len(self._samples)
            return frame
        piece = self._samples[self._at : self._at + self._frame_samples]
        self._at += self._frame_samples
        return (
            piece
            if len(piece) == self._frame_samples
            else np.pad(piece, (0, self._frame_samples - len(piece)))
        )
