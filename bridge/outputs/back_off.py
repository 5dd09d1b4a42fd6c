"""How long to wait before something that failed is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackOff:
    """The first failure waits `first_s`, each further one `growth` times as long, `most_s` at most."""

    first_s: float = 0.2
    most_s: float = 10.0
    growth: float = 2.0
    forget_s: float = 30.0
    """What went well for so long has a clean slate."""

    def pause_s(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        if failures < 1:
            return 0.0
        # The exponent is bounded: a thing that failed for a month must not overflow.
        return min(self.most_s, self.first_s * self.growth ** min(failures - 1, 64))


class Failures:
    """Counts failures in a row of one thing."""

    def __init__(self, back_off: BackOff) -> None:
        self._back_off = back_off
        self.in_a_row = 0

    def failed(self, went_well_s: float = 0.0) -> float:
        """It failed after it had gone well for so long. Gives the seconds to wait before the next try."""
        self.in_a_row = 1 if went_well_s >= self._back_off.forget_s else self.in_a_row + 1
        return self._back_off.pause_s(self.in_a_row)
