"""What Prometheus gets of streams to services, callbacks about them, and captures of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.core import Metric

from bridge.metrics.families import counter, gauge, labelled

STREAM_TOTALS: Mapping[str, tuple[str, str, float]] = {
    "attempts": ("stream_dials", "Connections to services that were tried.", 1),
    "connects": ("stream_connections", "Connections to services that were opened.", 1),
    "played_ms": ("stream_played_seconds", "Audio of services that was taken to be played.", 1e-3),
    "refused_ms": ("stream_refused_seconds", "Audio of services that there was no room for.", 1e-3),
    "underruns": ("stream_underruns", "Times a service's audio ran dry in mid-sentence.", 1),
    "converted": ("stream_converted_messages", "playAudio in another format than its stream's.", 1),
    "malformed": ("stream_malformed_messages", "Messages of services that were not understood.", 1),
    "checkpoints": ("stream_checkpoints", "Checkpoints that services asked for.", 1),
    "clears": ("stream_clears", "Times a service cleared its audio.", 1),
    "digits": ("stream_digits", "Keys that services sounded.", 1),
}
"""What streams count beside frames: what it is called here, what it is, and the unit in the metric's own."""


class StreamFigures(Protocol):
    """Streams to services; counters but for `states` and `waiting`."""

    @property
    def made(self) -> int: ...

    @property
    def states(self) -> Mapping[str, int]: ...

    @property
    def ends(self) -> Mapping[str, int]:
        """By why."""

    @property
    def totals(self) -> Mapping[str, float]:
        """By name: frames `captured`, `delivered`, `lost`, and what services sent."""

    @property
    def waiting(self) -> int:
        """Frames captured, and neither delivered nor lost."""


class CallbackFigures(Protocol):
    """Callbacks to others' servers; counters but for `waiting`."""

    @property
    def sent(self) -> int: ...

    @property
    def retried(self) -> int: ...

    @property
    def failed(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    @property
    def waiting(self) -> int: ...


class CaptureFigures(Protocol):
    """Captures of streams; counters but for `live`."""

    @property
    def files(self) -> int: ...

    @property
    def live(self) -> int: ...

    @property
    def bytes(self) -> int:
        """Written."""

    @property
    def missing(self) -> int:
        """Records that the disk was too slow for."""

    @property
    def full(self) -> int: ...

    @property
    def failed(self) -> int: ...

    @property
    def deleted(self) -> int: ...


def stream_families(streams: StreamFigures) -> Iterator[Metric]:
    """How many there are, and what became of their frames."""
    frames = {name: streams.totals[name] for name in ("captured", "delivered", "lost")}
    yield gauge("streams", "Streams to services by state.", labelled(streams.states), ("state",))
    yield counter("streams_started", "Streams that were begun.", [((), streams.made)])
    yield counter("streams_ended", "Streams that ended, by why.", labelled(streams.ends), ("why",))
    yield counter(
        "stream_frames", "20 ms frames for services: captured = delivered + lost + waiting.",
        labelled(frames), ("fate",),
    )  # fmt: skip
    yield gauge("stream_frames_waiting", "Frames not confirmed yet.", [((), streams.waiting)])
    for name, (called, text, unit) in STREAM_TOTALS.items():
        yield counter(called, text, [((), streams.totals[name] * unit)])


def callback_families(callbacks: CallbackFigures) -> Iterator[Metric]:
    """What became of them."""
    fates = {
        "sent": callbacks.sent,
        "retried": callbacks.retried,
        "failed": callbacks.failed,
        "dropped": callbacks.dropped,
    }
    yield counter("callbacks", "Callbacks to others' servers.", labelled(fates), ("fate",))
    yield gauge("callbacks_waiting", "Callbacks not sent yet.", [((), callbacks.waiting)])


def capture_families(captures: CaptureFigures) -> Iterator[Metric]:
    """As in docs/captures.md."""
    fates = {
        "begun": captures.files,
        "full": captures.full,
        "failed": captures.failed,
        "deleted": captures.deleted,
    }
    yield counter("captures", "Captures of streams.", labelled(fates), ("fate",))
    yield gauge("captures_live", "Captures that are being written.", [((), captures.live)])
    yield counter("capture_bytes", "Written to captures.", [((), captures.bytes)])
    yield counter(
        "capture_missing_records", "Records that the disk was too slow for.", [((), captures.missing)]
    )
