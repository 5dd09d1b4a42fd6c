"""What Prometheus gets of recordings, their uploads, and live streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import Metric

from bridge.metrics.families import counter, gauge, labelled


@dataclass(frozen=True, slots=True)
class OutputFigures:
    """At one moment. Counters run from the start of the process."""

    outputs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(kind, state) → how many."""
    recorded_bytes: int = 0
    """A counter, like holes and lost time."""
    lag_s: float = 0.0
    """Of the recording whose sound is behind the most: from what was said to what is safe on the disk."""
    waiting_bytes: int = 0
    """Of all recordings, for the disk."""
    holes: int = 0
    lost_s: float = 0.0
    writer_restarts: int = 0
    follower_restarts: int = 0
    uploads: Mapping[str, int] = field(default_factory=dict)
    """By stage: those that are not through."""
    uploaded: int = 0
    upload_failures: int = 0
    encoder_cpu_s: float = 0.0
    encoders: Mapping[str, int] = field(default_factory=dict)
    """Of live outputs, by what they code: `sound`, `picture`."""
    encoder_starts: int = 0
    encoder_holes: int = 0
    """Times sound was left out of live outputs because their encoder did not keep up."""
    hls_answers: Mapping[str, int] = field(default_factory=dict)
    """By status."""
    hls_bytes: int = 0
    hls_waiting: int = 0
    """Players' requests that wait for what comes."""


def output_families(figures: OutputFigures) -> Iterator[Metric]:
    """All of them, in base units."""
    rows = sorted(figures.outputs.items())
    yield gauge("outputs", "Recordings and live streams that go on.", rows, ("kind", "state"))
    yield counter("recording_bytes", "Written to recordings' logs.", [((), figures.recorded_bytes)])
    yield gauge(
        "recording_lag_seconds",
        "From what was said to what is safe, where it is most.",
        [((), figures.lag_s)],
    )
    yield gauge("recording_waiting_bytes", "Waits for the disk.", [((), figures.waiting_bytes)])
    yield counter("recording_holes", "Stretches that never reached a disk.", [((), figures.holes)])
    yield counter("recording_lost_seconds", "How long they were.", [((), figures.lost_s)])
    yield counter(
        "recording_writer_restarts", "Times the writing process was begun again.",
        [((), figures.writer_restarts)],
    )  # fmt: skip
    yield counter(
        "recording_follower_restarts", "Times a process that makes files was begun again.",
        [((), figures.follower_restarts)],
    )  # fmt: skip
    yield gauge("uploads", "Files on their way to a storage.", labelled(figures.uploads), ("stage",))
    yield counter("uploads_done", "Files that a storage has confirmed.", [((), figures.uploaded)])
    yield counter("upload_failures", "Attempts that failed.", [((), figures.upload_failures)])
    yield counter(
        "live_encoder_cpu_seconds", "Used by the encoders of live streams.", [((), figures.encoder_cpu_s)]
    )
    yield gauge("live_encoders", "One for each distinct coding.", labelled(figures.encoders), ("of",))
    yield counter("live_encoder_starts", "Encoder processes that were begun.", [((), figures.encoder_starts)])
    yield counter(
        "live_encoder_holes", "Times live sound was left out for want of CPU.", [((), figures.encoder_holes)]
    )
    yield counter("hls_requests", "Of players, by answer.", labelled(figures.hls_answers), ("status",))
    yield counter("hls_bytes", "Given to players.", [((), figures.hls_bytes)])
    yield gauge("hls_waiting_requests", "They wait for what comes next.", [((), figures.hls_waiting)])
