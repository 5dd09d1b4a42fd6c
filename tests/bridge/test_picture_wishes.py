from __future__ import annotations

import pytest

from bridge.core.ports import PictureCoding, WantedPicture
from bridge.picture_wishes import FilePictureWishes, PictureWishes
from bridge.records import KeptStreaming
from bridge.streaming_wishes import spec_of

pytestmark = pytest.mark.unit


def test_a_live_picture_has_what_is_asked_for_and_the_rest_as_a_rule() -> None:
    asked = {"picture": {"width": 360, "height": 640, "background": "#102030"}}
    for url in ("rtmp://example.org/live/key", ""):
        spec = spec_of(KeptStreaming("s", "c", url, asked))
        assert spec.picture == PictureCoding(360, 640, 10, 300_000, "#102030")


def test_what_files_do_not_say_is_left_open() -> None:
    assert FilePictureWishes().wanted == WantedPicture(None, None, None, None, "")
    assert FilePictureWishes(fps=15).wanted == WantedPicture(fps=15)


def test_a_side_alone_says_nothing() -> None:
    for sides in ({"width": 640}, {"height": 360}):
        with pytest.raises(ValueError, match="go together"):
            FilePictureWishes(**sides)
    PictureWishes(width=1280)  # here the other one is known
