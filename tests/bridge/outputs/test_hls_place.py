"""The directories of live streams: for the owner only, empty at first, gone at last."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.outputs.hls_names import captions_file, header_file, part_file, segment_file
from bridge.outputs.hls_place import prepare, remove, sweep

pytestmark = pytest.mark.unit


def test_a_new_stream_gets_an_empty_directory_of_its_own(tmp_path: Path) -> None:
    directory, first = prepare(tmp_path / "live", "one")
    assert (directory, first) == (tmp_path / "live" / "one", 0)
    assert directory.stat().st_mode & 0o777 == directory.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "file", [segment_file(41, "ts"), segment_file(41, "fmp4"), part_file(41, 2), header_file(41),
             captions_file(41), "." + segment_file(41, "ts")],
)  # fmt: skip
def test_a_stream_that_was_there_counts_on_and_finds_nothing(tmp_path: Path, file: str) -> None:
    directory, _ = prepare(tmp_path, "one")
    (directory / file).write_bytes(b"old")
    (directory / segment_file(7, "ts")).write_bytes(b"old")
    again, first = prepare(tmp_path, "one")
    assert again == directory and first > 42 and not list(again.iterdir())


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc", "a\n", "x" * 101])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        prepare(tmp_path, name)


def test_what_nobody_wants_is_swept_away(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (prepare(tmp_path, name)[0] / "s1.ts").write_bytes(b"")
    assert sweep(tmp_path, {"two"}) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["two"]
    remove(tmp_path / "two")
    remove(tmp_path / "two")
    assert not list(tmp_path.iterdir())
    assert sweep(tmp_path / "not there", ()) == 0
