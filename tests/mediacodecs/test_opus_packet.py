"""Opus packets read from outside: tables of RFC 6716, and libopus' own parser as the judge of the rest."""

from __future__ import annotations

import ctypes
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacodecs.libopus import libopus
from mediacodecs.opus import OpusEncoder, OpusSettings, packet_has_fec, packet_samples
from tests.kit.tones import speech_like

pytestmark = pytest.mark.unit

# RFC 6716 §3.1, table 2, in milliseconds: SILK in three bandwidths, hybrid in two, CELT in four.
FRAME_MS = [10, 20, 40, 60] * 3 + [10, 20] * 2 + [2.5, 5, 10, 20] * 4


def _toc(config: int, code: int, stereo: bool = False) -> int:
    return config << 3 | stereo << 2 | code


def _parsed_by_libopus(payload: bytes) -> int:
    """Samples at 48 kHz, or 0 where libopus calls the packet corrupt."""
    sizes = (ctypes.c_int16 * 48)()
    library = libopus()
    count = library.opus_packet_parse(payload, len(payload), None, None, sizes, None)
    return count * library.opus_packet_get_samples_per_frame(payload, 48_000) if count > 0 else 0


@pytest.mark.parametrize("config", range(32))
@pytest.mark.parametrize("stereo", [False, True])
def test_toc_tells_the_duration(config: int, stereo: bool) -> None:
    frame = round(FRAME_MS[config] * 48)
    assert packet_samples(bytes([_toc(config, 0, stereo), 1, 2, 3])) == frame
    assert packet_samples(bytes([_toc(config, 1, stereo), 1, 2])) == 2 * frame
    assert packet_samples(bytes([_toc(config, 2, stereo), 1, 9, 9, 9])) == 2 * frame
    counted = bytes([_toc(config, 3, stereo), 3, 1, 2, 3])
    assert packet_samples(counted) == (3 * frame if 3 * frame <= 5_760 else 0)


def test_longest_packet_is_120_ms() -> None:
    assert packet_samples(bytes([_toc(16, 3), 48]) + bytes(48)) == 5_760
    assert packet_samples(bytes([_toc(16, 3), 49]) + bytes(49)) == 0
    assert packet_samples(bytes([_toc(3, 3), 2]) + bytes(2)) == 5_760
    assert packet_samples(bytes([_toc(3, 3), 3]) + bytes(3)) == 0


def test_packet_of_nothing_but_its_toc_is_a_frame_of_nothing() -> None:
    assert packet_samples(bytes([_toc(31, 0)])) == 960
    assert packet_samples(memoryview(bytes([_toc(31, 0)]))) == 960


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes([_toc(31, 0)]) + bytes(1_276),  # R2: a frame too long
        bytes([_toc(31, 1), 1]),  # R3: an odd number of bytes for two equal frames
        bytes([_toc(31, 1)]) + bytes(2 * 1_276),
        bytes([_toc(31, 2)]),  # R4: no length, half of one, one beyond the end
        bytes([_toc(31, 2), 252]),
        bytes([_toc(31, 2), 5, 1, 2]),
        bytes([_toc(31, 3)]),  # R5: no count, none, too many
        bytes([_toc(31, 3), 0]),
        bytes([_toc(31, 3), 7]) + bytes(7),
        bytes([_toc(31, 3), 2, 1, 2, 3]),  # R6: not a multiple; more padding than there is
        bytes([_toc(31, 3), 0x40 | 2, 9, 1, 2]),
        bytes([_toc(31, 3), 0x40 | 2, 255]),
        bytes([_toc(31, 3), 0x80 | 2, 9, 1, 2]),  # R7: lengths beyond the end
        bytes([_toc(31, 3), 0x80 | 2]),
    ],
)
def test_corrupt_packet_has_no_duration_and_no_fec(payload: bytes) -> None:
    assert packet_samples(payload) == 0
    assert packet_samples(memoryview(payload)) == 0
    assert packet_has_fec(bytes([payload[0] & 7]) + payload[1:] if payload else b"") is False


