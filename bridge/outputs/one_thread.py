"""Keeps FFmpeg's libraries from threads that have nothing to do, in a process with many encoders.

PyAV puts a filter before each encoder of sound, and FFmpeg a thread for every processor behind each filter:
they do nothing, but hold 8 MB of addresses each, so that two hundred participants' files did not fit into
what a child may map.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import av  # noqa: F401 - brings the libraries in


def use_one_thread() -> bool:
    """What FFmpeg begins from now on has no more threads than it is told to; False where that cannot be.

    For the whole process; before the first encoder.
    """
    for path in _loaded("libavutil"):
        try:
            force = ctypes.CDLL(path).av_cpu_force_count
        except (OSError, AttributeError):
            continue
        force(1)
        return True
    return False


def _loaded(name: str) -> list[str]:
    """Where the libraries of that name lie that this process has."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    paths = (line.split(maxsplit=5)[-1] for line in lines)
    return sorted({path for path in paths if path.rpartition("/")[2].startswith(name)})
