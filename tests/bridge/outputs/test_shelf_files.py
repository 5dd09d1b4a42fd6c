from __future__ import annotations

from pathlib import Path

import pytest

from bridge.outputs.shelf_files import all_files, one_file

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "program-hls-ts").mkdir(parents=True)
    (tmp_path / "manifest.json").write_bytes(b"{}")
    for name in (
        "program.mp4", "program.wav.part", "program.ogg.123.part", "program-hls-ts/index.m3u8", "empty.wav"
    ):  # fmt: skip
        (folder / name).write_bytes(b"" if name == "empty.wav" else b"some")
    (folder / "link.mp4").symlink_to(tmp_path / "manifest.json")
    return folder


def test_what_grows_is_called_as_it_will_be_and_copies_in_the_making_are_not_shown(folder: Path) -> None:
    found = all_files(folder, lambda path: "waiting" if path.name == "program.mp4" else "")
    assert [(one.name, one.complete, one.state) for one in found] == [
        ("empty.wav", True, ""),
        ("program-hls-ts/index.m3u8", True, ""),
        ("program.mp4", True, "waiting"),
        ("program.wav", False, ""),
    ]
    assert found[2].media_type == "video/mp4"


def test_one_is_found_without_a_look_at_all_of_them(folder: Path) -> None:
    for one in all_files(folder, lambda path: ""):
        assert one_file(folder, one.name) == (one if one.size else None)


def test_what_is_whole_goes_before_what_grows(folder: Path) -> None:
    (folder / "program.mp4.part").write_bytes(b"more than that")
    found = one_file(folder, "program.mp4")
    assert found is not None and found.complete
    (folder / "program.mp4").unlink()
    found = one_file(folder, "program.mp4")
    assert found is not None and not found.complete and found.size == 14


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../manifest.json", "a/../../manifest.json", "/etc/passwd", "program-hls-ts",
     "program.wav.part", "link.mp4", "program.mp4/x", "program.mp4\0", "missing.mp4"],
)  # fmt: skip
def test_no_name_leads_anywhere_else(folder: Path, name: str) -> None:
    assert one_file(folder, name) is None


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert all_files(tmp_path / "none", lambda path: "") == []
    assert one_file(tmp_path / "none", "program.mp4") is None
