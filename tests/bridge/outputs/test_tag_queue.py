"""What waits for a connection: it begins with a key frame, and is never too much."""

from __future__ import annotations

import pytest

from bridge.outputs.flv import FlvStream, Tag
from bridge.outputs.live_wire import SoundSpec
from bridge.outputs.media_units import SoundTrack
from bridge.outputs.tag_queue import TagQueue
from bridge.rtmp.chunks import METADATA, PICTURE, SOUND

pytestmark = pytest.mark.unit

SECOND = 48_000
STREAM = FlvStream(SoundTrack("mp3", 1, b""), None, SoundSpec("mp3", rate_hz=44_100), None)


class Pictured(FlvStream):
    """As if there were a picture."""

    __slots__ = ()

    def opening(self, at: int) -> list[Tag]:
        return [Tag(METADATA, at, b"m")]


PICTURED = Pictured(STREAM.sound, object(), STREAM.sound_spec, None)  # type: ignore[arg-type]


def sound(at: float) -> Tag:
    return Tag(SOUND, round(at * SECOND), b"s" * 100)


def picture(at: float, key: bool = False) -> Tag:
    return Tag(PICTURE, round(at * SECOND), b"p" * 100, key)


def mark(at: float, name: bytes = b"vote") -> Tag:
    return Tag(METADATA, round(at * SECOND), name, beside=True)


def levels(at: float, name: bytes = b"levels") -> Tag:
    return Tag(METADATA, round(at * SECOND), name, key=False, beside=True)


def said(queue: TagQueue) -> list[tuple[float, bytes]]:
    """Marks and levels, with their times in seconds."""
    return [(tag.at / SECOND, tag.body) for tag in queue.take(1 << 20) if tag.beside]


def kinds(queue: TagQueue) -> str:
    names = {METADATA: "m", SOUND: "s", PICTURE: "p"}
    return "".join(names[tag.kind].upper() if tag.key else names[tag.kind] for tag in queue.take(10_000))


def opened(stream: FlvStream, longest_s: float = 5.0) -> TagQueue:
    queue = TagQueue(longest_s)
    queue.begin(stream)
    queue.open()
    return queue


def test_sound_alone_begins_at_once_behind_its_description() -> None:
    queue = opened(STREAM)
    queue.put([sound(0), sound(0.02)])
    assert kinds(queue) == "MSS"


def test_nothing_waits_before_somebody_takes() -> None:
    queue = TagQueue()
    queue.begin(STREAM)
    queue.put([sound(0)])
    assert queue.take(1_000) == [] and queue.left_out == 0
    queue.open()
    queue.put([sound(1)])
    assert kinds(queue) == "MS"


def test_a_picture_begins_with_a_key_frame_and_the_sound_with_it() -> None:
    queue = opened(PICTURED)
    queue.put([sound(0), picture(0), sound(0.1), picture(0.1, key=True), sound(0.12), picture(0.2)])
    assert kinds(queue) == "MPSp"


def test_a_new_encoder_is_described_anew() -> None:
    queue = opened(PICTURED)
    queue.put([picture(0, key=True), sound(0.1)])
    queue.begin(PICTURED)
    queue.put([sound(0.2), picture(0.3), picture(0.4, key=True)])
    assert kinds(queue) == "MPSMP"


def test_too_much_is_left_out_up_to_the_next_key_frame_and_counted() -> None:
    queue = opened(PICTURED, longest_s=1.0)
    for tenth in range(11):
        queue.put([picture(tenth / 10, key=tenth == 0), sound(tenth / 10 + 0.05)])
    assert queue.waiting == 0, "1.05 s is too much"
    queue.put([picture(1.1), sound(1.15)])
    assert queue.take(1_000) == []
    queue.put([picture(1.2, key=True), sound(1.25)])
    assert queue.left_out == round(1.2 * SECOND)
    assert kinds(queue) == "MPS"


def test_what_nobody_takes_for_long_is_counted_whole() -> None:
    queue = opened(STREAM, longest_s=1.0)
    for tick in range(500):
        queue.put([sound(tick / 50)])
    left = queue.take(1 << 20)
    assert queue.left_out == left[0].at, "all that is not there"
    assert left[-1].at == round(499 / 50 * SECOND) and queue.left_out > 8 * SECOND


def test_it_is_taken_by_bytes_and_at_least_one() -> None:
    queue = opened(STREAM)
    queue.put([sound(tick / 50) for tick in range(10)])
    assert len(queue.take(1)) == 1
    assert len(queue.take(250)) == 2
    assert len(queue.take(10_000)) == 8


def test_a_jump_of_time_is_not_taken_for_much_that_waits() -> None:
    queue = opened(STREAM, longest_s=1.0)
    queue.put([sound(0), sound(0.5)])
    queue.begin(STREAM)
    queue.put([sound(60), sound(60.2)])
    assert queue.waiting == pytest.approx(0.7 * SECOND)
    assert kinds(queue) == "MSSMSS" and queue.left_out == 0
    queue.put([sound(60.3), sound(60.5)])
    assert queue.waiting == pytest.approx(0.2 * SECOND)


def test_too_much_is_too_much_also_over_a_jump() -> None:
    queue = opened(STREAM, longest_s=1.0)
    queue.put([sound(0), sound(0.9)])
    queue.begin(STREAM)
    queue.put([sound(60), sound(60.2)])
    assert queue.waiting == 0 and queue.take(1_000) == []


def test_marks_and_the_newest_levels_wait_for_the_beginning() -> None:
    queue = TagQueue()
    queue.begin(PICTURED)
    queue.put([mark(0, b"first"), levels(0, b"old"), levels(0.1, b"new")])
    queue.open()
    queue.put([sound(0.2), mark(0.2, b"second"), picture(0.3), picture(0.4, key=True), mark(0.5, b"third")])
    assert said(queue) == [(0.4, b"first"), (0.4, b"second"), (0.4, b"new"), (0.5, b"third")]


def test_they_are_not_left_out_with_the_rest() -> None:
    queue = opened(PICTURED, longest_s=1.0)
    queue.put([picture(0, key=True), mark(0.1), levels(0.2, b"old"), sound(0.5), levels(0.6), sound(1.2)])
    assert queue.take(1_000) == []
    queue.put([picture(1.3, key=True), sound(1.4)])
    assert said(queue) == [(1.3, b"vote"), (1.3, b"levels")]


def test_only_so_many_marks_wait_and_the_newest_do() -> None:
    queue = TagQueue()
    queue.begin(STREAM)
    queue.put([mark(n / 100, str(n).encode()) for n in range(40)])
    queue.open()
    queue.put([sound(1)])
    assert [name for _, name in said(queue)] == [str(n).encode() for n in range(24, 40)]
