"""What a process needs in order to make many calls without holding up their ticks."""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 20_000
"""New objects after which the garbage among them is looked for; what comes of calls is hardly any."""


@contextmanager
def steady(files: int) -> Iterator[None]:
    """Meanwhile so many files can be open, and garbage is collected seldom, and among new objects only."""
    allow_files(files)
    # What is there already stays: looking through it again and again would hold up the ticks.
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def allow_files(wanted: int) -> None:
    """Raise the limit of open files, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
