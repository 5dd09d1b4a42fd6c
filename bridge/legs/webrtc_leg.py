"""A participant's WebRTC connection: one transport, any number of sections, a data channel.

An offer of a data channel alone is how the conference SDKs begin: the channel (negotiated, id 1) is the
session, and its end is the leg's. Further offers of the same connection (same ICE ufrag and certificate)
renegotiate. A plain offer brings audio at once, with a data channel or without.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from bridge.core.events import LegClosed, LegConnected, LegEvent, LegInterrupted, TextReceived
from bridge.core.ports import OPUS, CloseReason, LegLook, LegPort, LegSpec, WebRtcOffer
from bridge.errors import LimitReached
from bridge.legs.aiortc_seams import MediaTransport
from bridge.legs.rtcp_reports import Reports
from bridge.legs.rtp_receive import Receiver
from bridge.legs.webrtc_answer_wire import announce, plan_sections, write_answer
from bridge.legs.webrtc_media import Media
from bridge.legs.webrtc_settings import WebRtcSettings
from bridge.legs.webrtc_text import Channel, TextChannel
from bridge.legs.webrtc_wire import Offer, OfferLimits, read_offer

log = logging.getLogger(__name__)

CHANNEL_ID = 1
"""The negotiated data channel's."""
CODES = {CloseReason.EXPELLED: "4001", CloseReason.REPLACED: "4001", CloseReason.ENDED: "4000"}
"""Said on the data channel before it closes. Without a code the peer comes back."""
GOODBYE_TIMEOUT_S = 1.0
"""How long the peer may take to acknowledge the code."""
IN_BAND_GRACE_S = 0.5
"""How long to wait for a channel that the peer announces, before the negotiated one is taken for it."""


