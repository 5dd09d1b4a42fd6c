"""When the calls of a run begin: seconds from the run's start, ascending."""

from __future__ import annotations

import random
import re

MAX_RATE_PER_S = 1_000.0
_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(?:/(s|min|h))?")
_SECONDS = {None: 1, "s": 1, "min": 60, "h": 3_600}


def read_rate(written: str) -> float:
    """Calls per second of `5/s`, `30/min`, `100/h` or `5`. Raises ValueError."""
    found = _RATE.fullmatch(written.strip())
    per_s = float(found[1]) / _SECONDS[found[2]] if found else 0.0
    if not 0 < per_s <= MAX_RATE_PER_S:
        raise ValueError(f"{written} is no rate above 0, such as 5/s or 30/min")
    return per_s


def ramp(calls: int, per_s: float) -> list[float]:
    """One after another at even distances."""
    return [number / per_s for number in range(calls)]


def poisson(calls: int, per_s: float, seed: int) -> list[float]:
    """As people call who know nothing of each other: distances are drawn by lot, their mean is 1/`per_s`.

    The same seed gives the same times. The first call begins at once.
    """
    lots = random.Random(f"arrivals/{seed}")
    times = [0.0]
    while len(times) < calls:
        times.append(times[-1] + lots.expovariate(per_s))
    return times[:calls]
