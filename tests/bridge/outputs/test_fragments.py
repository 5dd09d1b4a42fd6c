"""Fragmented MP4 and transport streams of ours, read by libraries that others wrote."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.outputs.fmp4 import Fmp4
from bridge.outputs.h264_units import nal_units, parameter_sets, to_lengths
from bridge.outputs.live_codings import PictureCoding, SoundCoding
from bridge.outputs.live_wire import PictureSpec, SoundSpec
from bridge.outputs.media_units import LEAD, SoundTrack, Unit
from bridge.outputs.mpegts import PACKET, TransportStream, time_90k
from bridge.outputs.scene import View
from tests.kit.tones import find_tones, tone

pytestmark = pytest.mark.wire

RATE = 48_000


class FlatPainter:
    """A picture that is as bright as its view's title says."""

    def __init__(self, width: int = 160, height: int = 90) -> None:
        self._shape = (height, width, 3)
        self._painted: dict[View, NDArray[np.uint8]] = {}

    def paint(self, view: View) -> NDArray[np.uint8]:
        if view not in self._painted:
            self._painted[view] = np.full(self._shape, int(view.title or "0"), np.uint8)
        return self._painted[view]


def coded_sound(spec: SoundSpec, seconds: float = 3.0) -> tuple[SoundTrack, list[Unit]]:
    coding = SoundCoding(spec, 0)
    pcm = tone(440, seconds, RATE).astype(np.int16)
    units = [*coding.encode(pcm).units, *coding.flush().units]
    return coding.track, units


def coded_picture(seconds: float = 3.0) -> tuple[PictureCoding, list[Unit]]:
    coding = PictureCoding(PictureSpec(160, 90, 10, 100_000), 0, FlatPainter())
    units = coding.encode(int(seconds * 50), lambda tick: View(title=str(tick)))
    return coding, [*units.units, *coding.flush().units]