class WebRtcLeg:
    """See `bridge.core.ports.Leg`. `over(leg, cause)` is called once when it has ended by itself."""

    kind = "webrtc"

    def __init__(
        self,
        port: LegPort,
        spec: WebRtcOffer,
        settings: WebRtcSettings,
        state_changed: Callable[[WebRtcLeg], None] = lambda leg: None,
    ) -> None:
        self._port = port
        self._sdp = spec.sdp
        self._settings = settings
        self._state_changed = state_changed
        self._limits = OfferLimits(settings.max_sdp_bytes, settings.max_sections, settings.max_candidates)
        self._cname = secrets.token_hex(8)
        self._offer: Offer | None = None
        self._version = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._had_channel = False
        self._closing = False
        self._closed = asyncio.Event()
        self.state = "connecting"
        self.cause = ""
        """Why it ended."""
        receiver = Receiver()
        self.transport = MediaTransport(
            settings.ice_servers,
            loopback=settings.loopback_candidate,
            receive_rtp=receiver.receive,
            receive_rtcp=self._rtcp_received,
            changed=self._wake.set,
        )
        self.media = Media(port, receiver, self.transport.send_rtp)
        self.reports = Reports(receiver, self._cname)
        self.text = TextChannel(settings, self._text_received, self._text_overflow, time.monotonic)
        self._context = {"room": port.room_id, "participant": port.participant_id, "leg": self.kind}

    async def start(self) -> str:
        """The answer. Raises BadOffer, LimitReached."""
        offer = read_offer(self._sdp, self._limits)
        await self.transport.gather()
        if not self.transport.local.candidates:
            low, high = self._settings.udp_port_range or (1, 65535)
            raise LimitReached("webrtc.udp_port_range", high - low + 1)
        if offer.data_section is not None:
            self._offer_channel(sdk_style=offer.data_only)
        answer = self._apply(offer)
        self._task = asyncio.create_task(self._run(offer))
        return answer

    async def renegotiate(self, spec: LegSpec) -> str | None:
        """The answer when the offer belongs to this connection, else None. Raises BadOffer."""
        if (
            not isinstance(spec, WebRtcOffer)
            or self._closing
            or self.state == "closed"
            or self._offer is None
        ):
            return None
        offer = read_offer(spec.sdp, self._limits)
        before = self._offer.transport
        if (offer.transport.ufrag, offer.transport.fingerprints) != (before.ufrag, before.fingerprints):
            return None
        first_data = self._offer.data_section is None and offer.data_section is not None
        if first_data:
            self._offer_channel(sdk_style=False)
        # The DTLS role was settled by the first answer (RFC 8842 §5.3).
        offer = replace(offer, transport=replace(offer.transport, setup=before.setup))
        answer = self._apply(offer)
        await self.transport.add_candidates(offer.transport)
        if first_data and self.transport.connected:
            await self._start_data(offer)
        return answer

    def press(self, track: str, digit: str) -> None:
        """Nothing is streamed to this peer as a track: dropped."""

    def send(self, text: str) -> None:
        """Text for the peer; dropped when it has no data channel."""
        if self._offer is not None and self._offer.data_section is not None and self.state != "closed":
            self.text.send(text)

    async def close(self, reason: CloseReason) -> None:
        """End it; takes at most little more than `GOODBYE_TIMEOUT_S`."""
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        self.media.apply(())
        try:
            code = CODES.get(reason)
            if code is not None and self.text.open:
                self.text.send(code)
                try:
                    async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                        await self.transport.delivered()
                except TimeoutError:
                    log.debug("x the closing code was not acknowledged", extra=self._context)
        finally:
            await self._tear_down()

    def look(self) -> LegLook:
        """State and quality of the connection."""
        now = time.monotonic()
        receiver = self.media.receiver
        streams = receiver.live(now).values()
        round_trip = self.reports.round_trip_s
        if round_trip is None:
            round_trip = self.transport.round_trip_s
        return LegLook(
            kind=self.kind,
            state=self.state,
            format=OPUS.title,
            round_trip_ms=None if round_trip is None else round_trip * 1000,
            loss=max((stream.loss for stream in streams), default=None),
            figures={
                "packets_in": receiver.packets,
                "packets_out": self.media.packets_out,
                "jitter_ms": max((stream.jitter / 48 for stream in streams), default=0.0),
                "far_loss": self.reports.far_loss,
                "unreadable": self.transport.unreadable,
                "unwanted": receiver.unwanted,
                "texts_in": self.text.received,
                "texts_out": self.text.sent,
                "texts_dropped": self.text.dropped,
                "unsent_text_bytes": self.text.unsent_bytes,
            },
        )

    # --- sections ---

    def _apply(self, offer: Offer) -> str:
        """Bring inputs and outputs in line with the offer; gives the answer."""
        plans = plan_sections(offer)
        self.media.apply(plans)
        self._offer = offer
        self._version += 1
        local = self.transport.local
        shown = announce(local.candidates, self._settings.announced_addresses)
        local = replace(local, candidates=shown)
        return write_answer(offer, plans, local, self.media.ssrcs, self._cname, self._version)

    # --- life ---

    async def _run(self, offer: Offer) -> None:
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                await self.transport.connect(offer.transport)
                self._become("connected")
                self._emit(LegConnected())
                if self._offer is not None and self._offer.data_section is not None:
                    await self._start_data(self._offer)
            await self._watch()
        except TimeoutError:
            self._end(f"no connection within {self._settings.connect_timeout_s:g} s")
        except ConnectionError as error:
            self._end(str(error))
        except Exception:  # nothing that happens to one leg may go further
            log.exception("x the leg failed", extra=self._context)
            self._end("internal error")

    async def _watch(self) -> None:
        """Reports every second or so (RFC 3550 §6.2), and an eye on whether the peer is still there."""
        while True:
            try:
                async with asyncio.timeout(0.5 + random.random()):
                    await self._wake.wait()
                    self._wake.clear()
            except TimeoutError:
                pass
            cause = self.transport.lost
            if cause is None and self._had_channel and self.transport.data_lost:
                cause = "the peer left"
            if cause is not None:
                raise ConnectionError(cause)
            now = time.monotonic()
            silence = now - self.transport.heard_at
            if self.state == "connected" and silence > self._settings.interrupted_after_s:
                self._become("interrupted")
                self._emit(LegInterrupted(f"nothing heard for {silence:.0f} s"))
            elif self.state == "interrupted" and silence < self._settings.interrupted_after_s:
                self._become("connected")
                self._emit(LegConnected())
            for compound in self.reports.due(self.media.senders, now, time.time()):
                self.transport.send_rtcp(compound)

    def _rtcp_received(self, compound: bytes, now: float) -> None:
        self.reports.receive(compound, self.media.senders, now, time.time())

    def _become(self, state: str) -> None:
        self.state = state
        log.debug("- %s", state, extra=self._context)
        self._state_changed(self)

    def _emit(self, event: LegEvent) -> None:
        if not self._closing:
            self._port.emit(event)

    def _end(self, cause: str) -> None:
        """It is over, and not because the bridge asked for it."""
        if self.state == "closed" or self._closing:
            return
        self.cause = cause
        self.media.end()
        self._become("closed")
        self._emit(LegClosed(cause))

    async def _tear_down(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
            last = self.reports.last(self.media.senders)
            if last is not None:
                self.transport.send_rtcp(last)
            await self.transport.close()
        finally:
            if self.state != "closed":
                self._become("closed")
            self._closed.set()

    # --- text ---

    def _offer_channel(self, *, sdk_style: bool) -> None:
        """Have a channel ready under the number that both sides know without a word."""
        channel = self.transport.negotiated_channel(CHANNEL_ID)
        self.text.listen(channel)
        self.transport.on_channel(self._channel_announced)
        if sdk_style:
            channel.on("open", lambda: self._use(channel))
            channel.on("close", lambda: self._end("the peer left"))
        else:
            channel.on("open", lambda: self._use_later(channel))
            channel.on("close", lambda: self.text.lose(channel))

    def _use(self, channel: Channel) -> None:
        self._had_channel = True
        self.text.use(channel)

    def _use_later(self, channel: Channel) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(IN_BAND_GRACE_S, self._use, channel)

    def _channel_announced(self, channel: Channel) -> None:
        if getattr(channel, "id", None) != CHANNEL_ID:
            self.text.listen(channel)
            channel.on("close", lambda: self.text.lose(channel))
        if self._timer is not None:
            self._timer.cancel()
        self._use(channel)

    async def _start_data(self, offer: Offer) -> None:
        section = offer.data_section
        if section is not None:
            await self.transport.start_data(section.sctp_port, section.max_message_bytes)

    def _text_received(self, text: str) -> None:
        self._emit(TextReceived(text))

    def _text_overflow(self) -> None:
        self._end("too much text waits for the peer")
