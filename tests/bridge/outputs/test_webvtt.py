from __future__ import annotations

import pytest

from bridge.outputs.webvtt import CaptionQueue, Cue, segment_text

pytestmark = pytest.mark.wire

S = 48_000


def texts(queue: CaptionQueue, at_s: float, until_s: float) -> list[str]:
    return [cue.text for cue in queue.take(round(at_s * S), round(until_s * S))]


def test_a_segment_with_a_caption_as_a_whole() -> None:
    assert segment_text([Cue(S, 2 * S + S // 2, "Hello <there> & all", "Ann")], 0) == (
        "WEBVTT\n"
        "X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"
        "\n"
        "00:00:02.000 --> 00:00:03.500 position:50.00% size:80.00% align:middle\n"
        "<v Ann>Hello &lt;there&gt; &amp; all</v>\n"
    )


def test_a_segment_in_which_nobody_speaks_is_a_header() -> None:
    assert segment_text([], 0) == "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"


def test_after_a_day_the_map_counts_the_wraps_of_33_bits() -> None:
    text = segment_text([Cue(100_000 * S, 100_001 * S, "late")], 100_000 * S)
    assert "X-TIMESTAMP-MAP=LOCAL:26:30:43.718,MPEGTS:0\n" in text
    assert "27:46:41.000 --> 27:46:42.000" in text


def test_no_text_can_break_out_of_its_cue() -> None:
    evil = "one\n\nNOTE x\n00:00:00.000 --> 00:09:00.000\r\n\x00\x1b<v Other>two --> three\u2028four"
    text = segment_text([Cue(0, S, evil, "A\n\n<b>")], 0)
    head, cue = text.split("\n\n", 1)
    assert "\n\n" not in cue
    assert cue.count("-->") == 1
    assert "<v Other>" not in cue and "\x00" not in cue and "\x1b" not in cue
    assert cue.split("\n")[1].startswith("<v A &lt;b&gt;>one")


def test_a_caption_goes_into_every_segment_it_is_seen_in() -> None:
    queue = CaptionQueue()
    queue.put(Cue(S, 5 * S, "long"))
    assert [texts(queue, at, at + 2) for at in (0, 2, 4, 6)] == [["long"], ["long"], ["long"], []]


def test_a_late_caption_is_moved_to_where_it_can_still_be_seen() -> None:
    queue = CaptionQueue()
    assert texts(queue, 0, 2) == []
    queue.put(Cue(S // 2, S + S // 2, "late"))
    (cue,) = queue.take(2 * S, 4 * S)
    assert (cue.at, cue.until, cue.text) == (2 * S, 3 * S, "late")
    assert queue.late == 1


def test_a_caption_late_by_a_part_keeps_its_time() -> None:
    queue = CaptionQueue()
    queue.take(0, 2 * S)
    queue.put(Cue(S, 3 * S, "half"))
    assert queue.take(2 * S, 4 * S) == [Cue(S, 3 * S, "half")]
    assert queue.late == 0


def test_captions_come_in_the_order_of_their_times() -> None:
    queue = CaptionQueue()
    for at in (3, 1, 2):
        queue.put(Cue(at * S, at * S + S // 2, str(at)))
    assert texts(queue, 0, 5) == ["1", "2", "3"]


def test_what_is_empty_is_no_caption_and_what_is_short_can_be_read() -> None:
    queue = CaptionQueue()
    queue.put(Cue(0, S, "  \n "))
    queue.put(Cue(S, S, "x"))
    assert queue.take(0, 3 * S) == [Cue(S, S + S // 2, "x")]


def test_captions_that_wait_are_bounded() -> None:
    queue = CaptionQueue(limit=10)
    for number in range(25):
        queue.put(Cue(number, number + S, str(number)))
    assert queue.dropped == 15
    assert texts(queue, 0, 2) == [str(number) for number in range(15, 25)]
