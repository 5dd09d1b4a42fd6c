"""Matrix products stay on one thread once that is asked for."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import numpy as np
import pytest

from mediacodecs import blas

pytestmark = pytest.mark.unit


def _threads() -> list[int]:
    found = []
    for path in blas._bundled():
        library = ctypes.CDLL(str(path))
        for name in blas._SETTERS:
            if hasattr(library, name.replace("_set_", "_get_")):
                found.append(int(getattr(library, name.replace("_set_", "_get_"))()))
    return found


def test_openblas_of_numpy_is_kept_to_one_thread() -> None:
    if not blas.use_one_thread():
        pytest.skip("this NumPy has no OpenBLAS of its own")
    assert _threads() == [1]
    # Not the first rounds: threads that an earlier product woke spin on for some 100 ms, at nobody's request.
    assert np.median([_processors_used() for _ in range(11)][6:]) < 1.3


def _processors_used() -> float:
    """How many, on average, during a few products."""
    square = np.ones((700, 700), np.float32)
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(5):
        square @ square
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


def test_numpy_without_its_own_openblas_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(np, "__file__", str(tmp_path / "numpy" / "__init__.py"))
    assert blas.use_one_thread() is False
