"""The only door to aiortc and aioice, and all that is touched of their insides.

aiortc gives ICE, DTLS and SCTP, as the objects of ORTC: one of each for a leg, all media bundled on them. RTP
and RTCP are ours. The insides that are used, each held by a test in `tests/bridge/legs/test_aiortc_seams.py`:

- `StunProtocol.datagram_received`, replaced for each socket: media is decrypted where it arrives, without
  the queue, task and thread behind it; what aioice chokes on ends there; the queue before DTLS gets a bound.
- `StunProtocol.request`, wrapped to see how long an answer takes.
- `RTCDtlsTransport._rx_srtp`, `_tx_srtp`, `_set_role`, `_task`: the SRTP sessions, the DTLS role, the pump.
- `Connection._nominated`, `_protocols`, `_queue` and `get_component_candidates`: the pair in use, the
  sockets, and a socket more on 127.0.0.1, which aioice leaves out.
- `RTCSctpTransport._data_channel_receive`, wrapped: aiortc asserts that nobody opens a channel twice, and a
  peer may open the one that stands already; `_receive_sack_chunk`, wrapped to know when all has arrived.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import pylibsrtp
from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceServer,
    RTCIceTransport,
    RTCSctpCapabilities,
    RTCSctpTransport,
)
from aiortc.rtcdtlstransport import RTCDtlsFingerprint

from bridge.legs.webrtc_answer_wire import LocalTransport
from bridge.legs.webrtc_settings import IceServer
from bridge.legs.webrtc_transport_wire import IceCandidate, PeerTransport

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
GATHER_TIMEOUT_S = 3
"""How long a STUN or TURN server may hold up an answer."""
MAX_WAITING_DATAGRAMS = 64
"""DTLS datagrams held while nobody reads; more are dropped, and DTLS repeats them."""
FIRST_RETRY_S = 0.5
"""When aioice sends an unanswered check again."""
MAX_CHANNELS = 16
"""Data channels that a peer may open."""

_DCEP, _DCEP_OPEN, _DCEP_ACK = 50, 3, b"\x02"  # RFC 8832 §5, §8


class MediaTransport:
    """A leg's way to its peer. Calls in this order: `gather`, `connect`, any `send_…`, `close`.

    `receive_rtp(packet, now)` and `receive_rtcp(packet, now)` get decrypted packets; what they raise is
    counted in `unreadable` and goes no further. `changed()` is called when `lost` may have become true.
    """

    def __init__(
        self,
        ice_servers: tuple[IceServer, ...],
        *,
        loopback: bool,
        receive_rtp: Callable[[bytes, float], None],
        receive_rtcp: Callable[[bytes, float], None],
        changed: Callable[[], None],
    ) -> None:
        servers = [
            RTCIceServer(
                urls=list(server.urls),
                username=server.username or None,
                credential=server.credential or None,
            )
            for server in ice_servers
        ]
        self._gatherer = RTCIceGatherer(iceServers=servers)
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = RTCDtlsTransport(self._ice, [RTCCertificate.generateCertificate()])
        self._sctp: RTCSctpTransport | None = None
        self._connection = self._ice._connection
        self._nominated = self._connection._nominated
        self._pair: object = None
        self._address: tuple[str, int] = ("", 0)
        self._sendto: Callable[[bytes, tuple[str, int]], None] | None = None
        self._receive_rtp = receive_rtp
        self._receive_rtcp = receive_rtcp
        self._acknowledged: asyncio.Event | None = None
        self._complained = False
        self.heard_at = monotonic()
        """When anything at all came from the peer."""
        self.round_trip_s: float | None = None
        """As ICE's checks take; there is one every 5 s."""
        self.unreadable = 0
        """Datagrams and packets that could not be decrypted, understood or held."""
        self._connection.get_component_candidates = _gathering(  # type: ignore[method-assign]
            self._connection, loopback
        )
        self._ice.on("statechange", changed)
        self._dtls.on("statechange", changed)

    # --- setting up ---

    async def gather(self) -> None:
        """Open the sockets and learn our addresses. When cancelled, what is open is known to `close`."""
        gathering = asyncio.ensure_future(self._gatherer.gather())
        try:
            await asyncio.shield(gathering)
        except asyncio.CancelledError:
            await gathering
            raise
        for protocol in self._connection._protocols:
            tap: Any = self._tap(protocol.datagram_received)
            protocol.datagram_received = tap  # type: ignore[method-assign]
            protocol.request = self._timed(protocol.request)  # type: ignore[method-assign]

    @property
    def local(self) -> LocalTransport:
        """Our end, for the answer; candidates as the machine sees them."""
        parameters = self._gatherer.getLocalParameters()
        return LocalTransport(
            ufrag=str(parameters.usernameFragment),
            password=str(parameters.password),
            fingerprints=tuple(
                (fingerprint.algorithm, fingerprint.value)
                for fingerprint in self._dtls.getLocalParameters().fingerprints
                if fingerprint.algorithm == "sha-256"
            ),
            candidates=tuple(
                IceCandidate(
                    foundation=one.foundation[:32],
                    component=one.component,
                    protocol=one.protocol,
                    priority=one.priority,
                    address=one.ip,
                    port=one.port,
                    type=one.type,
                    related_address=one.relatedAddress,
                    related_port=one.relatedPort,
                )
                for one in self._gatherer.getLocalCandidates()
            ),
        )

    async def connect(self, peer: PeerTransport) -> None:
        """ICE, then DTLS; media can flow afterwards. Raises ConnectionError. Waits for the peer for ever."""
        self._connection.ice_controlling = peer.ice_lite
        await self.add_candidates(peer)
        await self._ice.start(
            RTCIceParameters(usernameFragment=peer.ufrag, password=peer.password, iceLite=peer.ice_lite)
        )
        if self._ice.state != "completed":
            raise ConnectionError("ICE failed")
        self._dtls._set_role("server" if peer.setup == "active" else "client")
        fingerprints = [RTCDtlsFingerprint(algorithm, value) for algorithm, value in peer.fingerprints]
        await self._dtls.start(RTCDtlsParameters(fingerprints=fingerprints))
        if self._dtls.state != "connected":
            raise ConnectionError("DTLS failed")

    async def add_candidates(self, peer: PeerTransport) -> None:
        """Try the peer's addresses. The end is never signalled: it may well have others that we only see."""
        for one in peer.candidates:
            await self._ice.addRemoteCandidate(
                RTCIceCandidate(
                    component=one.component,
                    foundation=one.foundation,
                    ip=one.address,
                    port=one.port,
                    priority=one.priority,
                    protocol=one.protocol,
                    type=one.type,
                )
            )

    @property
    def connected(self) -> bool:
        """Media can flow."""
        return self._dtls.state == "connected" and bool(self._nominated)

    @property
    def lost(self) -> str | None:
        """Why it is over, None while it is not."""
        if self._ice.state != "failed" and self._dtls.state not in ("closed", "failed"):
            return None
        # aioice forgets its pair when the peer's consent has run out (RFC 7675).
        return "the peer closed the connection" if self._nominated else "the peer no longer answers"

    # --- data channels ---

    def negotiated_channel(self, channel_id: int) -> RTCDataChannel:
        """A channel that both sides set up without announcing it. Before or after `connect`."""
        return RTCDataChannel(
            self._data(), RTCDataChannelParameters(label="", id=channel_id, ordered=True, negotiated=True)
        )

    def on_channel(self, opened: Callable[[RTCDataChannel], None]) -> None:
        """Call `opened` for each channel that the peer announces."""
        self._data().on("datachannel", opened)

    async def start_data(self, port: int, max_message_bytes: int) -> None:
        """Begin SCTP; after `connect`. Nothing happens the second time. Raises ConnectionError."""
        await self._data().start(RTCSctpCapabilities(maxMessageSize=max_message_bytes), port)

    @property
    def data_lost(self) -> bool:
        """The peer has ended SCTP."""
        return self._sctp is not None and self._sctp.state == "closed"

    async def delivered(self) -> None:
        """Wait until the peer has acknowledged everything sent on data channels."""
        while (sctp := self._sctp) is not None and sctp.state == "connected":
            if not (sctp._data_channel_queue or sctp._outbound_queue or sctp._sent_queue):
                return
            self._acknowledged = asyncio.Event()
            await self._acknowledged.wait()

    # --- sending ---

    def send_rtp(self, packet: bytes) -> bool:
        """Protect and send; False, with nothing done, when there is no way to the peer. Never raises."""
        session, pair = self._dtls._tx_srtp, self._nominated.get(1)
        if pair is None or session is None:
            return False
        try:
            if pair is not self._pair:
                self._sendto, self._address = pair.protocol.transport.sendto, pair.remote_addr
                self._pair = pair
            self._sendto(session.protect(packet), self._address)  # type: ignore[misc]
        except Exception:  # what the kernel or libsrtp refuses is a lost packet; its number is used up
            self.unreadable += 1
        return True

    def send_rtcp(self, compound: bytes) -> bool:
        """The same for RTCP."""
        session, pair = self._dtls._tx_srtp, self._nominated.get(1)
        if pair is None or session is None:
            return False
        try:
            pair.protocol.transport.sendto(session.protect_rtcp(compound), pair.remote_addr)
        except Exception:
            self.unreadable += 1
        return True

    async def close(self) -> None:
        """Tell the peer, close the sockets, end every task. May be called at any time, also twice."""
        pump = self._dtls._task
        self._ice.remove_all_listeners()
        self._dtls.remove_all_listeners()
        if self._sctp is not None:
            await self._sctp.stop()
        await self._dtls.stop()
        await self._ice.stop()
        if pump is not None:
            await asyncio.wait([pump])
            if not pump.cancelled():
                pump.exception()  # seen; it ended the transport and that was reported

    # --- inside ---

    def _tap(self, passed_on: Callable[[Any, Any], None]) -> Callable[[bytes, Any], None]:
        dtls, queue = self._dtls, self._connection._queue
        receive_rtp, receive_rtcp = self._receive_rtp, self._receive_rtcp

        def datagram_received(data: bytes, address: Any) -> None:
            # Told apart by the first byte (RFC 7983 §7), RTCP from RTP by the second (RFC 5761 §4).
            try:
                first = data[0]
                if 127 < first < 192:
                    session = dtls._rx_srtp
                    if session is None:
                        self.unreadable += 1
                        return
                    now = monotonic()
                    if 191 < data[1] < 224:
                        receive_rtcp(session.unprotect_rtcp(data), now)
                    else:
                        receive_rtp(session.unprotect(data), now)
                    self.heard_at = now
                elif first < 4 or (19 < first < 64 and queue.qsize() < MAX_WAITING_DATAGRAMS):
                    passed_on(data, address)
                    self.heard_at = monotonic()
                else:
                    self.unreadable += 1
            except (pylibsrtp.Error, struct.error, IndexError, ValueError):
                self.unreadable += 1
            except Exception:  # the outer edge of everything that comes from the network
                self.unreadable += 1
                if not self._complained:
                    self._complained = True
                    log.exception("x a datagram could not be handled; further ones are only counted")

        return datagram_received

    def _timed(self, request: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        async def timed(*arguments: Any, **options: Any) -> Any:
            started = monotonic()
            answer = await request(*arguments, **options)
            elapsed = monotonic() - started
            if elapsed < FIRST_RETRY_S:  # else nobody knows which of the requests was answered
                self.round_trip_s = elapsed
            return answer

        return timed

    def _data(self) -> RTCSctpTransport:
        if self._sctp is None:
            sctp = self._sctp = RTCSctpTransport(self._dtls)
            tolerant: Any = _tolerant(sctp)
            sctp._data_channel_receive = tolerant  # type: ignore[method-assign]
            passed_on = sctp._receive_sack_chunk

            async def receive_sack_chunk(chunk: Any) -> None:
                await passed_on(chunk)
                if self._acknowledged is not None:
                    self._acknowledged.set()

            sctp._receive_sack_chunk = receive_sack_chunk  # type: ignore[method-assign]
        return self._sctp


def _gathering(connection: Any, loopback: bool) -> Callable[..., Coroutine[Any, Any, list[Any]]]:
    """Candidates for every address as before but sooner, and if wanted one for 127.0.0.1 without servers."""
    gather = connection.get_component_candidates

    async def get_component_candidates(
        component: int, addresses: list[str], timeout: int = GATHER_TIMEOUT_S
    ) -> list[Any]:
        candidates = await gather(component=component, addresses=addresses, timeout=timeout)
        if not loopback:
            return list(candidates)
        servers = connection.stun_server, connection.turn_server
        connection.stun_server = connection.turn_server = None
        try:
            candidates += await gather(component=component, addresses=[LOOPBACK])
        finally:
            connection.stun_server, connection.turn_server = servers
        return list(candidates)

    return get_component_candidates


def _tolerant(sctp: Any) -> Callable[[int, int, bytes], Coroutine[Any, Any, None]]:
    """Takes an announcement of a channel that stands already for what it is: the peer's wish to use it."""
    passed_on = sctp._data_channel_receive

    async def data_channel_receive(stream_id: int, protocol: int, data: bytes) -> None:
        if protocol == _DCEP and data[:1] == bytes((_DCEP_OPEN,)):
            channel = sctp._data_channels.get(stream_id)
            if channel is not None:
                sctp._data_channel_queue.append((channel, _DCEP, _DCEP_ACK))
                await sctp._data_channel_flush()
                sctp.emit("datachannel", channel)
                return
            if len(sctp._data_channels) >= MAX_CHANNELS:
                return
        try:
            await passed_on(stream_id, protocol, data)
        except (AssertionError, UnicodeDecodeError):
            return  # a malformed message is dropped, the others go on

    return data_channel_receive
