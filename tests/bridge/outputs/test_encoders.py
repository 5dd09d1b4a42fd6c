"""What is put into an encoder at a moment is heard and seen at that moment, whatever the file."""

from __future__ import annotations

import io
import time

import av
import numpy as np
import pytest

from bridge.outputs.encoders import (
    AudioEncoder,
    AudioSettings,
    PictureEncoder,
    PictureSettings,
    copied,
    put,
)

pytestmark = pytest.mark.unit

CLICK_AT = 48_000 + 7 * 960


def clicks(samples: int = 96_000) -> np.ndarray:
    """Silence with a 1 kHz burst of 10 ms at `CLICK_AT`."""
    pcm = np.zeros(samples, np.int16)
    pcm[CLICK_AT : CLICK_AT + 480] = 20_000 * np.sin(2 * np.pi * np.arange(480) / 48)
    return pcm


def written(settings: AudioSettings, container: str, pcm: np.ndarray, chunk: int = 4_800) -> bytes:
    encoder = AudioEncoder(settings)
    drain = io.BytesIO()
    with av.open(drain, "w", format=container) as out:
        stream = encoder.add_to(out)
        for at in range(0, len(pcm), chunk):
            put(out, stream, encoder.encode(pcm[at : at + chunk]))
        put(out, stream, encoder.flush())
    return drain.getvalue()


def heard(file: bytes) -> tuple[np.ndarray, int]:
    """The file's sound at int16 scale, shape [channels, samples], and its rate."""
    with av.open(io.BytesIO(file)) as opened:
        stream = opened.streams.audio[0]
        parts = []
        for frame in opened.decode(stream):
            part = frame.to_ndarray()
            if part.dtype != np.int16:
                part = part * 32_767
            if not frame.format.is_planar:
                part = part.reshape(-1, len(frame.layout.channels)).T
            parts.append(part)
        return np.concatenate(parts, axis=1), stream.rate


def onset_ms(sound: np.ndarray, rate_hz: int) -> float:
    return float(np.argmax(np.abs(sound) > 2_000)) * 1000 / rate_hz


@pytest.mark.parametrize(
    ("codec", "container", "rate_hz"),
    [
        ("aac", "mp4", 48_000),
        ("aac", "mp4", 44_100),
        ("mp3", "mp3", 48_000),
        ("mp3", "mp4", 44_100),
        ("opus", "ogg", 48_000),
        ("opus", "mp4", 48_000),
        ("flac", "flac", 48_000),
        ("pcm", "wav", 48_000),
        ("pcm", "wav", 16_000),
    ],
)
def test_a_click_is_heard_where_it_was_put(codec: str, container: str, rate_hz: int) -> None:
    sound, rate = heard(written(AudioSettings(codec, rate_hz=rate_hz), container, clicks()))  # type: ignore[arg-type]
    assert rate == rate_hz
    assert onset_ms(sound[0], rate) == pytest.approx(CLICK_AT / 48, abs=1)


@pytest.mark.parametrize("container", ["flac", "wav", "ogg"])
def test_a_file_is_as_long_as_what_was_put_in_to_the_sample(container: str) -> None:
    codec = {"flac": "flac", "wav": "pcm", "ogg": "opus"}[container]
    sound, _ = heard(written(AudioSettings(codec), container, clicks(960 * 77)))  # type: ignore[arg-type]
    assert sound.shape == (1, 960 * 77)


def test_the_sides_of_a_stereo_sound_stay_apart() -> None:
    pcm = np.zeros((48_000, 2), np.int16)
    pcm[:, 1] = 8_000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    sound, _ = heard(written(AudioSettings("aac", channels=2), "mp4", pcm))
    left, right = np.abs(sound[:, 4_800:43_200]).max(axis=1)
    assert right == pytest.approx(8_000, rel=0.05)
    assert left < 80


@pytest.mark.parametrize("container", ["mp4", "mpegts", "flv"])
def test_sound_and_picture_of_a_moment_come_at_the_same_time(container: str) -> None:
    """A flash at 1.1 s, a click at 1.14 s: apart by 40 ms in every container."""
    sound, picture = AudioEncoder(AudioSettings("aac")), PictureEncoder(PictureSettings())
    drain, pcm = io.BytesIO(), clicks()
    dark = np.full((360, 640, 3), 20, np.uint8)
    bright = np.full((360, 640, 3), 230, np.uint8)
    with av.open(drain, "w", format=container) as out:
        streams = sound.add_to(out), picture.add_to(out)
        for tenth in range(20):
            put(out, streams[0], sound.encode(pcm[tenth * 4_800 : (tenth + 1) * 4_800]))
            put(out, streams[1], picture.encode(bright if tenth >= 11 else dark, tenth))
        put(out, streams[0], sound.flush())
        put(out, streams[1], picture.flush())
    flash = click = None
    with av.open(io.BytesIO(drain.getvalue())) as opened:
        for frame in opened.decode():
            seen = frame.to_ndarray()
            if isinstance(frame, av.VideoFrame):
                flash = frame.time if flash is None and seen[0, 0] > 128 else flash
            elif click is None and np.abs(seen).max() > 0.06:
                click = frame.time + float(np.argmax(np.abs(seen[0]) > 0.06)) / 48_000
    assert flash is not None and click is not None
    assert click - flash == pytest.approx(0.040, abs=0.001)


