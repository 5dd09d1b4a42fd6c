from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bridge.core.ports import PictureCoding, PictureLayout, PicturePlace, WantedPicture
from bridge.picture_wishes import MOST_PLACES, FilePictureWishes, LayoutWishes, PictureWishes
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


def test_a_layout_reaches_live_streams_and_files() -> None:
    place = {"x": 0.5, "y": 0, "width": 0.5, "height": 1, "participant": "ann"}
    said = {"layout": {"kind": "custom", "places": [place]}}
    layout = PictureLayout("custom", places=(PicturePlace(0.5, 0, 0.5, 1, "ann"),))
    spec = spec_of(KeptStreaming("s", "c", "rtmp://example.org/live/key", {"picture": said}))
    assert spec.picture == PictureCoding(layout=layout)
    assert msgspec.convert(said, FilePictureWishes).wanted == WantedPicture(layout=layout)
    large = LayoutWishes("vertical", "ann").laid_out
    assert large == PictureLayout("vertical", "ann")


PLACE = {"x": 0, "y": 0, "width": 1, "height": 1}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"kind": "spiral"}, "Invalid enum value"),
        ({"kind": "custom"}, "custom layout"),
        ({"kind": "grid", "places": [PLACE]}, "custom layout"),
        ({"kind": "grid", "large": "ann"}, "floating and vertical"),
        ({"kind": "custom", "places": [{**PLACE, "x": 0.1}]}, "within the picture"),
        ({"kind": "custom", "places": [{**PLACE, "y": -0.1}]}, "within the picture"),
        ({"kind": "custom", "places": [{**PLACE, "width": 0}]}, "within the picture"),
        ({"kind": "custom", "places": [{**PLACE, "participant": "ann"}] * 2}, "one place"),
        ({"kind": "custom", "places": [PLACE] * (MOST_PLACES + 1)}, "at most 32"),
        ({"kind": "custom", "places": [{"x": 0}]}, "missing required field"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(said, LayoutWishes)
