"""The picture shows who is there and who talks, for any number of participants."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from bridge.core.ports import Whom
from bridge.outputs.encoders import PictureSettings
from bridge.outputs.picture import PicturePainter, initials
from bridge.outputs.picture_layout import Box, laid_out
from bridge.outputs.record import Begun, Joined, Left, Named, Sound, Talked
from bridge.outputs.scene import Scene, Tile, View

pytestmark = pytest.mark.unit

SETTINGS = PictureSettings()
RING = (62, 207, 142)


def view(count: int, *talking: int, title: str = "") -> View:
    return View(tuple(Tile(f"p{at}", f"Person {at}", at in talking) for at in range(count)), title)


def ringed(picture: np.ndarray) -> np.ndarray:
    """Which pixels have the ring's colour."""
    return (np.abs(picture.astype(int) - RING).sum(axis=2) < 12).astype(bool)


# --- the layout ---


@pytest.mark.parametrize("count", range(1, 51))
def test_tiles_lie_inside_the_picture_and_apart_from_each_other(count: int) -> None:
    boxes = laid_out(count, Box(6, 30, 628, 324), 6)
    assert len(boxes) == count and len({(box.width, box.height) for box in boxes}) == 1
    for box in boxes:
        assert box.x >= 6 and box.y >= 30
        assert box.x + box.width <= 634 and box.y + box.height <= 354
    for one, other in combinations(boxes, 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y


def test_tiles_use_the_room_there_is() -> None:
    room = Box(0, 0, 640, 360)
    for count in (1, 4, 9, 16, 25):
        assert sum(box.width * box.height for box in laid_out(count, room, 0)) > 0.95 * 640 * 360
    # Upright pictures put two above each other.
    above, below = laid_out(2, Box(0, 0, 360, 640), 0)
    assert above.x == below.x and below.y >= above.y + above.height


# --- the picture ---


@pytest.mark.parametrize("count", [0, 1, 2, 7, 30, 50])
def test_a_picture_has_the_size_asked_for(count: int) -> None:
    picture = PicturePainter(SETTINGS).paint(view(count, 0, title="Planning"))
    assert picture.shape == (360, 640, 3) and picture.dtype == np.uint8
    assert picture.std() > 3


def test_only_who_talks_has_a_ring() -> None:
    painter = PicturePainter(SETTINGS)
    assert not ringed(painter.paint(view(2))).any()
    left = ringed(painter.paint(view(2, 0)))
    assert left[:, :320].any() and not left[:, 320:].any()
    both = ringed(painter.paint(view(2, 0, 1)))
    assert both[:, :320].any() and both[:, 320:].any()


def test_the_same_view_gives_the_same_array_and_another_name_another_picture() -> None:
    painter = PicturePainter(SETTINGS)
    first = painter.paint(view(3))
    assert painter.paint(view(3)) is first
    renamed = View((Tile("p0", "Someone else"), *view(3).tiles[1:]))
    assert (painter.paint(renamed) != first).any()
    with pytest.raises(ValueError, match="read-only"):
        first[:] = 0


@pytest.mark.parametrize(("background", "dark"), [("#ffffff", True), ("#FFE680", True), ("#0a2540", False)])
def test_on_a_ground_of_ones_own_the_letters_can_be_read(background: str, dark: bool) -> None:
    ground = np.array([*bytes.fromhex(background[1:])])
    picture = PicturePainter(SETTINGS, background=background).paint(view(1, 0, title="Planning"))
    assert (picture[2, 2] == ground).all() and (picture[-2, -2] == ground).all()
    title = picture[: SETTINGS.height // 14].astype(int)
    letters = title[(np.abs(title - ground).sum(axis=2)) > 250]
    assert len(letters) > 20 and (letters.mean() < ground.mean()) is np.bool_(dark)
    # Tiles have round corners: what is beside them is the ground, too, and nowhere the usual one.
    assert not (picture[SETTINGS.height // 14 :] == (17, 20, 26)).all(axis=2).any()
    assert (
        PicturePainter(SETTINGS, background=background).paint(View(title="Planning"))[2, 2] == ground
    ).all()


@pytest.mark.parametrize("wrong", ["red", "#fff", "#12345g", "123456", "#1234567"])
def test_a_ground_that_is_no_colour_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"#rrggbb|fromhex"):
        PicturePainter(SETTINGS, background=wrong)


def test_a_participant_keeps_the_colour() -> None:
    painter = PicturePainter(SETTINGS)
    alone = painter.paint(View((Tile("p7", ""),)))[180, 320]
    renamed = painter.paint(View((Tile("p7", "?"),)))[180, 320]
    assert (alone == renamed).all()
    assert (painter.paint(View((Tile("p8", ""),)))[180, 320] != alone).any()


def test_an_empty_room_shows_its_name() -> None:
    painter = PicturePainter(SETTINGS)
    assert (painter.paint(View(title="Planning")) != painter.paint(View())).sum() > 500


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ada Lovelace", "AL"),
        ("ada", "A"),
        ("Jean-Luc de la Tour", "JT"),
        ("Юлия Прокофьева", "ЮП"),
        ("山田 太郎", "山"),
        ("محمد الأحمد", "م"),
        ("(host) Bob", "HB"),
        ("", ""),
        ("...", ""),
        ("🎉", "🎉"),
    ],
)
def test_initials_stand_for_a_name(name: str, letters: str) -> None:
    assert initials(name) == letters


# --- the scene ---


def test_a_scene_follows_who_comes_goes_talks_and_is_renamed() -> None:
    scene = Scene("Planning")
    assert scene.take(Joined(0, "a", "Ann")) and scene.take(Joined(1, "b", "Bob"))
    assert scene.take(Talked(2, "b", True)) and not scene.take(Talked(3, "b", True))
    assert scene.take(Named(4, "a", "Anna"))
    assert not scene.take(Sound("a", 5, b"\0" * 1920))
    assert scene.view == View((Tile("a", "Anna"), Tile("b", "Bob", True)), "Planning")
    assert scene.view.talking == 1
    assert scene.take(Left(6, "a")) and not scene.take(Left(7, "a"))
    assert [tile.participant for tile in scene.view.tiles] == ["b"]


def test_a_scene_of_some_does_not_know_the_others() -> None:
    scene = Scene("Planning", Whom(without=("a",)))
    assert not scene.take(Joined(0, "a", "Ann")) and scene.take(Joined(1, "b", "Bob"))
    assert not scene.take(Talked(2, "a", True)) and not scene.take(Named(3, "a", "Anna"))
    assert not scene.take(Left(4, "a"))
    assert scene.view == View((Tile("b", "Bob"),), "Planning")


def test_who_comes_back_has_one_tile() -> None:
    scene = Scene()
    scene.take(Joined(0, "a", "Ann"))
    scene.take(Joined(9, "a", "Anna"))
    assert scene.view.tiles == (Tile("a", "Anna"),)


def test_a_stretch_tells_anew_who_is_there() -> None:
    scene = Scene()
    scene.take(Joined(0, "a", "Ann"))
    assert scene.take(Begun("r", "room", 1, 0))
    assert scene.view.tiles == ()


def test_news_of_someone_unknown_changes_nothing() -> None:
    scene = Scene()
    assert not scene.take(Talked(0, "ghost", True)) and not scene.take(Named(0, "ghost", "Boo"))
