"""Who is where in the picture, in layouts other than the grid."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from bridge.core.ports import GRID, LayoutKind, PictureLayout, PicturePlace, WantedFiles, WantedPicture
from bridge.outputs.encoders import PictureSettings
from bridge.outputs.follow_wire import FollowPlan, PicturePlan, arguments_of, plan_of
from bridge.outputs.live_wire import AddHls, HlsSpec, PictureSpec, decode_command, encode
from bridge.outputs.made_plan import plan_for
from bridge.outputs.picture import PicturePainter
from bridge.outputs.picture_layout import MOST_SMALL, Box, placed
from bridge.outputs.scene import Tile, View

pytestmark = pytest.mark.unit

PEOPLE = [f"p{at}" for at in range(20)]
FLOATING, VERTICAL = PictureLayout("floating"), PictureLayout("vertical")
CUSTOM = PictureLayout(
    "custom",
    places=(
        PicturePlace(0, 0, 0.5, 1, "p1"),
        PicturePlace(0.5, 0, 0.5, 0.5),
        PicturePlace(0.5, 0.5, 0.5, 0.5, "nobody"),
        PicturePlace(0.75, 0.25, 0.25, 0.25),
    ),
)


def apart(one: Box, other: Box) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return beside or one.y + one.height <= other.y or other.y + other.height <= one.y


@pytest.mark.parametrize("layout", [FLOATING, VERTICAL])
@pytest.mark.parametrize("count", [1, 2, 5, 7, 9, 17, 20])
@pytest.mark.parametrize("size", [(640, 360), (360, 640), (160, 90)])
def test_one_is_large_and_the_others_small_inside_the_picture(
    layout: PictureLayout, count: int, size: tuple[int, int]
) -> None:
    found = placed(PEOPLE[:count], layout, *size)
    assert [at for at, _ in found] == [*range(min(count, 1 + MOST_SMALL))]
    large, *small = [box for _, box in found]
    assert all(one.width * one.height < large.width * large.height for one in small)
    for box in (large, *small):
        assert 0 <= box.x and box.x + box.width <= size[0] and 0 <= box.y and box.y + box.height <= size[1]
    assert all(apart(one, other) for one, other in combinations(small, 2))
    if layout is VERTICAL:
        assert all(apart(large, one) for one in small)
    else:
        assert large == Box(0, 0, *size)


def test_small_ones_do_not_float_above_the_name_of_the_large_one() -> None:
    painter = PicturePainter(PictureSettings(640, 360), layout=FLOATING)
    small_ones = (Tile("p1", ""), Tile("p2", ""))
    named, nameless = (
        painter.paint(View((Tile("p0", name), *small_ones))).astype(int) for name in ("Mm Mmmmmmm", "Mm Mm")
    )
    rows, columns = np.nonzero(np.abs(named - nameless).sum(axis=2)[:60])
    assert len(rows) > 100 and rows.min() > 0 and 200 < columns.mean() < 440
    small = placed(PEOPLE[:3], FLOATING, 640, 360)[1][1]
    assert not np.abs(named - nameless)[small.y :].any()


def test_small_ones_float_from_below_on_the_left() -> None:
    found = [box for _, box in placed(PEOPLE[:6], FLOATING, 1000, 1000)]
    assert found[1] == Box(12, 753, 235, 235)
    assert found[4] == Box(753, 753, 235, 235)
    assert found[5] == Box(12, 506, 235, 235)


@pytest.mark.parametrize(("others", "across", "down"), [(1, 5, 4), (4, 5, 4), (6, 7, 6), (8, 9, 8)])
def test_small_ones_stand_to_the_right(others: int, across: int, down: int) -> None:
    large, first, *_ = [box for _, box in placed(PEOPLE[: 1 + others], VERTICAL, 5040, 5040)]
    assert large == Box(0, 0, 5040 - 5040 // across, 5040)
    assert first == Box(large.width, 0, 5040 // across, 5040 // down)


def test_many_small_ones_stand_in_two_columns() -> None:
    found = [box for _, box in placed(PEOPLE[:17], VERTICAL, 1000, 800)]
    assert found[0] == Box(0, 0, 800, 800)
    assert found[8] == Box(800, 700, 100, 100) and found[9] == Box(900, 0, 100, 100)


@pytest.mark.parametrize("kind", ["floating", "vertical"])
def test_who_is_to_be_large_is_and_else_who_came_first(kind: LayoutKind) -> None:
    layout = PictureLayout(kind, "p2")
    assert [at for at, _ in placed(PEOPLE[:4], layout, 640, 360)] == [2, 0, 1, 3]
    assert [at for at, _ in placed(PEOPLE[:2], layout, 640, 360)] == [0, 1]


def test_who_has_a_place_is_there_and_the_others_take_the_free_ones() -> None:
    assert placed(PEOPLE[:4], CUSTOM, 640, 360) == [
        (1, Box(0, 0, 320, 360)), (0, Box(320, 0, 320, 180)), (2, Box(480, 90, 160, 90))
    ]  # fmt: skip
    assert placed(["p1"], CUSTOM, 640, 360) == [(0, Box(0, 0, 320, 360))]
    tiny = PictureLayout("custom", places=(PicturePlace(0.999, 0.999, 0.001, 0.001),))
    assert placed(["p1"], tiny, 160, 90) == [(0, Box(152, 82, 8, 8))]


# --- the picture ---


def view(count: int, *talking: int) -> View:
    return View(tuple(Tile(f"p{at}", f"Person {at}", at in talking) for at in range(count)), "Planning")


def ringed(picture: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.abs(picture.astype(int) - (62, 207, 142)).sum(axis=2) < 12
    return found


def test_each_is_seen_where_they_are() -> None:
    painter = PicturePainter(PictureSettings(), background="#ff0000", layout=CUSTOM)
    left = ringed(painter.paint(view(4, 1)))
    assert left[:, :320].any() and not left[:, 320:].any()
    above = ringed(painter.paint(view(4, 2)))
    assert above[90:180, 480:].any() and not above[180:].any() and not above[:, :320].any()
    nobody = painter.paint(view(4, 3))
    assert not ringed(nobody).any() and (nobody[300:, 330:] == (255, 0, 0)).all()


@pytest.mark.parametrize("layout", [FLOATING, VERTICAL, CUSTOM])
@pytest.mark.parametrize("size", [(160, 90), (160, 1920), (1920, 90)])
def test_every_layout_can_be_painted_in_every_size(layout: PictureLayout, size: tuple[int, int]) -> None:
    tiny = PictureLayout("custom", places=(PicturePlace(0.5, 0.5, 0.001, 0.001), *CUSTOM.places))
    for one in (layout, tiny):
        painter = PicturePainter(PictureSettings(*size), layout=one)
        for count in (0, 1, 17, 20):
            assert painter.paint(view(count, 0, 1)).shape == (size[1], size[0], 3)


# --- on the way ---


def test_a_layout_reaches_the_files_and_the_live_encoder(tmp_path: Path) -> None:
    wanted = WantedFiles(picture=WantedPicture(layout=CUSTOM))
    plan = plan_for(tmp_path, wanted, picture=PicturePlan(), h264=True, title="")
    assert plan.picture == PicturePlan(layout=CUSTOM)
    assert plan_of(arguments_of(plan)) == plan
    assert plan_of(arguments_of(FollowPlan("/x"))).picture == PicturePlan(layout=GRID)
    command = AddHls("o", HlsSpec(picture=PictureSpec(layout=CUSTOM)), "/x")
    assert decode_command(encode(command)) == command
    assert len({PictureSpec(), PictureSpec(layout=CUSTOM), PictureSpec(layout=FLOATING)}) == 3
