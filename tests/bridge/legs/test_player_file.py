"""Which files may be played, and which may not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.legs.player_file import file_supply, open_below
from bridge.legs.player_supply import SupplyRefused

pytestmark = pytest.mark.unit


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    """Below it a file, a folder with one, links out of it, and things that are no files."""
    outside, inside = tmp_path / "outside", tmp_path / "allowed"
    (inside / "music").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.wav").write_bytes(b"secret")
    (inside / "a.wav").write_bytes(b"a")
    (inside / "music" / "b ü.wav").write_bytes(b"bb")
    (inside / "link.wav").symlink_to(outside / "secret.wav")
    (inside / "inner.wav").symlink_to(inside / "a.wav")
    (inside / "folder").symlink_to(outside)
    (inside / "music" / "up").symlink_to("../..")
    os.mkfifo(inside / "pipe")
    return inside


def content(directory: Path, name: str) -> bytes:
    descriptor = open_below([directory], name)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_files_below_a_directory_are_opened(allowed: Path) -> None:
    assert content(allowed, "a.wav") == b"a"
    assert content(allowed, "music/b ü.wav") == b"bb"


@pytest.mark.parametrize(
    "name",
    [
        "../outside/secret.wav",
        "music/../../outside/secret.wav",
        "music/../a.wav",
        "./a.wav",
        "/etc/passwd",
        "//etc/passwd",
        "link.wav",
        "inner.wav",
        "folder/secret.wav",
        "music/up/outside/secret.wav",
        "music",
        "music/",
        "",
        ".",
        "..",
        "a.wav/",
        "a.wav/x",
        "pipe",
        "missing.wav",
        "a.wav\0.mp3",
        "\0",
        "a" * 300,
        "a/" * 100 + "a",
        "x" * 100_000,
        "~root/.ssh/id_rsa",
        "file:///etc/passwd",
    ],
)
def test_nothing_else_is(allowed: Path, name: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(SupplyRefused):
        open_below([allowed], name)
    assert len(os.listdir("/proc/self/fd")) == before


def test_without_directories_no_files_are_played(allowed: Path) -> None:
    with pytest.raises(SupplyRefused, match=r"players\.directories is empty"):
        open_below([], "a.wav")


def test_the_first_directory_that_has_it_is_taken(allowed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.wav").write_bytes(b"other")
    (other / "c.wav").write_bytes(b"c")
    for directories, found in (([allowed, other], b"a"), ([other, allowed], b"other")):
        descriptor = open_below(directories, "a.wav")
        assert os.read(descriptor, 10) == found
        os.close(descriptor)
    os.close(open_below([allowed, other], "c.wav"))
    os.close(open_below([tmp_path / "gone", other], "c.wav"))


def test_a_directory_may_itself_be_a_link(allowed: Path, tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(allowed)
    assert content(tmp_path / "named", "a.wav") == b"a"


async def test_it_is_read_anywhere_and_closed_at_the_end(allowed: Path) -> None:
    (allowed / "long.bin").write_bytes(bytes(range(256)) * 10)
    before = len(os.listdir("/proc/self/fd"))
    async with file_supply([allowed], "long.bin") as supply:
        assert (supply.size, supply.paced, supply.ends) == (2560, True, True)
        assert await supply.next_run() and not await supply.next_run()
        assert await supply.read(255, 3) == b"\xff\x00\x01"
        assert len(await supply.read(2_000, 10_000_000)) == 560
        assert await supply.read(2_560, 10) == b""
        assert await supply.read(-1, 10) == b""
    assert len(os.listdir("/proc/self/fd")) == before
