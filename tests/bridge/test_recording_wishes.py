from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bridge.core.ports import EVERYBODY, WantedFiles, WantedPicture, Whom
from bridge.picture_wishes import FilePictureWishes, PictureWishes
from bridge.recording_wishes import MOST_NAMED, RecordingWishes, WhomWishes, wishes_of
from bridge.records import KeptRecording

pytestmark = pytest.mark.unit


def wished(**said: Any) -> RecordingWishes:
    return msgspec.json.decode(msgspec.json.encode(said), type=RecordingWishes)


def test_nothing_said_is_an_mp4_of_everybody_as_configured() -> None:
    assert wished().files == WantedFiles()


def test_everything_that_is_said_reaches_whoever_makes_the_files() -> None:
    wishes = wished(
        formats=["mp4", "hls"],
        participants=True,
        codec="he-aac",
        bitrate=96_000,
        channels=2,
        picture={"width": 360, "height": 640, "fps": 15, "bitrate": 500_000, "background": "#FF0000"},
        heard={"only": ["ann", "bob"]},
        seen={"without": ["carol"]},
        segmentSeconds=15,
    )
    assert wishes.files == WantedFiles(
        ("mp4", "hls"), True, "he-aac", 96_000, 2, True,
        WantedPicture(360, 640, 15, 500_000, "#FF0000"),
        Whom(only=("ann", "bob")), Whom(without=("carol",)), 15.0,
    )  # fmt: skip
    assert wished(picture=None).files.picture is None
    assert wished(sound=False).files.sound is False


def test_who_is_heard_is_seen_unless_others_are() -> None:
    heard = {"only": ["ann"]}
    assert wished(heard=heard).files.seen == Whom(only=("ann",))
    assert wished(heard=heard, seen={}).files.seen == EVERYBODY


def test_somebody_is_meant_or_not() -> None:
    assert "ann" in EVERYBODY and EVERYBODY.everybody
    assert "ann" in Whom(only=("ann",)) and "bob" not in Whom(only=("ann",))
    assert "ann" not in Whom(without=("ann",)) and "bob" in Whom(without=("ann",))
    assert not Whom(only=("ann",)).everybody and not Whom(without=("ann",)).everybody


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"bitrate": 7_999}, "8000 to 320000"),
        ({"bitrate": 256_001, "channels": 2}, "8000 to 256000 with two"),
        ({"channels": 3}, "Invalid enum value 3"),
        ({"segmentSeconds": 0.9}, "1 to 30"),
        ({"segmentSeconds": 31}, "1 to 30"),
        ({"sound": False, "picture": None}, "nothing else"),
        ({"sound": False, "participants": True}, "nothing else"),
        ({"sound": False, "formats": ["mp4", "wav"]}, "mp4 and hls only"),
        ({"heard": {"only": ["a"], "without": ["b"]}}, "do not go together"),
        ({"heard": {"only": [str(one) for one in range(MOST_NAMED + 1)]}}, "at most 32"),
        ({"seen": {"without": [""]}}, "1 to 200 characters"),
        ({"seen": {"without": ["x" * 201]}}, "1 to 200 characters"),
        ({"picture": {"width": 640}}, "go together"),
        ({"picture": {"width": 641, "height": 360}}, "even sides"),
        ({"picture": {"width": 1920, "height": 1200}}, "even sides"),
        ({"picture": {"width": 1080, "height": 1922}}, "even sides"),
        ({"picture": {"width": 158, "height": 90}}, "even sides"),
        ({"picture": {"fps": 31}}, "1 to 30"),
        ({"picture": {"bitrate": 49_999}}, "50000 to 8000000"),
        ({"picture": {"background": "red"}}, "a colour"),
        ({"picture": {"background": "#ff00zz"}}, "a colour"),
        ({"picture": {"ground": "#ffffff"}}, "unknown field"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(said: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        wished(**said)


def test_upright_pictures_are_as_large_as_broad_ones() -> None:
    for width, height in ((1920, 1080), (1080, 1920), (160, 90), (360, 640)):
        FilePictureWishes(width, height)
        PictureWishes(width, height)


def test_as_many_as_may_be_can_be_named() -> None:
    assert len(WhomWishes(tuple(str(one) for one in range(MOST_NAMED))).only) == MOST_NAMED


def test_what_was_asked_for_is_kept_and_what_is_not_understood_is_as_if_nothing_was() -> None:
    wishes = wished(heard={"without": ["ann"]}, picture=None, channels=2, formats=["flac"])
    kept = KeptRecording("r", "c", "a", 0.0, wishes=msgspec.to_builtins(wishes))
    assert wishes_of(kept) == wishes
    assert msgspec.to_builtins(RecordingWishes()) == {}
    assert wishes_of(KeptRecording("r", "c", "a", 0.0, wishes={"formats": ["holo"]})) == RecordingWishes()
    before = {"formats": ["mp4"], "participants": False, "storage": "", "codec": "aac", "bitrate": 64_000}
    assert wishes_of(KeptRecording("r", "c", "a", 0.0, wishes=before)) == RecordingWishes()
