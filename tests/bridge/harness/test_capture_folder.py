"""Captures are kept by a thread, and nobody waits for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.harness.capture_folder import MAX_PENDING_BYTES, MAX_WAITING, CaptureFolder
from bridge.harness.capture_reading import read_capture
from bridge.legs.capture_wire import VERSION, Frame, Head, Tick

pytestmark = pytest.mark.unit

HEAD = Head(VERSION, "caller", "stream", "call", "l16", 16_000, ("inbound",), 0, 0)


def test_a_call_is_kept_for_its_owner_alone_and_replaces_an_earlier_one(tmp_path: Path) -> None:
    for ticks in (3, 2):
        folder = CaptureFolder(tmp_path / "kept")
        kept = folder.open(7, HEAD)
        for number in range(1, ticks + 1):
            kept.put(Tick(number, number))
        kept.end(9, "caller hung up", "", {})
        folder.close()
        assert folder.problems() == []
    path = tmp_path / "kept" / "call-0007.mbcapture"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    capture = read_capture(path)
    assert capture.records == [Tick(1, 1), Tick(2, 2)]
    assert capture.end is not None and capture.end.reason == "caller hung up"


def test_a_disk_that_hangs_makes_a_hole_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, write = threading.Event(), os.write

    def stuck(descriptor: int, chunk: bytes) -> int:
        goes_on.wait()
        return write(descriptor, chunk)

    monkeypatch.setattr("bridge.harness.capture_folder.os.write", stuck)
    folder = CaptureFolder(tmp_path)
    kept = folder.open(1, HEAD)
    # As much as may wait in the queue and in the call, and more: a chunk is a frame here.
    frames = MAX_WAITING + MAX_PENDING_BYTES // 16_384 + 500

    def keep_all() -> None:
        for number in range(1, frames + 1):
            kept.put(Tick(number, number))
            kept.put(Frame("inbound", bytes(16_384)))
        kept.end(frames, "caller hung up", "", {})

    keeping = threading.Thread(target=keep_all, daemon=True)
    keeping.start()
    keeping.join(20)
    assert not keeping.is_alive()
    goes_on.set()
    folder.close()
    assert 400 < folder.missing < 2 * frames
    assert folder.problems() == [f"the disk was too slow: {folder.missing} records are missing in captures"]
    capture = read_capture(tmp_path / "call-0001.mbcapture")
    assert capture.end is not None and capture.end.holes == folder.missing


def test_a_disk_that_fails_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, chunk: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bridge.harness.capture_folder.os.write", full)
    folder = CaptureFolder(tmp_path)
    folder.open(1, HEAD).end(1, "caller hung up", "", {})
    folder.close()
    assert folder.problems() == ["captures could not be written: No space left on device"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write captures"):
        CaptureFolder(tmp_path / "file")
