"""Timed metadata of an HLS stream: what is said about a span of time (RFC 8216 §4.3.2.7)."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.outputs.hls_tags import Attributes, attribute_list, date_time, decimal, quoted


@dataclass(frozen=True, slots=True)
class DateRange:
    """Timed metadata: what is said about a span of time. `attributes` are the sender's own, named `X-…`."""

    id: str
    start_ms: float
    duration_s: float | None = None
    attributes: tuple[tuple[str, str | float | bytes], ...] = ()
    end_ms: float | None = None
    planned_duration_s: float | None = None
    kind: str | None = None
    """The CLASS attribute."""
    end_on_next: bool = False

    def line(self) -> str:
        """The tag. ID, START-DATE, DURATION and the X- attributes come first and in this order.

        100ms' player for Android finds them by a regular expression with exactly that order. Raises
        ValueError where a text cannot be written (RFC 8216 §4.2 knows no escape).
        """
        told: Attributes = [("ID", quoted(self.id)), ("START-DATE", quoted(date_time(self.start_ms)))]
        if self.duration_s is not None:
            if not self.duration_s >= 0:
                raise ValueError("a date range cannot last less than nothing")
            told.append(("DURATION", decimal(self.duration_s)))
        for name, value in self.attributes:
            if not name.startswith("X-"):
                raise ValueError(f"{name!r}: a client's own attribute begins with X-")
            told.append((name, _own(value)))
        if self.end_ms is not None:
            told.append(("END-DATE", quoted(date_time(self.end_ms))))
        if self.planned_duration_s is not None:
            told.append(("PLANNED-DURATION", decimal(self.planned_duration_s)))
        if self.kind is not None:
            told.append(("CLASS", quoted(self.kind)))
        if self.end_on_next:
            if self.kind is None or self.duration_s is not None or self.end_ms is not None:
                raise ValueError("END-ON-NEXT needs a CLASS and neither duration nor end (RFC 8216 §4.3.2.7)")
            told.append(("END-ON-NEXT", "YES"))
        return "#EXT-X-DATERANGE:" + attribute_list(told)

    @property
    def until_ms(self) -> float:
        """Up to when it says something, Unix ms."""
        if self.end_ms is not None:
            return self.end_ms
        return self.start_ms + 1_000 * (self.duration_s or self.planned_duration_s or 0.0)


def _own(value: str | float | bytes) -> str:
    """A client's own value: a text, a number or bytes (RFC 8216 §4.3.2.7)."""
    if isinstance(value, bytes):
        return "0x" + value.hex().upper()
    return quoted(value) if isinstance(value, str) else decimal(value)
