"""Makes WebRTC legs and adds up what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.ports import LegPort, LegSpec, WebRtcOffer
from bridge.errors import LimitReached
from bridge.legs.webrtc_leg import WebRtcLeg
from bridge.legs.webrtc_settings import WebRtcSettings


@dataclass(frozen=True, slots=True)
class WebRtcFigures:
    """Totals since the start, but for `states`."""

    states: Mapping[str, int]
    """Legs that live, by state."""
    made: int
    connected: int
    """Legs whose peer has connected at least once."""
    ice_failures: int
    """Legs that ended before media could flow."""
    interruptions: int
    packets_in: int
    packets_out: int
    unreadable: int
    texts_dropped: int


class WebRtcLegs:
    """A `LegFactory` for `WebRtcOffer`."""

    def __init__(self, settings: WebRtcSettings) -> None:
        self._settings = settings
        self._states: dict[WebRtcLeg, str] = {}
        self._ever_connected: set[WebRtcLeg] = set()
        self._made = self._connected = self._ice_failures = self._interruptions = 0
        self._packets_in = self._packets_out = self._unreadable = self._texts_dropped = 0

    def __call__(self, port: LegPort, spec: LegSpec) -> WebRtcLeg:
        """A leg, not started. Raises LimitReached while too many wait for their peers."""
        if not isinstance(spec, WebRtcOffer):
            raise TypeError(f"not an offer: {type(spec).__name__}")
        if self._count("connecting") >= self._settings.max_connecting:
            raise LimitReached("limits.unnegotiated_sessions", self._settings.max_connecting)
        leg = WebRtcLeg(port, spec, self._settings, self._state_changed)
        self._states[leg] = leg.state
        self._made += 1
        return leg

    def figures(self) -> WebRtcFigures:
        """For the metrics."""
        legs = list(self._states)
        return WebRtcFigures(
            states={state: self._count(state) for state in ("connecting", "connected", "interrupted")},
            made=self._made,
            connected=self._connected,
            ice_failures=self._ice_failures,
            interruptions=self._interruptions,
            packets_in=self._packets_in + sum(leg.media.receiver.packets for leg in legs),
            packets_out=self._packets_out + sum(leg.media.packets_out for leg in legs),
            unreadable=self._unreadable + sum(leg.transport.unreadable for leg in legs),
            texts_dropped=self._texts_dropped + sum(leg.text.dropped for leg in legs),
        )

    def _count(self, state: str) -> int:
        return sum(1 for one in self._states.values() if one == state)

    def _state_changed(self, leg: WebRtcLeg) -> None:
        if leg not in self._states:
            return
        self._states[leg] = leg.state
        if leg.state == "connected" and leg not in self._ever_connected:
            self._ever_connected.add(leg)
            self._connected += 1
        elif leg.state == "interrupted":
            self._interruptions += 1
        elif leg.state == "closed":
            del self._states[leg]
            if leg in self._ever_connected:
                self._ever_connected.discard(leg)
            elif leg.cause:  # it ended by itself, not by the bridge's doing
                self._ice_failures += 1
            self._packets_in += leg.media.receiver.packets
            self._packets_out += leg.media.packets_out
            self._unreadable += leg.transport.unreadable
            self._texts_dropped += leg.text.dropped
