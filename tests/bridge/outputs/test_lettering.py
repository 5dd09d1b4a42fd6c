"""Names in all scripts are drawn, cut where they must be, and never raise."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bridge.outputs.font_coverage import read_coverage
from bridge.outputs.fonts import FontShelf
from bridge.outputs.lettering import Lettering, Run, cleaned, clusters
from tests.kit.needs import missing

pytestmark = pytest.mark.unit

SHELF = FontShelf()
LETTERS = Lettering(SHELF)


@pytest.fixture
def noto() -> None:
    """Fonts for all scripts."""
    for package, font in (
        ("fonts-noto-core", "NotoSansArabic-Regular"),
        ("fonts-noto-cjk", "NotoSansCJK-Regular"),
    ):
        if not any(path.stem == font for path in SHELF.paths):
            missing(f"there is no font {font}: apt-get install {package}")


needs_fonts = pytest.mark.usefixtures("noto")

NAMES = {
    "Latin": "Łukasz Żółć",
    "Cyrillic": "Юлия Прокофьева",
    "Greek": "Ελένη Παπαδοπούλου",
    "Arabic": "محمد الأحمد",
    "Hebrew": "שרה כהן",
    "Devanagari": "प्रियंका शर्मा",
    "Thai": "สมชาย ใจดี",
    "Chinese": "王小明",
    "Japanese": "山田タロウ",
    "Korean": "김민준",
}


def inked(text: str, pixels: int = 24) -> np.ndarray:
    """Which pixels a text covers, shape [60, 600]."""
    image = Image.new("RGB", (600, 60))
    LETTERS.draw(image, (5, 40), text, pixels, (255, 255, 255))
    return np.asarray(image)[:, :, 0] > 100


@needs_fonts
@pytest.mark.parametrize("script", NAMES)
def test_a_name_in_any_script_is_drawn_whole_with_fonts_that_have_it(script: str) -> None:
    name = NAMES[script]
    runs = LETTERS.runs(name)
    assert "".join(run.text for run in runs) == name
    assert all(SHELF.covers(run.face, run.text) for run in runs)
    ink = inked(name)
    assert ink.sum() > 300
    # As wide as it says it is: nothing was dropped or drawn twice.
    columns = np.flatnonzero(ink.any(axis=0))
    assert columns[-1] - columns[0] == pytest.approx(LETTERS.width(name, 24), abs=6)


@needs_fonts
def test_arabic_letters_join() -> None:
    # Drawn one by one there are gaps between them.
    columns = np.flatnonzero(inked("محمد", 40).any(axis=0))
    assert np.diff(columns).max() == 1


def seen(runs: list[Run]) -> list[str]:
    return [text for run in runs if (text := run.text.strip())]


@needs_fonts
@pytest.mark.parametrize(
    ("name", "left_to_right"),
    [
        ("محمد Smith 42", ["Smith 42", "محمد"]),
        ("Sara שרה (host)", ["Sara", "שרה", "(host)"]),
        ("שרה Anna כהן", ["כהן", "Anna", "שרה"]),
        ("Anna שרה", ["Anna", "שרה"]),
    ],
)
def test_scripts_written_leftwards_and_rightwards_stand_in_the_order_they_are_read(
    name: str, left_to_right: list[str]
) -> None:
    assert seen(LETTERS.runs(name)) == left_to_right


def test_a_long_name_is_cut_with_an_ellipsis_and_fits() -> None:
    shown = LETTERS.fitting("Maximiliane von und zu Oberammergau-Unterammergau", 20, 150)
    assert shown.startswith("Maximil") and shown.endswith("…")
    assert LETTERS.width(shown, 20) <= 150
    assert LETTERS.fitting("Ann", 20, 150) == "Ann"
    assert LETTERS.fitting("Ann", 20, 3) == ""


def test_a_letter_is_not_torn_from_its_marks() -> None:
    assert clusters("e\u0301a👩\u200d💻👍🏽") == ["e\u0301", "a", "👩\u200d💻", "👍🏽"]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  two\n\twords \r", "two words"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("bell\x07\x00", "bell"),
        ("e\u0301", "é"),
        ("\ud800 lone half", "lone half"),
        ("x" * 100_000, "x" * 200),
    ],
)
def test_a_name_becomes_one_harmless_line(raw: str, clean: str) -> None:
    assert cleaned(raw) == clean


@pytest.mark.parametrize(
    "name", ["\U0010fffd\ue000", "", "\u200d", "\u0301", "🏴\U000e0067\U000e007f", "\uffff"]
)
def test_what_no_font_has_is_left_out_and_nothing_raises(name: str) -> None:
    shown = LETTERS.fitting(name, 20, 100)
    inked(shown)
    inked(name)


def test_without_any_font_there_is_no_text_and_no_error(tmp_path: Path) -> None:
    bare = Lettering(FontShelf([tmp_path, tmp_path / "missing"]))
    image = Image.new("RGB", (50, 50))
    bare.draw(image, (5, 40), "Ann", 20, (255, 255, 255))
    assert bare.fitting("Ann", 20, 100) == "" and bare.width("Ann", 20) == 0
    assert not np.asarray(image).any()


def test_a_broken_font_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "NotoSans-Broken.ttf").write_bytes(b"\0\1\0\0\0\xff")
    (tmp_path / "NotoSans-Other.ttf").write_bytes(b"no font at all")
    assert FontShelf([tmp_path]).face_for("A") is None
    for broken in (b"\0\1\0\0\0\xff", b"no font at all"):
        with pytest.raises(ValueError, match="font"):
            read_coverage(io.BytesIO(broken))
