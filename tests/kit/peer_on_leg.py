"""A browser peer joined straight to a WebRTC leg, without HTTP, room or mixer."""

from __future__ import annotations

from types import TracebackType

from bridge.core.events import LegConnected
from bridge.core.ports import CloseReason, WebRtcOffer
from bridge.legs.webrtc_leg import WebRtcLeg
from bridge.legs.webrtc_legs import WebRtcLegs
from bridge.legs.webrtc_settings import WebRtcSettings
from tests.kit.browser_peer import BrowserPeer
from tests.kit.fake_port import FakePort


class PeerOnLeg:
    """`async with PeerOnLeg() as pair`: `pair.peer` asks, `pair.leg` answers, `pair.port` remembers.

    As in the switchboard, an offer that the leg does not carry on with gets a leg (and port) of its own.
    """

    def __init__(self, settings: WebRtcSettings | None = None, legs: WebRtcLegs | None = None) -> None:
        self.legs = legs or WebRtcLegs(settings or WebRtcSettings(loopback_candidate=True))
        self.peer = BrowserPeer(self.ask)
        self.ports: list[FakePort] = []
        self.all: list[WebRtcLeg] = []

    @property
    def port(self) -> FakePort:
        return self.ports[-1]

    @property
    def leg(self) -> WebRtcLeg:
        return self.all[-1]

    async def connected(self) -> None:
        """Wait until the leg has said so."""
        await self.port.event(lambda event: isinstance(event, LegConnected))

    async def ask(self, sdp: str) -> str:
        spec = WebRtcOffer(sdp)
        if self.all:
            answer = await self.leg.renegotiate(spec)
            if answer is not None:
                return answer
        self.ports.append(FakePort())
        self.all.append(self.legs(self.port, spec))
        return await self.leg.start()

    async def __aenter__(self) -> PeerOnLeg:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.peer.close()
        for leg in self.all:
            await leg.close(CloseReason.FAILED)
