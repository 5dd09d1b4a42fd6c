"""Prometheus' families out of rows of plain numbers; names get the project's prefix here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from bridge.histogram import Histogram

QUANTILES = (0.5, 0.9, 1.0)
"""Of depths and backlogs; the last one is the worst."""
Rows = Iterable[tuple[tuple[str, ...], float]]
"""Labels' values, and the number."""


def histogram(
    name: str, text: str, rows: Iterable[tuple[tuple[str, ...], Histogram]], labels: Sequence[str] = ()
) -> Metric:
    """One histogram for each row."""
    family = HistogramMetricFamily(f"mediabridge_{name}", text, labels=labels)
    for values, histogram in rows:
        family.add_metric(values, histogram.cumulative(), histogram.total)
    return family


def gauge(name: str, text: str, rows: Rows, labels: Sequence[str] = ()) -> Metric:
    """What goes up and down."""
    family = GaugeMetricFamily(f"mediabridge_{name}", text, labels=labels)
    for values, number in rows:
        family.add_metric(values, float(number))
    return family


def counter(name: str, text: str, rows: Rows, labels: Sequence[str] = ()) -> Metric:
    """What only goes up, until the server is begun again."""
    family = CounterMetricFamily(f"mediabridge_{name}", text, labels=labels)
    for values, number in rows:
        family.add_metric(values, float(number))
    return family


def labelled(numbers: Mapping[str, float]) -> Rows:
    """With one label."""
    return [((label,), number) for label, number in sorted(numbers.items())]


def quantiles(values_ms: Sequence[float]) -> Rows:
    """Seconds at each of `QUANTILES`; nothing where there are no values."""
    if not values_ms:
        return []
    ordered = sorted(values_ms)
    last = len(ordered) - 1
    return [((f"{share:g}",), ordered[round(share * last)] / 1000) for share in QUANTILES]
