from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.outputs.cutter import Cutter, Piece, plan_picture, plan_sound
from bridge.outputs.media_units import Unit

pytestmark = pytest.mark.unit


def sounds(count: int, frame: int = 1024, start: int = -1024) -> list[Unit]:
    return [Unit(b"s", start + n * frame, frame) for n in range(count)]


def pictures(count: int, fps: int = 10, group: int = 10, first: int = 0) -> list[Unit]:
    times = [round(n * 48_000 / fps) for n in range(first, first + count + 1)]
    return [
        Unit(b"p", at, until - at, (first + n) % group == 0)
        for n, (at, until) in enumerate(zip(times, times[1:], strict=False))
    ]


def test_sound_alone_is_cut_into_whole_parts_of_whole_frames() -> None:
    plan = plan_sound(2.0, 0.5, 1024)
    assert (plan.part, plan.segment, plan.target_s) == (23, 92, 2)
    cutter = Cutter(plan, with_picture=False)
    cutter.put_sound(sounds(200))
    pieces = list(cutter.pieces())
    assert len(pieces) == 8
    assert [piece.opens for piece in pieces] == [True, False, False, False] * 2
    assert [piece.closes for piece in pieces] == [False, False, False, True] * 2
    assert {piece.duration for piece in pieces} == {23 * 1024}
    assert pieces[0].at == -1024 and all(piece.independent for piece in pieces)


def test_sound_without_parts_comes_in_segments() -> None:
    plan = plan_sound(6.0, None, 960)
    assert (plan.part, plan.segment, plan.part_s, plan.target_s) == (None, 300, None, 6)
    cutter = Cutter(plan, with_picture=False)
    cutter.put_sound(sounds(301, 960, 0))
    (piece,) = cutter.pieces()
    assert (piece.opens, piece.closes, piece.duration) == (True, True, 6 * 48_000)


def test_segments_with_a_picture_begin_with_key_frames() -> None:
    plan = plan_picture(2.0, 0.3, 10, 1.0)
    assert (plan.part, plan.segment, plan.target_s) == (3, 20, 2)
    cutter = Cutter(plan, with_picture=True)
    cutter.put_sound(sounds(400))
    cutter.put_picture(pictures(45, first=3))
    pieces = list(cutter.pieces())
    assert pieces[0].at == 48_000, "what comes before the first key frame is dropped"
    assert [piece.independent for piece in pieces[:8]] == [
        True,
        False,
        False,
        False,
        False,
        False,
        False,
        True,
    ]
    assert [len(piece.picture) for piece in pieces[:7]] == [3, 3, 3, 3, 3, 3, 2]
    assert pieces[6].closes and pieces[7].opens and pieces[7].picture[0].key


def test_a_piece_waits_for_the_sound_of_its_time() -> None:
    cutter = Cutter(plan_picture(1.0, 0.5, 10, 1.0), with_picture=True)
    cutter.put_picture(pictures(20))
    cutter.put_sound(sounds(24))  # up to 0.49 s
    assert list(cutter.pieces()) == []
    cutter.put_sound(sounds(1, start=23 * 1024))
    (piece,) = cutter.pieces()
    assert piece.sound[0].at == -1024 + 1024 and piece.sound[-1].until >= 24_000


def test_what_is_left_comes_out_at_the_end() -> None:
    cutter = Cutter(plan_picture(1.0, 0.5, 10, 1.0), with_picture=True)
    cutter.put_picture(pictures(8))
    cutter.put_sound(sounds(40))
    pieces = list(cutter.finish())
    assert [len(piece.picture) for piece in pieces] == [5, 3]
    assert pieces[-1].closes
    alone = Cutter(plan_sound(1.0, 0.5, 1024), with_picture=False)
    alone.put_sound(sounds(30))
    assert [len(piece.sound) for piece in alone.finish()] == [23, 7]
    assert list(Cutter(plan_sound(1.0, None, 1024), with_picture=False).finish()) == []


@given(
    segment_s=st.floats(1.0, 15.0),
    part_s=st.one_of(st.none(), st.floats(0.1, 0.5)),
    frame=st.sampled_from([960, 1024, 1152, 4608]),
)
def test_plans_for_sound_keep_the_rules(segment_s: float, part_s: float | None, frame: int) -> None:
    plan = plan_sound(segment_s, part_s, frame)
    length_s = plan.segment * frame / 48_000
    assert int(length_s + 0.5) <= plan.target_s
    assert abs(length_s - segment_s) <= max(part_s or 0.0, frame / 48_000) + 1e-9
    if part_s is not None:
        assert plan.part is not None and plan.part_s is not None
        assert plan.part_s <= max(part_s, frame / 48_000) + 1e-9
        assert plan.segment % plan.part == 0


@given(
    fps=st.integers(1, 30),
    keyframe_s=st.floats(0.1, 3.0),
    segment_s=st.floats(1.0, 8.0),
    part_s=st.one_of(st.none(), st.floats(0.1, 0.5)),
    chunks=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    first=st.integers(0, 1_000),
)
@settings(deadline=None, max_examples=60)
def test_no_frame_is_lost_or_doubled_however_they_come(
    fps: int, keyframe_s: float, segment_s: float, part_s: float | None, chunks: list[int], first: int
) -> None:
    plan = plan_picture(segment_s, part_s, fps, keyframe_s)
    group = max(1, int(fps * keyframe_s))
    shown = pictures(10 * fps + 7, fps, group, first * group)
    start = shown[0].at - 500
    heard = sounds(-(-(shown[-1].until - start) // 1024), start=start)
    cutter = Cutter(plan, with_picture=True)
    pieces: list[Piece] = []
    seen = listened = 0
    while seen < len(shown) or listened < len(heard):
        for chunk in chunks:
            cutter.put_picture(shown[seen : seen + chunk])
            cutter.put_sound(heard[listened : listened + 2 * chunk])
            seen, listened = seen + chunk, listened + 2 * chunk
            pieces += cutter.pieces()
    pieces += cutter.finish()
    assert [unit for piece in pieces for unit in piece.picture] == shown
    assert [unit for piece in pieces for unit in piece.sound] == heard
    assert all(one.until == two.at for one, two in zip(pieces, pieces[1:], strict=False))
    for index, piece in enumerate(pieces):
        assert piece.opens == (index == 0 or pieces[index - 1].closes)
        assert not piece.opens or piece.picture[0].key
        if plan.part_s is not None:
            assert piece.duration <= round(plan.part_s * 48_000) + 1