def decoded(content: bytes) -> tuple[NDArray[np.float32], float]:
    """The sound (one side), and when it begins, seconds."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        assert frames[0].pts is not None and stream.time_base is not None
        sound = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)
        if frames[0].format.name.startswith(("flt", "dbl")):
            sound *= 32_767
        return sound, float(frames[0].pts * stream.time_base)


def in_pieces(units: list[Unit], count: int) -> list[list[Unit]]:
    return [units[at : at + count] for at in range(0, len(units), count)]


@pytest.mark.parametrize("codec", ["aac", "opus", "flac", "mp3"])
def test_sound_in_fragments_is_heard_without_a_seam(codec: str) -> None:
    track, units = coded_sound(SoundSpec(codec, 128_000))  # type: ignore[arg-type]
    mp4 = Fmp4(track, None)
    content = mp4.header() + b"".join(
        mp4.fragment(number, some, []) for number, some in enumerate(in_pieces(units, 7))
    )
    sound, begin_s = decoded(content)
    assert begin_s * RATE == pytest.approx(LEAD + units[0].at, abs=330)  # Opus leaves its pre-skip out
    middle = sound[RATE // 2 : RATE // 2 + 2 * RATE]
    assert list(find_tones(middle, RATE)) == [440]


@pytest.mark.parametrize("codec", ["aac", "mp3"])
def test_sound_in_transport_segments_is_heard_without_a_seam(codec: str) -> None:
    track, units = coded_sound(SoundSpec(codec, 128_000))  # type: ignore[arg-type]
    stream = TransportStream(track, None)
    content = b"".join(stream.segment(some, []) for some in in_pieces(units, 11))
    sound, begin_s = decoded(content)
    assert begin_s * RATE == pytest.approx(LEAD + units[0].at, abs=1)
    assert list(find_tones(sound[RATE // 2 : RATE // 2 + 2 * RATE], RATE)) == [440]


def test_both_sides_of_stereo_are_there() -> None:
    track, units = coded_sound(SoundSpec("aac", 128_000, 2))
    mp4 = Fmp4(track, None)
    with av.open(io.BytesIO(mp4.header() + mp4.fragment(0, units, []))) as container:
        frame = next(container.decode(audio=0))
        assert frame.layout.name == "stereo"


def test_pictures_and_sound_are_shown_together() -> None:
    track, sound = coded_sound(SoundSpec())
    coding, pictures = coded_picture()
    for content in (
        Fmp4(track, coding.track).header()
        + Fmp4(track, coding.track).fragment(0, sound[:70], pictures[:15])
        + Fmp4(track, coding.track).fragment(1, sound[70:], pictures[15:]),
        TransportStream(track, coding.track).segment(sound, pictures),
    ):
        with av.open(io.BytesIO(content)) as container:
            shown = list(container.decode(video=0))
            assert len(shown) == 30
            times = [frame.pts * frame.time_base for frame in shown]
            assert times == [Fraction(10 + n, 10) for n in range(30)]
            # What was painted at 2 s (tick 100) is shown at 2 s, one second of lead later.
            level = shown[20].to_ndarray(format="gray").mean()
            assert level == pytest.approx(100, abs=12)


def test_each_transport_segment_can_be_read_by_itself() -> None:
    track, sound = coded_sound(SoundSpec())
    coding, pictures = coded_picture()
    stream = TransportStream(track, coding.track)
    first = stream.segment([u for u in sound if u.at < RATE], pictures[:10])
    second = stream.segment([u for u in sound if RATE <= u.at < 2 * RATE], pictures[10:20])
    for number, content in enumerate((first, second)):
        assert len(content) % PACKET == 0
        with av.open(io.BytesIO(content)) as container:
            frames = list(container.decode(video=0))
            assert len(frames) == 10 and frames[0].key_frame
            assert frames[0].pts * frames[0].time_base == 1 + number


def test_counters_of_a_transport_stream_run_on_over_segments() -> None:
    track, sound = coded_sound(SoundSpec())
    coding, pictures = coded_picture()
    stream = TransportStream(track, coding.track)
    content = stream.segment(sound[:40], pictures[:10]) + stream.segment(sound[40:80], pictures[10:20])
    seen: dict[int, int] = {}
    for at in range(0, len(content), PACKET):
        packet = content[at : at + PACKET]
        assert packet[0] == 0x47
        pid, counter = int.from_bytes(packet[1:3], "big") & 0x1FFF, packet[3] & 15
        assert packet[3] & 0x10, "every packet carries something"
        assert counter == (seen.get(pid, counter - 1) + 1) & 15
        seen[pid] = counter
    assert set(seen) == {0, 0x1000, 0x100, 0x101}


@pytest.mark.parametrize("size", [*range(1, 8), *range(150, 200), 366, 367, 368, 369, 370, 371, 372])
def test_a_message_of_any_length_fills_its_packets(size: int) -> None:
    track = SoundTrack("mp3", 1, b"")
    stream = TransportStream(track, None)
    content = stream.segment([Unit(bytes(size), 0, 1152)], [])
    assert len(content) % PACKET == 0
    payload = b""
    for at in range(2 * PACKET, len(content), PACKET):
        packet = content[at : at + PACKET]
        assert packet[0] == 0x47
        field = 1 + packet[4] if packet[3] & 0x20 else 0
        payload += packet[4 + field :]
    assert payload[:4] == b"\x00\x00\x01\xc0" and payload[14:] == bytes(size)


def test_times_wrap_after_33_bits() -> None:
    day = 26 * 3_600 * RATE + 31 * 60 * RATE
    assert 0 <= time_90k(day) < 1 << 33
    assert time_90k(day + 1_024) - time_90k(day) == 1_920
    track, _ = coded_sound(SoundSpec(), 0.2)
    Fmp4(track, None).fragment(2**40, [Unit(b"x", 100 * day, 1024)], [])  # must not overflow


def test_what_has_no_place_in_a_transport_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="opus"):
        TransportStream(SoundTrack("opus", 1, b""), None)


def test_nal_units_are_found_whatever_their_start_codes() -> None:
    content = b"\x00\x00\x00\x01\x67AB\x00\x00\x01\x68C\x00\x00\x00\x01\x65\x00\x00\x03\x01D"
    assert nal_units(content) == [b"\x67AB", b"\x68C", b"\x65\x00\x00\x03\x01D"]
    assert to_lengths(content) == b"\x00\x00\x00\x06\x65\x00\x00\x03\x01D"
    assert parameter_sets(content).codec_name == "avc1." + b"AB".hex().upper() + ""
    with pytest.raises(ValueError, match="parameter sets"):
        parameter_sets(b"\x00\x00\x01\x65xx")
