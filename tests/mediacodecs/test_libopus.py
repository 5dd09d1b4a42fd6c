"""Finding libopus, and saying what to do when there is none."""

from __future__ import annotations

import ctypes.util
import importlib.util
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from mediacodecs.libopus import libopus, opus_version
from mediacodecs.opus import OpusDecoder, OpusEncoder, OpusError, OpusSettings, OpusUnavailable

pytestmark = pytest.mark.unit


@pytest.fixture
def fresh_search() -> Iterator[None]:
    """The library is looked for anew, and again after the test."""
    libopus.cache_clear()
    yield
    libopus.cache_clear()


def _pyav_at(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModuleSpec("av", None, origin=str(place / "av" / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_copy_inside_pyav_is_found() -> None:
    assert opus_version().startswith("libopus 1.")
    assert libopus() is libopus()


@pytest.mark.usefixtures("fresh_search")
def test_copy_inside_pyav_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: pytest.fail("not needed"))
    assert "av.libs" in libopus()._name or ".dylibs" in libopus()._name


@pytest.mark.usefixtures("fresh_search")
def test_system_library_serves_when_pyav_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system = libopus()._name  # stands for the system's, wherever this machine has one
    libopus.cache_clear()
    _pyav_at(tmp_path, monkeypatch)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: system if name == "opus" else None)
    assert libopus()._name == system


@pytest.mark.usefixtures("fresh_search")
def test_broken_copy_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system = libopus()._name
    libopus.cache_clear()
    _pyav_at(tmp_path, monkeypatch)
    (tmp_path / "av.libs").mkdir()
    (tmp_path / "av.libs" / "libopus-0.so.0").write_bytes(b"not a library")
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: system)
    assert libopus()._name == system


@pytest.mark.usefixtures("fresh_search")
def test_without_any_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: str(tmp_path / "libopus.so.0"))
    with pytest.raises(OpusUnavailable, match=r"pip install av.*apt install libopus0") as caught:
        OpusEncoder(48_000, OpusSettings())
    assert "tried: " in str(caught.value)
    with pytest.raises(OpusUnavailable):
        OpusDecoder(48_000)


@pytest.mark.usefixtures("fresh_search")
def test_another_library_under_that_name_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ctypes.util.find_library("m")
    if other is None:
        pytest.skip("no other library to offer")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: other)
    with pytest.raises(OpusUnavailable, match="tried: .*opus_encoder_get_size"):
        libopus()


def test_errors_tell_their_code_and_what_was_being_done() -> None:
    error = OpusError(-4, "decode")
    assert (error.code, str(error)) == (-4, "Opus decode: corrupt packet")
    assert str(OpusError(-99, "encode")) == "Opus encode: error -99"


def test_state_memory_is_aligned_for_libopus() -> None:
    for coder in (OpusEncoder(48_000, OpusSettings()), OpusDecoder(48_000)):
        assert coder._state % 16 == 0