@st.composite
def _likely_packets(draw: st.DrawFn) -> bytes:
    """Bytes that look like a packet more often than chance would have it."""
    count = draw(st.sampled_from([0, 1, 2, 3, 6, 48, 63])) | draw(st.sampled_from([0, 0x40, 0x80, 0xC0]))
    rest = draw(st.one_of(st.binary(max_size=40), st.binary(min_size=1_270, max_size=1_280)))
    lengths = draw(st.binary(max_size=3) | st.sampled_from([b"\xfc\x01", b"\xff\xff", b"\xff\x00", b"\x02"]))
    return bytes([draw(st.integers(0, 255)), count]) + lengths + rest


@given(st.one_of(st.binary(max_size=30), _likely_packets()))
@settings(max_examples=500, deadline=None)
def test_libopus_agrees_about_any_bytes(payload: bytes) -> None:
    assert packet_samples(payload) == (_parsed_by_libopus(payload) if payload else 0)


@pytest.mark.skipif(not hasattr(libopus(), "opus_packet_has_lbrr"), reason="libopus before 1.5")
@given(st.one_of(st.binary(max_size=30), _likely_packets()))
@settings(max_examples=500, deadline=None)
def test_libopus_agrees_about_fec_in_any_bytes(payload: bytes) -> None:
    expected = payload and _parsed_by_libopus(payload) and _first_frame(payload)
    flagged = libopus().opus_packet_has_lbrr(payload, len(payload)) > 0 if expected else False
    assert packet_has_fec(payload) is flagged


def _first_frame(payload: bytes) -> int:
    """Length of the first frame, by libopus: it reads on beyond an empty one."""
    sizes = (ctypes.c_int16 * 48)()
    libopus().opus_packet_parse(payload, len(payload), None, None, sizes, None)
    return sizes[0]


def test_flags_of_activity_are_not_taken_for_fec() -> None:
    one_frame, three_frames = _toc(1, 0), _toc(3, 0)
    assert not packet_has_fec(bytes([one_frame, 0b1000_0000]))
    assert packet_has_fec(bytes([one_frame, 0b0100_0000]))
    assert not packet_has_fec(bytes([three_frames, 0b1110_0000]))
    assert packet_has_fec(bytes([three_frames, 0b0001_0000]))
    stereo = _toc(1, 0, stereo=True)
    assert packet_has_fec(bytes([stereo, 0b0001_0000]))
    assert not packet_has_fec(bytes([one_frame, 0b0001_0000]))


def test_celt_packet_never_has_fec() -> None:
    for config in range(16, 32):
        assert not packet_has_fec(bytes([_toc(config, 0), 0xFF, 0xFF]))


def test_encoder_that_expects_loss_sends_packets_with_fec() -> None:
    speech = np.rint(speech_like(2.0, 48_000)).astype(np.int16).reshape(-1, 960)
    plain = OpusEncoder(48_000, OpusSettings(application="voip"))
    careful = OpusEncoder(48_000, OpusSettings(application="voip", fec=True, expected_loss=20))
    quick = OpusEncoder(48_000, OpusSettings(application="lowdelay", fec=True, expected_loss=20))
    assert not any(packet_has_fec(plain.encode(frame)) for frame in speech)
    assert sum(packet_has_fec(careful.encode(frame)) for frame in speech) > 20
    assert not any(packet_has_fec(quick.encode(frame)) for frame in speech)


def test_padding_does_not_change_the_duration() -> None:
    for padding in (0, 1, 254, 255, 600):
        more = [255] * (padding // 254) + [padding % 254]
        head = struct.pack("BB", _toc(31, 3), 0x40 | 1) + bytes(more)
        payload = head + b"\x01\x02\x03" + bytes(sum(254 if one == 255 else one for one in more))
        assert packet_samples(payload) == 960 == _parsed_by_libopus(payload)
