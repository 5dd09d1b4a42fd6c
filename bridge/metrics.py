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
from bridge.metrics_families import counter, gauge, histogram, labelled, quantiles
from bridge.metrics_outputs import OutputFigures, output_families
from bridge.turn_figures import TurnFigures

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
            yield from _turns(reading.turns)
        if reading.streams is not None:
            yield from _streams(reading.streams)
        if reading.callbacks is not None:
            yield from _callbacks(reading.callbacks)
        if reading.captures is not None:
            yield from _captures(reading.captures)
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


def _streams(streams: StreamFigures) -> Iterator[Metric]:
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


def _callbacks(callbacks: CallbackFigures) -> Iterator[Metric]:
    fates = {
        "sent": callbacks.sent,
        "retried": callbacks.retried,
        "failed": callbacks.failed,
        "dropped": callbacks.dropped,
    }
    yield counter("callbacks", "Callbacks to others' servers.", labelled(fates), ("fate",))
    yield gauge("callbacks_waiting", "Callbacks not sent yet.", [((), callbacks.waiting)])


def _captures(captures: CaptureFigures) -> Iterator[Metric]:
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


def _turns(turns: TurnFigures) -> Iterator[Metric]:
    """As defined in docs/turns.md."""
    yield histogram(
        "turn_response_delay_seconds",
        "From the end of a caller's speech to the bot's first sound.",
        [((), turns.response_delay)],
    )
    yield histogram(
        "turn_barge_in_reaction_seconds",
        "From the onset of a caller's speech over the bot to the end of the bot's sound, by how it ended.",
        [((how,), histogram) for how, histogram in turns.barge_in.items()],
        ("outcome",),
    )
    yield histogram("turn_overtalk_seconds", "Stretches of both sides sounding.", [((), turns.overtalk)])
    yield histogram(
        "turn_first_word_seconds", "From a stream's start to the bot's first sound.", [((), turns.first_word)]
    )
    yield counter("turns", "Turns by whose they were.", labelled(turns.turns), ("side",))
    yield counter(
        "turn_interruptions", "Times one side talked over the other.", labelled(turns.interruptions), ("by",)
    )
    yield counter("turn_barge_ins", "Barge-ins by what the bot did.", labelled(turns.barge_ins), ("outcome",))
    yield counter(
        "turn_backchannels", "Short speech over the other's.", labelled(turns.backchannels), ("by",)
    )
    yield counter("turn_underruns", "Times a bot's sound ran dry in mid-sentence.", [((), turns.underruns)])
    yield counter("turn_unanswered", "Turns of callers that got no response.", [((), turns.unanswered)])
