from __future__ import annotations

import pytest

from bridge.errors import BadInput
from bridge.outputs.hls_delivery import Directives, advance_part_limit, parse_directives, verdict
from bridge.outputs.hls_playlist import MediaPlaylist, Part, Segment

pytestmark = pytest.mark.unit


def playlist(open_parts: int = 2, parts: int = 4, **more: object) -> MediaPlaylist:
    """Segments 10, 11 and 12 are complete; 13 is in the making."""
    whole = tuple(Part(f"q{n}", 0.5, True) for n in range(parts))
    segments = tuple(Segment(n, f"s{n}.m4s", 2.0, 0.0, parts=whole) for n in (10, 11, 12))
    opened = tuple(Part(f"o{n}", 0.5, True) for n in range(open_parts))
    fields = {"part_target_s": 0.5, "open_parts": opened, **more}
    return MediaPlaylist(2, segments, sequence=10, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sequence", "part", "expected"),
    [
        (None, None, "ready"),
        (3, None, "ready"),  # long gone: the playlist is given as it is
        (12, None, "ready"),
        (12, 3, "ready"),
        (12, 4, "ready"),  # behind its last part is the first of 13
        (13, 0, "ready"),
        (13, 1, "ready"),
        (13, 2, "wait"),
        (13, 7, "wait"),
        (13, 8, "too far"),  # six parts of half a second are three seconds
        (13, None, "wait"),
        (14, 0, "wait"),
        (14, None, "wait"),
        (15, None, "too far"),
        (10**18, None, "too far"),
    ],
)
def test_a_request_is_answered_refused_or_waits(
    sequence: int | None, part: int | None, expected: str
) -> None:
    assert verdict(playlist(), Directives(sequence, part)) == expected


def test_a_part_behind_the_last_one_waits_for_the_next_segments_first() -> None:
    assert verdict(playlist(open_parts=0), Directives(12, 4)) == "wait"
    assert verdict(playlist(open_parts=0), Directives(12, 99)) == "wait"
    assert verdict(playlist(open_parts=1), Directives(12, 99)) == "ready"


def test_an_ended_playlist_answers_everything() -> None:
    assert verdict(playlist(ended=True), Directives(99, 5)) == "ready"


def test_a_playlist_without_parts_waits_for_whole_segments() -> None:
    plain = playlist(open_parts=0, parts=0, part_target_s=None)
    assert verdict(plain, Directives(12, 9)) == "ready"
    assert verdict(plain, Directives(13, 0)) == "wait"
    assert verdict(plain, Directives(15, 0)) == "too far"


def test_an_empty_playlist_waits_for_the_first() -> None:
    empty = MediaPlaylist(2, part_target_s=0.5)
    assert verdict(empty, Directives(0, 0)) == "wait"
    assert verdict(empty, Directives(1, None)) == "wait"
    assert verdict(empty, Directives(2, None)) == "too far"


def test_the_advance_part_limit_is_three_seconds_of_parts_and_at_least_three() -> None:
    assert [advance_part_limit(s) for s in (0.2, 0.5, 1.0, 2.0, None)] == [15, 6, 3, 3, 3]


def test_directives_are_read() -> None:
    assert parse_directives({}) == Directives()
    assert parse_directives({"_HLS_msn": "7", "_HLS_part": "0"}) == Directives(7, 0)
    assert parse_directives({"_HLS_skip": "YES"}).skip == "segments"
    assert parse_directives({"_HLS_skip": "v2"}).skip == "date ranges too"
    assert parse_directives({"_HLS_skip": "yes", "_HLS_more": "x", "other": "y"}) == Directives()


@pytest.mark.parametrize(
    "query",
    [
        {"_HLS_part": "0"},
        {"_HLS_msn": ""},
        {"_HLS_msn": "-1"},
        {"_HLS_msn": "1.0"},
        {"_HLS_msn": "1e3"},
        {"_HLS_msn": "0x1"},
        {"_HLS_msn": " 1"},
        {"_HLS_msn": "١"},  # noqa: RUF001
        {"_HLS_msn": "9" * 20},
        {"_HLS_msn": "1", "_HLS_part": "one"},
    ],
)
def test_what_is_no_number_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        parse_directives(query)
