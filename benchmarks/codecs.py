"""Codecs and resampler: CPU time per leg and 20 ms, in a batch against the obvious way.

    python benchmarks/codecs.py [--json FILE] [--quick]

µ-law and resampling work on a batch of N legs and are compared with one call per leg, with the standard
library's audioop where Python still has it, and with PyAV's resampler. Opus is one call per leg in any case
and is compared with PyAV's codec contexts at the same settings, bytes or samples out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from measure import Row, compared, cpu_us, options, report
from numpy.typing import NDArray

from mediacodecs.blas import use_one_thread
from mediacodecs.g711 import ulaw_decode, ulaw_encode
from mediacodecs.opus import OpusDecoder, OpusEncoder, OpusSettings, opus_version
from mediacodecs.resample import resampler

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
except ImportError:  # from Python 3.13 on
    audioop = None  # type: ignore[assignment]

UNIT = "us/leg"
_DECODED: tuple[Literal["lowdelay", "voip"], ...] = ("lowdelay", "voip")
Timer = Callable[[Callable[[], object]], float]


def _voices(rows: int, samples: int) -> NDArray[np.int16]:
    """Something like vowels, going on from row to row: a gliding pitch with formants, swelling and ebbing."""
    time = np.arange(rows * samples) / (samples * 50)
    pitch = 130 + 40 * np.sin(2 * np.pi * 1.3 * time)
    turn = 2 * np.pi * np.cumsum(pitch) / (samples * 50)
    sound = np.zeros(len(time))
    for harmonic in range(1, 24):
        at = harmonic * pitch
        formants = sum(np.exp(-(((at - middle) / 200) ** 2)) for middle in (500, 1_500, 2_500))
        sound += (formants + 0.05) / harmonic**0.5 * np.sin(harmonic * turn)
    sound += 0.02 * np.random.default_rng(0).standard_normal(len(time))
    sound *= 3_000 * np.abs(np.sin(2 * np.pi * 2.1 * time))
    return np.asarray(np.rint(np.clip(sound, -32_767, 32_767)), dtype=np.int16).reshape(rows, samples)


def ulaw(legs: int, timed: Timer) -> Iterator[Row]:
    pcm = _voices(legs, 160)
    codes = ulaw_encode(pcm)
    code_out, pcm_out = np.empty_like(codes), np.empty(codes.shape, np.float32)
    frames, pcm_frames = [row.tobytes() for row in codes], [row.tobytes() for row in pcm]

    def gather_and_decode() -> None:
        ulaw_decode(np.frombuffer(b"".join(frames), np.uint8).reshape(legs, 160), pcm_out)

    def encode_and_split() -> list[bytes]:
        ulaw_encode(pcm, code_out)
        whole = code_out.tobytes()
        return [whole[at : at + 160] for at in range(0, len(whole), 160)]

    decode_one_by_one = (
        timed(lambda: [ulaw_decode(np.frombuffer(frame, np.uint8)) for frame in frames]) / legs
    )
    encode_one_by_one = timed(lambda: [ulaw_encode(row).tobytes() for row in pcm]) / legs
    decode, encode = timed(gather_and_decode) / legs, timed(encode_and_split) / legs
    size = f"N={legs}"
    yield compared("mu-law decode", size, decode, UNIT, "one by one", decode_one_by_one)
    yield compared("mu-law encode", size, encode, UNIT, "one by one", encode_one_by_one)
    if audioop is not None:
        decode_c = timed(lambda: [audioop.ulaw2lin(frame, 2) for frame in frames]) / legs
        encode_c = timed(lambda: [audioop.lin2ulaw(frame, 2) for frame in pcm_frames]) / legs
        yield compared("mu-law decode", size, decode, UNIT, "audioop", decode_c)
        yield compared("mu-law encode", size, encode, UNIT, "audioop", encode_c)


def resampling(rate_in: int, rate_out: int, legs: int, timed: Timer) -> Iterator[Row]:
    change = resampler(rate_in, rate_out)
    pcm = _voices(legs, rate_in // 50)
    sound = pcm.astype(np.float32)
    history, out = change.history(legs), np.empty((legs, rate_out // 50), np.float32)
    own_history = [change.history(1) for _ in range(legs)]
    batch = timed(lambda: change.process(sound, history, out)) / legs
    what, size = f"{rate_in // 1000}k to {rate_out // 1000}k", f"N={legs}"

    def one_by_one() -> None:
        for row in range(legs):
            change.process(sound[row : row + 1], own_history[row], out[row : row + 1])

    yield compared(what, size, batch, UNIT, "one by one", timed(one_by_one) / legs)

    pyav = [av.AudioResampler(format="s16", layout="mono", rate=rate_out) for _ in range(legs)]

    def with_pyav() -> None:
        for row in range(legs):
            frame = av.AudioFrame.from_ndarray(pcm[row : row + 1], format="s16", layout="mono")
            frame.sample_rate = rate_in
            for changed in pyav[row].resample(frame):
                changed.to_ndarray()

    yield compared(what, size, batch, UNIT, "PyAV", timed(with_pyav) / legs)


def _pyav_encoder(rate_hz: int, choice: OpusSettings) -> av.AudioCodecContext:
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.format, context.layout = rate_hz, "s16", "mono"
    context.bit_rate, context.time_base = choice.bitrate, Fraction(1, rate_hz)
    context.options = {
        "application": choice.application,
        "compression_level": str(choice.complexity),
        "fec": str(int(choice.fec)),
        "packet_loss": str(choice.expected_loss),
    }
    return context


def opus_encode(rate_hz: int, choice: OpusSettings, timed: Timer) -> Iterator[Row]:
    pcm = _voices(50, rate_hz // 50)  # a second of it, coded over and over
    ours = OpusEncoder(rate_hz, choice)
    figure = timed(lambda: [ours.encode(frame) for frame in pcm]) / len(pcm)
    theirs = _pyav_encoder(rate_hz, choice)
    sent = 0

    def with_pyav() -> None:
        nonlocal sent
        for row in range(len(pcm)):
            frame = av.AudioFrame.from_ndarray(pcm[row : row + 1], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, sent, Fraction(1, rate_hz)
            sent += frame.samples
            for packet in theirs.encode(frame):
                bytes(packet)

    what = f"Opus encode {choice.application}" + (" with FEC" if choice.fec else "")
    size = f"{rate_hz // 1000}k cx{choice.complexity}"
    yield compared(what, size, figure, UNIT, "PyAV", timed(with_pyav) / len(pcm))


def opus_decode(rate_hz: int, application: Literal["lowdelay", "voip"], timed: Timer) -> Iterator[Row]:
    encoder = OpusEncoder(48_000, OpusSettings(application=application))
    packets = [encoder.encode(frame) for frame in _voices(50, 960)]
    decoder, out = OpusDecoder(rate_hz), np.empty(rate_hz // 50, np.float32)
    decode = timed(lambda: [decoder.decode_into(packet, out) for packet in packets]) / len(packets)

    def conceal_every_second() -> None:
        for packet in packets:
            decoder.decode_into(packet, out)
            decoder.conceal_into(out)

    conceal = timed(conceal_every_second) / len(packets) - decode
    theirs = av.CodecContext.create("libopus", "r")
    theirs.sample_rate, theirs.layout = 48_000, "mono"  # it decodes at no other rate

    def with_pyav() -> None:
        for packet in packets:
            for frame in theirs.decode(av.Packet(packet)):
                frame.to_ndarray()

    size = f"{rate_hz // 1000}k"
    pyav = timed(with_pyav) / len(packets)
    yield compared(f"Opus decode {application}", size, decode, UNIT, "PyAV at 48k", pyav)
    yield compared(f"Opus conceal {application}", size, conceal, UNIT, "decoding", decode)


def main() -> None:
    asked = options(__doc__, quick="fewer sizes and shorter rounds")
    use_one_thread()  # as the server does

    def timed(call: Callable[[], object]) -> float:
        return cpu_us(call, repeats=3, at_least_s=0.005) if asked.quick else cpu_us(call)

    sizes = (1, 100) if asked.quick else (1, 10, 100, 500)
    rates = (8_000, 16_000, 48_000)
    rows = sorted((row for legs in sizes for row in ulaw(legs, timed)), key=lambda row: str(row["what"]))
    for rate_in in rates:
        for rate_out in rates:
            if rate_in != rate_out:
                for legs in sizes:
                    rows += resampling(rate_in, rate_out, legs, timed)
    for choice in (
        *(OpusSettings(application="lowdelay", complexity=level) for level in (0, 5, 10)),
        *(OpusSettings(application="voip", complexity=level) for level in (0, 5, 10)),
        *(
            OpusSettings(application="voip", complexity=level, fec=True, expected_loss=10)
            for level in (0, 5, 10)
        ),
        *(OpusSettings(application="audio", complexity=level) for level in (0, 5, 10)),
    ):
        rows += opus_encode(48_000, choice, timed)
    for level in (0, 5, 10):
        rows += opus_encode(16_000, OpusSettings(complexity=level), timed)
    decoding = [row for kind in _DECODED for rate_hz in rates for row in opus_decode(rate_hz, kind, timed)]
    rows += sorted(decoding, key=lambda row: str(row["what"]))
    title = f"CPU time per leg and 20 ms (NumPy {np.__version__}, {opus_version()}, PyAV {av.__version__})"
    report(title, rows, asked.json)


if __name__ == "__main__":
    main()
