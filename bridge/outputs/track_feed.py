"""From the ticks of a room's taps to chunks of records: the sound of all tracks, in step."""

from __future__ import annotations

from collections.abc import Callable

from bridge.outputs.record import Begun, Lost, Record, Sound

Put = Callable[[list[Record], int], None]
"""`put(records, until)`: all there is to tell of the ticks before `until` that was not told before."""


class TrackFeed:
    """Collects what one output is told, and gives it on in chunks of `chunk_ticks`. On the loop's thread.

    `tick()` is the number of the room's newest tick on the conference's clock; the stretch's tick 0 is the
    one after that in which the feed is made. Each track has a sink, which must be given every tick, in the
    tick itself, as long as it is open; one of them at least is always open. Ticks between others in which no
    sink was given anything never ran: they are lost.
    """

    def __init__(self, tick: Callable[[], int], put: Put, *, chunk_ticks: int = 10) -> None:
        self._tick = tick
        self._put = put
        self._chunk_ticks = chunk_ticks
        self._began = tick() + 1
        self._newest = self._began - 1  # the clock's number of the newest tick we know of
        self._chunk_end = self._began + chunk_ticks
        self._tracks: dict[str, TrackSink] = {}
        self._records: list[Record] = []
        self._ended = False

    @property
    def tick(self) -> int:
        """The stretch's number of the tick that comes next: what happens now belongs to it."""
        return max(0, self._tick() + 1 - self._began)

    def track(self, name: str) -> TrackSink:
        """The sink of a track, new or not. It gives the sound of that track from now on."""
        sink = self._tracks.get(name)
        if sink is None:
            sink = self._tracks[name] = TrackSink(self, name)
        return sink

    def close_track(self, name: str) -> None:
        """It sounds no more; what it sounded like is given on."""
        sink = self._tracks.pop(name, None)
        if sink is not None:
            self._records.extend(sink.take())

    def tell(self, record: Record) -> None:
        """Something happened; `record.tick` is `tick`, in order."""
        if not self._ended:
            self._records.append(record)

    def flush(self) -> None:
        """Give on what there is now, between two ticks."""
        if not self._ended:
            self._give(self._newest + 1)

    def end(self) -> int:
        """Nothing more is taken. Gives the tick at which the stretch is over; all before it is given on."""
        if not self._ended:
            self._give(self._newest + 1)
            if self._records:  # what happened after the last tick
                self._put(self._records, self._newest + 1 - self._began)
            self._ended = True
        return self._newest + 1 - self._began

    def passes(self, tick: int) -> None:
        """A sink is given `tick`, the first one to be: all of the ticks before it has been told."""
        if self._ended:
            return
        if tick > self._newest + 1:
            never_ran = Lost(self._newest + 1 - self._began, tick - self._began, "the server was late")
            self._records.append(never_ran)
        if tick >= self._chunk_end:
            self._give(tick)
        self._newest = tick

    def _give(self, until: int) -> None:
        over = until - self._began
        told = [one for one in self._records if isinstance(one, Begun) or one.tick < over]
        self._records = [] if len(told) == len(self._records) else [
            one for one in self._records if not isinstance(one, Begun) and one.tick >= over
        ]  # fmt: skip
        for sink in self._tracks.values():
            told.extend(sink.take())
        if until >= self._chunk_end:  # chunks keep to their grid, however late this one is
            self._chunk_end += ((until - self._chunk_end) // self._chunk_ticks + 1) * self._chunk_ticks
        self._put(told, over)


class TrackSink:
    """One track's end of a feed: a `bridge.core.ports.FrameSink` of 48 kHz frames."""

    __slots__ = ("_feed", "_frames", "_name", "_newest", "_next", "_runs", "_tick", "_began")

    def __init__(self, feed: TrackFeed, name: str) -> None:
        self._feed = feed
        self._name = name
        self._tick = feed._tick
        self._began = feed._began
        self._frames: list[bytes] = []
        self._runs: list[tuple[int, list[bytes]]] = []
        self._next = -1

    def send_frame(self, frame: bytes, silent: bool, late: bool) -> None:
        """The sound of the tick that is just being run."""
        tick = self._tick()
        if tick > self._feed._newest:
            self._feed.passes(tick)
        if silent:
            return
        if tick == self._next:
            self._frames.append(frame)
        elif tick > self._next:
            self._frames = [frame]
            self._runs.append((tick - self._began, self._frames))
        else:
            return
        self._next = tick + 1

    def take(self) -> list[Sound]:
        """What sounded since the last call."""
        runs, self._runs = self._runs, []
        self._next = -1
        return [Sound(self._name, tick, b"".join(frames)) for tick, frames in runs]
