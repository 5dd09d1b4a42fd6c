"""Opus (RFC 6716), one mono stream each way, through libopus by ctypes.

An encoder or a decoder may be used from any thread, but from one at a time. The interpreter's lock is free
while libopus works. Nothing here resamples: libopus codes and decodes at any of `RATES_HZ`.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mediacodecs import libopus as lib
from mediacodecs.libopus import OpusError, OpusUnavailable, libopus, opus_version
from mediacodecs.opus_packet import MAX_PACKET_SAMPLES, packet_has_fec, packet_samples

__all__ = [
    "MAX_PACKET_SAMPLES",
    "OpusDecoder",
    "OpusEncoder",
    "OpusError",
    "OpusSettings",
    "OpusUnavailable",
    "opus_version",
    "packet_has_fec",
    "packet_samples",
]

RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
_PACKET_BYTES = 4_000  # the space libopus' documentation asks for


@dataclass(frozen=True, slots=True)
class OpusSettings:
    """How an encoder codes. Making one raises ValueError for what libopus would not take."""

    application: Literal["lowdelay", "voip", "audio"] = "lowdelay"
    """`lowdelay` looks 2.5 ms ahead and is the cheapest, but has no FEC; the others look 6.5 ms ahead."""
    bitrate: int = 32_000
    """Bits per second the variable rate aims at, 500…512,000."""
    complexity: int = 5
    """0…10: more is better and dearer."""
    fec: bool = False
    """Put a coarse copy of each frame into the next packet, when `expected_loss` makes it worth while."""
    expected_loss: int = 0
    """Per cent of packets, 0…100, the encoder should count on losing."""
    dtx: bool = False
    """In silence, give packets of at most two bytes, which need not be sent, but for one every 400 ms."""

    def __post_init__(self) -> None:
        if self.application not in lib.APPLICATIONS:
            raise ValueError(f"no Opus application {self.application!r}")
        for name, value, low, high in (
            ("bitrate", self.bitrate, 500, 512_000),
            ("complexity", self.complexity, 0, 10),
            ("expected_loss", self.expected_loss, 0, 100),
        ):
            if not low <= value <= high:
                raise ValueError(f"Opus {name} {value} is not within {low}…{high}")


class OpusEncoder:
    """One mono stream from int16 samples at `rate_hz` to packets."""

    lookahead_samples: int
    """Samples at `rate_hz` by which the coded sound lags behind (for the decoder's output to be aligned)."""

    def __init__(self, rate_hz: int, settings: OpusSettings) -> None:
        """Raises ValueError for a rate not in `RATES_HZ`, OpusUnavailable without the library."""
        if rate_hz not in RATES_HZ:
            raise ValueError(f"Opus has no rate of {rate_hz} Hz")
        self.rate_hz = rate_hz
        library = libopus()
        self._ctl = library.opus_encoder_ctl
        self._encode = library.opus_encode
        # Memory of our own instead of opus_encoder_create(): it lives as long as this object and needs no
        # destroying.
        self._memory = ctypes.create_string_buffer(library.opus_encoder_get_size(1))
        self._state = ctypes.addressof(self._memory)
        self._packet_memory = ctypes.create_string_buffer(_PACKET_BYTES)
        self._packet = memoryview(self._packet_memory).cast("B")
        self._packet_address = ctypes.addressof(self._packet_memory)
        application = lib.APPLICATIONS[settings.application]
        _checked(library.opus_encoder_init(self._state, rate_hz, 1, application), "encoder")
        self._set(lib.SET_BITRATE, settings.bitrate)
        self._set(lib.SET_VBR, 1)
        self._set(lib.SET_COMPLEXITY, settings.complexity)
        self._set(lib.SET_INBAND_FEC, int(settings.fec))
        self._set(lib.SET_PACKET_LOSS_PERC, settings.expected_loss)
        self._set(lib.SET_DTX, int(settings.dtx))
        if settings.application != "audio":
            self._set(lib.SET_SIGNAL, lib.SIGNAL_VOICE)
        lookahead = ctypes.c_int()
        _checked(self._ctl(self._state, lib.GET_LOOKAHEAD, ctypes.byref(lookahead)), "encoder")
        self.lookahead_samples = lookahead.value

    def encode(self, pcm: NDArray[np.int16]) -> bytes:
        """One packet of the samples `pcm` [S], 2.5 to 120 ms of them.

        Raises OpusError when S is not a length that Opus has, TypeError when they are not int16.
        """
        if pcm.dtype.char != "h":
            raise TypeError(f"Opus encodes int16 samples, not {pcm.dtype}")
        # A copy as bytes costs less than asking the array for its address (0.2 against 1.0 µs).
        size = self._encode(self._state, pcm.tobytes(), pcm.size, self._packet_address, _PACKET_BYTES)
        if size < 0:
            raise OpusError(size, "encode")
        return bytes(self._packet[:size])

    def reset(self) -> None:
        """Forget all sound so far; the settings stay."""
        _checked(self._ctl(self._state, lib.RESET_STATE), "reset")

    def _set(self, request: int, value: int) -> None:
        _checked(self._ctl(self._state, request, ctypes.c_int(value)), "encoder")


class OpusDecoder:
    """One stream of packets, mono or stereo, to mono samples at `rate_hz`.

    Every method fills the start of `out` [≥ n], int16 or float32 at int16 scale, and gives n.
    """

    def __init__(self, rate_hz: int) -> None:
        """Raises ValueError for a rate not in `RATES_HZ`, OpusUnavailable without the library."""
        if rate_hz not in RATES_HZ:
            raise ValueError(f"Opus has no rate of {rate_hz} Hz")
        library = libopus()
        self._ctl = library.opus_decoder_ctl
        self._decode = library.opus_decode
        self._memory = ctypes.create_string_buffer(library.opus_decoder_get_size(1))
        self._state = ctypes.addressof(self._memory)
        _checked(library.opus_decoder_init(self._state, rate_hz, 1), "decoder")
        # Decoding lands here first: the address is known once and for all, and the copy converts to float.
        self._longest = MAX_PACKET_SAMPLES * rate_hz // 48_000
        self._pcm = np.zeros(self._longest, dtype=np.int16)
        self._pcm_address = int(self._pcm.ctypes.data)

    def decode_into(
        self, payload: bytes | bytearray | memoryview, out: NDArray[np.int16] | NDArray[np.float32]
    ) -> int:
        """Decode a packet; gives its duration in samples at `rate_hz`.

        Raises OpusError when the packet is empty, corrupt, or longer than `out`; the decoder stays usable.
        """
        if not len(payload):
            raise OpusError(lib.INVALID_PACKET, "decode")
        return self._run(bytes(payload), min(len(out), self._longest), 0, out, "decode")

    def conceal_into(self, out: NDArray[np.int16] | NDArray[np.float32]) -> int:
        """Make up all of `out` in place of a lost packet: first like what was heard, then softer.

        Once SILK was heard it is silent after 80 ms; after CELT some noise stays for as long as one asks,
        so that whoever conceals for longer than 100 ms must fade by himself.
        Raises OpusError unless it is a multiple of 2.5 ms, at most 120.
        """
        return self._run(None, len(out), 0, out, "conceal")

    def recover_into(
        self, payload: bytes | bytearray | memoryview, out: NDArray[np.int16] | NDArray[np.float32]
    ) -> int:
        """Fill all of `out` with the frame *before* `payload`, out of the copy in it (in-band FEC).

        `out` is exactly what is missing. Decode `payload` itself afterwards. Without a copy in it (see
        `packet_has_fec`) this conceals. Raises OpusError like `decode_into` and `conceal_into`.
        """
        if not len(payload):
            raise OpusError(lib.INVALID_PACKET, "recover")
        return self._run(bytes(payload), len(out), 1, out, "recover")

    def reset(self) -> None:
        """Forget all sound so far."""
        _checked(self._ctl(self._state, lib.RESET_STATE), "reset")

    def _run(
        self,
        payload: bytes | None,
        room: int,
        fec: int,
        out: NDArray[np.int16] | NDArray[np.float32],
        doing: str,
    ) -> int:
        if room > self._longest:
            raise OpusError(lib.BAD_ARG, doing)
        size = 0 if payload is None else len(payload)
        samples: int = self._decode(self._state, payload, size, self._pcm_address, room, fec)
        if samples < 0:
            raise OpusError(samples, doing)
        out[:samples] = self._pcm[:samples]
        return samples


def _checked(code: int, doing: str) -> None:
    if code < 0:
        raise OpusError(code, doing)
