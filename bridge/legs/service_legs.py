"""Makes the legs of streams, and adds up what they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bridge.core.ports import LegPort, LegSpec, ServiceStream, StreamEnd, StreamLedger
from bridge.legs.captures import Capturing
from bridge.legs.service_figures import ServiceFigures, figures_of
from bridge.legs.service_leg import ServiceLeg
from bridge.legs.service_settings import ServiceSettings, Surroundings
from bridge.sockets import Dial


class ServiceLegs:
    """A `bridge.core.ports.LegFactory` for `ServiceStream`."""

    def __init__(
        self,
        dial: Dial,
        sound_ms: Callable[[], int],
        settings: ServiceSettings | None = None,
        around: Surroundings | None = None,
        capturing: Capturing | None = None,
    ) -> None:
        """`sound_ms`: when the sound of the tick being delivered was, in Unix milliseconds.

        Without `capturing` no stream is captured, whatever its spec says.
        """
        self._dial = dial
        self._settings = settings or ServiceSettings()
        self._around = around or Surroundings(sound_ms)
        self._capturing = capturing
        self._live: set[ServiceLeg] = set()
        self._made = 0
        self._ends: Counter[str] = Counter()
        self._ended_totals = dict.fromkeys(figures_of(StreamLedger()), 0.0)

    def __call__(self, port: LegPort, spec: LegSpec) -> ServiceLeg:
        """A leg, not started. Raises TypeError for another spec, ValueError for tracks without sources."""
        if not isinstance(spec, ServiceStream):
            raise TypeError(f"not a stream: {type(spec).__name__}")
        if not spec.call.tracks or set(spec.sources) != set(spec.call.tracks):
            raise ValueError("a stream needs a source for each of its tracks, and a track")
        if spec.bidirectional and spec.redial:
            raise ValueError("a stream that plays something back is not redialled")
        leg = ServiceLeg(
            port, spec, self._dial, self._settings, self._around, self._leg_ended, self._capturing
        )
        self._live.add(leg)
        self._made += 1
        return leg

    def figures(self) -> ServiceFigures:
        """For the metrics."""
        totals = dict(self._ended_totals)
        for leg in self._live:
            _add(totals, leg)
        return ServiceFigures(
            made=self._made,
            states=Counter(leg.state for leg in self._live),
            ends=Counter(self._ends),
            totals=totals,
            waiting=round(totals["captured"] - totals["delivered"] - totals["lost"]),
        )

    def _leg_ended(self, leg: ServiceLeg) -> None:
        self._live.discard(leg)
        end = StreamEnd.of(leg.cause or "")
        self._ends[end.value if end is not None else "closed"] += 1
        _add(self._ended_totals, leg)


def _add(totals: dict[str, float], leg: ServiceLeg) -> None:
    for name, figure in figures_of(leg.ledger).items():
        totals[name] += figure
