"""What Prometheus gets: read from the parts when it asks, so that nothing is done for it in between.

`bridge.app` binds a `Figures`, whose `reading` gathers plain numbers; `Metrics.page` renders them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from bridge.histogram import TickTimes
from bridge.metrics.families import counter, gauge, histogram, labelled, quantiles
from bridge.metrics.outputs import OutputFigures, output_families
from bridge.metrics.streams import (
    CallbackFigures,
    CaptureFigures,
    StreamFigures,
    callback_families,
    capture_families,
    stream_families,
)
from bridge.metrics.turns import turn_families
from bridge.turns.figures import TurnFigures


@dataclass(frozen=True, slots=True)
class Reading:
    """The parts' figures at one moment. Counters run from the start of the process."""

    ticks: Mapping[str, int] = field(default_factory=dict)
    """By what the clock found: `on_time`, `late`, `caught_up`, `reset`, …; `failed` ones raised."""
    rooms: int = 0
    conferences: int = 0
    participants: int = 0
    legs: Mapping[str, int] = field(default_factory=dict)
    """Live legs by kind."""
    frames: Mapping[str, int] = field(default_factory=dict)
    """20 ms frames by what became of them: `in`, `out`, `dropped`, `concealed`, `recovered`, …"""
    packets_lost: int = 0
    playout_depth_ms: Sequence[float] = ()
    """One value for each open input."""
    backlog_ms: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Audio sent and not yet played at the far side: by kind of leg, one value for each."""
    encoded: int = 0
    encode_s: float = 0.0
    encode_dropped: int = 0
    encode_failed: int = 0
    ice_failures: int = 0
    websockets: Mapping[str, int] = field(default_factory=dict)
    """Open WebSockets by kind."""
    websocket_refusals: int = 0
    bad_messages: int = 0
    """Messages from peers that were refused or dropped as not understood."""
    notifications_dropped: int = 0
    draining: bool = False
    overloaded: bool = False
    more: Mapping[str, float] = field(default_factory=dict)
    """Further counters by name (lower case, underscores)."""
    turns: TurnFigures | None = None
    """What was measured of conversations with bots; None: nothing measures."""
    streams: StreamFigures | None = None
    callbacks: CallbackFigures | None = None
    captures: CaptureFigures | None = None
    """None: none are kept."""
    outputs: OutputFigures | None = None


class Figures(Protocol):
    """Whatever can tell the figures; asked on the event loop's thread, at scrape time."""

    def reading(self) -> Reading: ...


class Metrics:
    """The page behind `/metrics`."""

    def __init__(self, figures: Figures, tick_times: TickTimes, version: str) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_BridgeCollector(figures, tick_times, version))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """The page and its content type, in the format that the `Accept` header asks for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _BridgeCollector(Collector):
    def __init__(self, figures: Figures, tick_times: TickTimes, version: str) -> None:
        self._figures = figures
        self._tick_times = tick_times
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """Everything of the bridge's own."""
        reading = self._figures.reading()
        yield gauge("build_info", "The running version.", [((self._version,), 1)], ("version",))
        yield from self._ticks(reading)
        yield from _rooms(reading)
        yield from _media(reading)
        yield from _encoding(reading)
        yield from _sockets(reading)
        if reading.turns is not None:
            yield from turn_families(reading.turns)
        if reading.streams is not None:
            yield from stream_families(reading.streams)
        if reading.callbacks is not None:
            yield from callback_families(reading.callbacks)
        if reading.captures is not None:
            yield from capture_families(reading.captures)
        if reading.outputs is not None:
            yield from output_families(reading.outputs)
        for name, value in reading.more.items():
            yield counter(name, name.replace("_", " ").capitalize() + ".", [((), value)])

    def _ticks(self, reading: Reading) -> Iterator[Metric]:
        lateness, duration = self._tick_times.lateness, self._tick_times.duration
        for name, text, observed in (
            ("tick_lateness_seconds", "How late ticks began.", lateness),
            ("tick_duration_seconds", "How long ticks took.", duration),
        ):
            yield histogram(name, text, [((), observed)])
        yield counter("ticks", "Ticks by what the clock found.", labelled(reading.ticks), ("outcome",))


def _rooms(reading: Reading) -> Iterator[Metric]:
    yield gauge("rooms", "Rooms in the mixer.", [((), reading.rooms)])
    yield gauge("conferences", "Conferences.", [((), reading.conferences)])
    yield gauge("participants", "Participants, connected or not.", [((), reading.participants)])
    yield gauge("legs", "Live legs.", labelled(reading.legs), ("kind",))
    yield gauge("draining", "1 while the server goes down.", [((), reading.draining)])
    yield gauge("overloaded", "1 while ticks run late and new media is refused.", [((), reading.overloaded)])


def _media(reading: Reading) -> Iterator[Metric]:
    yield counter("frames", "20 ms frames by what became of them.", labelled(reading.frames), ("outcome",))
    yield counter("packets_lost", "RTP packets that never came.", [((), reading.packets_lost)])
    depths = quantiles(reading.playout_depth_ms)
    yield gauge("playout_depth_seconds", "Audio held in the inputs' buffers.", depths, ("quantile",))
    yield gauge(
        "far_side_backlog_seconds",
        "Audio sent and not yet played at the far side.",
        [
            ((kind, *labels), value)
            for kind, values in reading.backlog_ms.items()
            for labels, value in quantiles(values)
        ],
        ("kind", "quantile"),
    )


def _encoding(reading: Reading) -> Iterator[Metric]:
    yield counter("encode_seconds", "Time spent encoding, all threads.", [((), reading.encode_s)])
    yield counter("encoded_packets", "Opus packets encoded.", [((), reading.encoded)])
    yield counter("encode_dropped", "Frames not encoded for want of time.", [((), reading.encode_dropped)])
    yield counter("encode_failures", "Encoder errors.", [((), reading.encode_failed)])


def _sockets(reading: Reading) -> Iterator[Metric]:
    yield counter("ice_failures", "WebRTC legs that never connected or broke.", [((), reading.ice_failures)])
    yield gauge("websockets", "Open WebSockets.", labelled(reading.websockets), ("kind",))
    yield counter("websocket_refusals", "WebSockets refused.", [((), reading.websocket_refusals)])
    yield counter("bad_messages", "Messages not understood.", [((), reading.bad_messages)])
    yield counter(
        "notifications_dropped",
        "Notifications that a slow client missed.",
        [((), reading.notifications_dropped)],
    )
