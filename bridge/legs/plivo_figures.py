"""What is counted about Plivo calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PlivoFigures:
    """Counters of one call, or of all since the server's start."""

    malformed: int = 0
    bad_base64: int = 0
    odd_length: int = 0
    bad_start: int = 0
    repeated_start: int = 0
    strange_track: int = 0
    """Media of a track that `start` did not name."""
    before_start: int = 0
    """Media before `start`."""
    early: int = 0
    """Media between `start` and the moment somebody listened; nothing is wrong with these."""
    unknown: int = 0
    """Events nobody knows; nothing is wrong with these either."""

    @property
    def bad_messages(self) -> int:
        """Messages that could not be used."""
        return (
            self.malformed + self.bad_base64 + self.odd_length + self.bad_start
            + self.repeated_start + self.strange_track + self.before_start
        )  # fmt: skip