def test_packets_begin_at_the_sample_asked_for_less_the_priming() -> None:
    encoder = AudioEncoder(AudioSettings("aac"), start_sample=480_000)
    first = next(packet for _ in range(9) for packet in encoder.encode(np.zeros(960, np.int16)))
    assert first.pts == 480_000 - 1_024
    assert encoder.frame_samples == 1_024


def test_key_frames_come_in_time_and_when_asked_for() -> None:
    encoder = PictureEncoder(PictureSettings(fps=5, keyframe_s=1.0))
    frame = np.zeros((360, 640, 3), np.uint8)
    keys = []
    # Pictures 6 to 11 are left out: the next one is then overdue as a key frame.
    for number in (0, 1, 2, 3, 4, 5, 12, 13, 14):
        (packet,) = encoder.encode(frame, number, keyframe=number == 14)
        assert packet.pts == packet.dts == number
        keys += [number] if packet.is_keyframe else []
    assert keys == [0, 5, 12, 14]


def test_the_same_input_gives_the_same_bytes() -> None:
    once, again = (written(AudioSettings("aac"), "adts", clicks()) for _ in range(2))
    assert once == again
    assert b"Lavc" not in once


def test_a_copy_of_a_packet_leaves_the_packet_as_it_is() -> None:
    (packet,) = PictureEncoder(PictureSettings()).encode(np.zeros((360, 640, 3), np.uint8), 7)
    copy = copied(packet)
    copy.pts = 99
    assert (packet.pts, packet.is_keyframe, bytes(packet)) == (7, True, bytes(copy))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: AudioSettings("opus", rate_hz=44_100),
        lambda: AudioSettings("aac", channels=3),  # type: ignore[arg-type]
        lambda: AudioSettings("aac", bitrate=1),
        lambda: PictureSettings(width=641),
        lambda: PictureSettings(fps=0),
        lambda: PictureSettings(keyframe_s=0),
    ],
)
def test_settings_that_cannot_be_had_are_refused_at_once(wrong: object) -> None:
    with pytest.raises(ValueError, match="possible|only|it can have"):
        wrong()  # type: ignore[operator]


def test_a_lively_picture_does_not_take_much_more_than_its_bitrate() -> None:
    rng = np.random.default_rng(5)
    encoder = PictureEncoder(PictureSettings(bitrate=300_000))
    taken = [
        sum(packet.size for packet in encoder.encode(rng.integers(0, 255, (360, 640, 3), np.uint8), number))
        for number in range(50)
    ]
    assert 8 * sum(taken) / 5 < 450_000


def test_a_key_frame_among_pictures_left_out_is_as_good_as_any() -> None:
    """Bits counted by the picture would let those few starve after a while."""
    rng = np.random.default_rng(5)
    drawn = np.kron(rng.integers(40, 200, (18, 32, 1), np.uint8), np.ones((20, 20, 3), np.uint8))
    sizes = []
    for step in (1, 10):
        encoder = PictureEncoder(PictureSettings(bitrate=100_000), even=False)
        packets = [packet for at in range(0, 100, step) for packet in encoder.encode(drawn, at)]
        sizes.append(min(packet.size for packet in packets if packet.is_keyframe))
    assert sizes[1] >= sizes[0]


@pytest.mark.parametrize("chunk", [960, 4_800, 48_000])
def test_sound_after_a_long_silence_is_where_it_belongs(chunk: int) -> None:
    """Silent packets are repeated instead of coded; nobody must hear that."""
    pcm = np.zeros(20 * 48_000, np.int16)
    for at in (0, 9 * 48_000 + 7 * 960, 17 * 48_000):
        pcm[at : at + 4_800] = 9_000 * np.sin(2 * np.pi * 700 * np.arange(4_800) / 48_000)
    sound, _ = heard(written(AudioSettings("aac"), "mp4", pcm, chunk))
    assert sound.shape[1] == pytest.approx(len(pcm), abs=1_024)
    error = sound[0][: len(pcm)] - pcm
    assert not error[2 * 48_000 : 9 * 48_000].any()
    for at in (0, 9 * 48_000 + 7 * 960, 17 * 48_000):
        # 15 dB below the tone; a tenth of a millisecond too early or late would be 7 below.
        assert np.sqrt(np.mean(error[at : at + 4_800] ** 2)) < 9_000 / np.sqrt(2) / 5.6


def test_a_long_silence_is_not_coded_again_and_again() -> None:
    def spent(settings: AudioSettings) -> float:
        encoder = AudioEncoder(settings)
        began = time.process_time()
        packets = [packet for _ in range(60) for packet in encoder.encode(np.zeros(48_000, np.int16))]
        took = time.process_time() - began
        times = [packet.pts for packet in [*packets, *encoder.flush()]]
        assert times == list(range(-1_024, 60 * 48_000, 1_024))[: len(times)] and len(times) == 2_814
        return took

    encoder = AudioEncoder(AudioSettings("aac"))
    began = time.process_time()
    noise = np.random.default_rng(1).integers(-99, 99, 48_000).astype(np.int16)
    for _ in range(15):
        encoder.encode(noise)
    # A minute of silence takes less than a quarter of a minute of noise does.
    assert spent(AudioSettings("aac")) < time.process_time() - began
