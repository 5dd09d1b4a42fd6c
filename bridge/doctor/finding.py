"""What a check of the surroundings found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """It runs, but not as well as it could."""
    FAIL = "FAIL"
    """It does not run like this."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to do about it."""

    verdict: Verdict
    subject: str
    text: str
    advice: str = ""
