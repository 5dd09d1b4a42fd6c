"""NumPy's matrix products on one thread.

OpenBLAS spreads even products of a few microseconds over all cores. At the sizes of a tick that costs twice
the CPU time for the same wall time, and its waiting threads spin. Products of different rooms are better run
side by side, if at all.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# NumPy's wheels carry OpenBLAS with its names changed; the others are those of plain builds.
_SETTERS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
)


def use_one_thread() -> bool:
    """Keep matrix products on the calling thread from now on, in the whole process.

    Gives False when NumPy brought no OpenBLAS of its own; then the environment variables of the BLAS in use
    (such as `OPENBLAS_NUM_THREADS=1`) must do it before the process starts.
    """
    done = False
    for path in _bundled():
        library = ctypes.CDLL(str(path))  # already loaded: this only gives another handle to it
        for name in _SETTERS:
            if hasattr(library, name):
                setter = getattr(library, name)
                setter.argtypes, setter.restype = [ctypes.c_int], None
                setter(1)
                done = True
                break
    return done


def _bundled() -> Iterator[Path]:
    """The OpenBLAS inside NumPy's wheel, where the wheel tools of Linux, Windows and macOS put it."""
    package = Path(np.__file__).parent
    yield from sorted(package.parent.glob("numpy.libs/*openblas*"))
    yield from sorted(package.glob(".dylibs/*openblas*"))
