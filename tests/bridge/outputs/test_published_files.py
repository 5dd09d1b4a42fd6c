from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bridge.outputs.published_files import (
    PublishedFiles,
    list_file,
    outlived,
    read_list,
    read_lists,
    remove_list,
    remove_unfinished,
    write_list,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("files", "named", "gone"),
    [
        (["h0", "s0", "s1", "s2"], {"h0", "s1", "s2"}, ["s0"]),
        (["h0", "s0", "h1", "s1"], {"h1", "s1"}, ["h0", "s0"]),
        (["s0", "s1", "s2"], {"s0", "s1"}, []),  # the last one has yet to be named
        (["s0", "s1"], set(), []),
        ([], {"s0"}, []),
    ],
)
def test_what_came_before_something_that_is_named_and_is_not_has_had_its_time(
    files: list[str], named: set[str], gone: list[str]
) -> None:
    assert outlived(files, named) == gone


def test_a_list_is_private_whole_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "published"
    file = list_file(folder, "main", "stream-1")
    assert read_list(file) == [] and list(read_lists(folder)) == []
    write_list(file, "main", "stream-1", ["s0.ts"])
    write_list(file, "main", "stream-1", ["s0.ts", "s1.ts"])
    write_list(list_file(folder, "spare", "stream-1"), "spare", "stream-1", [])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [found for found, _ in read_lists(folder)] == [
        PublishedFiles("main", "stream-1", ["s0.ts", "s1.ts"]),
        PublishedFiles("spare", "stream-1", []),
    ]
    (folder / "cut.part").touch()
    remove_unfinished(folder)
    for _ in range(2):
        remove_list(file)
    assert [path.name for path in folder.iterdir()] == ["stream-1.spare.files"]


def test_a_list_that_cannot_be_read_is_said_and_hinders_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = list_file(tmp_path, "main", "a"), list_file(tmp_path, "main", "b")
    write_list(good, "main", "b", ["s0.ts"])
    broken.write_bytes(b"{")
    assert read_list(broken) == []
    assert [found.stream for found, _ in read_lists(tmp_path)] == ["b"]
    assert "a.main.files" in caplog.text
