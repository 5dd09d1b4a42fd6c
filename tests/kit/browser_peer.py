"""A WebRTC client for tests: bare, or speaking as the conference SDKs do. Sends tones, records what it hears.

It is aiortc as it comes, decoder threads and jitter buffer and all: nothing of the bridge's own media path is
in it. The bridge is reached through `ask(offer) -> answer`: a leg's, or `ask_over_http(…)`.
"""

from __future__ import annotations

import asyncio
import fractions
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

import av
import httpx
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

Ask = Callable[[str], Awaitable[str]]

RATE_HZ = 48_000
FRAME = RATE_HZ // 50
SLOTS = {"primary": 0, "secondary": 2}
"""Where the SDK's own media stand among the transceivers it always has."""


def ask_over_http(conference: str, token: str, statuses: list[int] | None = None) -> Ask:
    """Offers go to a conference's URI as the SDKs send them; each status is appended to `statuses`."""

    async def ask(sdp: str) -> str:
        async with httpx.AsyncClient(timeout=10) as http:
            response = await http.post(
                conference.rstrip("/") + "/",
                json={"sdp": sdp},
                headers={
                    "Authorization": f"Bearer {token}",
                    "Content-Type": "application/json; charset=UTF-8",
                    "Mind-SDK": "Mind Web SDK 5.11.0",
                },
            )
        if statuses is not None:
            statuses.append(response.status_code)
        response.raise_for_status()
        return str(response.json()["sdp"])

    return ask


class Tone(MediaStreamTrack):
    """A steady sine in real time; `frequency_hz` and `amplitude` may be changed while it runs."""

    kind = "audio"

    def __init__(self, frequency_hz: float, amplitude: float = 8000.0) -> None:
        super().__init__()
        self.frequency_hz = frequency_hz
        self.amplitude = amplitude
        self._phase = 0.0
        self._pts = 0
        self._started: float | None = None

    async def recv(self) -> av.AudioFrame:
        now = asyncio.get_running_loop().time()
        if self._started is None:
            self._started = now
        await asyncio.sleep(self._started + self._pts / RATE_HZ - now)  # the pace of a sound card
        step = 2 * math.pi * self.frequency_hz / RATE_HZ
        samples = self.amplitude * np.sin(self._phase + step * np.arange(FRAME))
        self._phase = (self._phase + step * FRAME) % (2 * math.pi)
        # Stereo, because on the way from mono to stereo the encoder would take 3 dB away.
        stereo = np.repeat(samples.astype(np.int16), 2)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(stereo, layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._pts, fractions.Fraction(1, RATE_HZ)
        self._pts += FRAME
        return frame


@dataclass
class Heard:
    """What came in one section: float32 at int16 scale, 48 kHz, mono."""

    frames: list[NDArray[np.float32]] = field(default_factory=list)
    pts: list[int] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def next(self, seconds: float, skip: float = 0.0, timeout: float = 10.0) -> NDArray[np.float32]:
        """The next `seconds` of sound from now on, after `skip`."""
        start = len(self.frames) + round(skip * 50)
        wanted = round(seconds * 50)
        async with asyncio.timeout(timeout):
            while len(self.frames) < start + wanted:
                self.more.clear()
                await self.more.wait()
        return np.concatenate(self.frames[start : start + wanted])


class BrowserPeer:
    """`async with BrowserPeer(ask) as peer`, then one of `join_plain` and `join_as_sdk`."""

    def __init__(
        self,
        ask: Ask,
        *,
        strip_candidates: bool = True,
        bundle: RTCBundlePolicy = RTCBundlePolicy.MAX_BUNDLE,
    ) -> None:
        self._ask = ask
        self._strip = strip_candidates
        self._sdk = False
        self._recorders: dict[str, asyncio.Task[None]] = {}
        self._labels: dict[str, str] = {}
        self._idle: list[RTCRtpTransceiver] = []
        self._text_came = asyncio.Event()
        self._channel_closed = asyncio.Event()
        self.answers: list[str] = []
        self.offers: list[str] = []
        self.texts: list[str] = []
        self.heard: dict[str, Heard] = {}
        self.channel: RTCDataChannel | None = None
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=bundle))

    async def __aenter__(self) -> BrowserPeer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- joining ---

    async def join_plain(
        self,
        tone: Tone | None = None,
        direction: Literal["sendrecv", "sendonly", "recvonly"] = "sendrecv",
        *,
        channel: bool = False,
        timeout: float = 10.0,
    ) -> str:
        """One audio section, with a data channel of its own if wanted; gives the section's mid."""
        transceiver = self.pc.addTransceiver(tone or "audio", direction)
        if channel:
            self._watch(self.pc.createDataChannel("texts"))
        await self.negotiate()
        await self.connected(timeout)
        if self.channel is not None:
            await self._channel_open(timeout)
        return str(transceiver.mid)

    async def join_as_sdk(
        self, *, publish: Tone | None = None, subscribe: Sequence[str] = (), timeout: float = 10.0
    ) -> list[str]:
        """A data channel first; once it is open, a second offer with the four sections for own media.

        After a recovery the SDK asks for everything at once: `publish` (primary) and the labels in
        `subscribe` are in that second offer too. Gives the mids of the subscriptions.
        """
        self._sdk = True
        self._watch(self.pc.createDataChannel("", ordered=True, negotiated=True, id=1))
        await self.negotiate()
        await self._channel_open(timeout)
        for kind in ("audio", "video", "audio", "video"):
            self.pc.addTransceiver(kind, "inactive")
        if publish is not None:
            own = self.pc.getTransceivers()[SLOTS["primary"]]
            own.direction = "sendonly"
            own.sender.replaceTrack(publish)
            self._labels["1"] = "me#primary"
        mids = []
        for label in subscribe:
            self.pc.addTransceiver("audio", "recvonly")
            mids.append(str(len(self.pc.getTransceivers())))
            self._labels[mids[-1]] = label
        await self.negotiate()
        return mids

    async def connected(self, timeout: float = 10.0) -> None:
        """Wait until media can flow."""
        changed = asyncio.Event()
        self.pc.on("connectionstatechange", changed.set)
        async with asyncio.timeout(timeout):
            while self.pc.connectionState != "connected":
                if self.pc.connectionState in ("failed", "closed"):
                    raise ConnectionError(self.pc.connectionState)
                await changed.wait()
                changed.clear()

    async def negotiate(self) -> str:
        """One offer and its answer; gives the answer."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        offer = self._munged(self.pc.localDescription.sdp)
        self.offers.append(offer)
        answer = await self._ask(offer)
        self.answers.append(answer)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        for transceiver in self.pc.getTransceivers():
            track = transceiver.receiver.track
            if transceiver.kind == "audio" and track is not None and transceiver.mid not in self._recorders:
                heard = self.heard[transceiver.mid] = Heard()
                self._recorders[transceiver.mid] = asyncio.create_task(_record(track, heard))
        return answer

    # --- media, as the SDK does it ---

    async def publish(self, tone: Tone | None, name: Literal["primary", "secondary"] = "primary") -> None:
        """Begin to send `tone` as own media, or cease with None."""
        transceiver = self.pc.getTransceivers()[SLOTS[name]]
        transceiver.direction = "sendonly" if tone is not None else "inactive"
        if tone is not None:
            transceiver.sender.replaceTrack(tone)
            self._labels[str(transceiver.mid)] = f"me#{name}"
        else:
            self._labels.pop(str(transceiver.mid), None)
        await self.negotiate()

    async def subscribe(self, label: str) -> str:
        """Ask to hear `label`; gives the mid, one given back before if there is any."""
        if self._idle:
            transceiver = self._idle.pop()
            transceiver.direction = "recvonly"
            self._labels[str(transceiver.mid)] = label
            await self.negotiate()
        else:
            transceiver = self.pc.addTransceiver("audio", "recvonly")
            self._labels[str(len(self.pc.getTransceivers()))] = label  # the mid it will get
            await self.negotiate()
        return str(transceiver.mid)

    async def relabel(self, mid: str, label: str) -> None:
        """Hear something else in a section, without giving it back in between."""
        self._labels[mid] = label
        await self.negotiate()

    async def unsubscribe(self, mid: str) -> None:
        """Cease to hear what comes in that section; the section is kept for later."""
        transceiver = next(one for one in self.pc.getTransceivers() if one.mid == mid)
        transceiver.direction = "inactive"
        self._labels.pop(mid, None)
        self._idle.append(transceiver)
        await self.negotiate()

    # --- text ---

    def send_text(self, text: str) -> None:
        """Say something on the data channel."""
        assert self.channel is not None
        self.channel.send(text)

    async def text(self, wanted: Callable[[str], bool] = lambda text: True, timeout: float = 5.0) -> str:
        """The first text that is wanted, waiting for it if need be."""
        async with asyncio.timeout(timeout):
            while True:
                for text in self.texts:
                    if wanted(text):
                        return text
                self._text_came.clear()
                await self._text_came.wait()

    def vanish(self) -> None:
        """Be gone without a word, as a client without power or network."""
        transports = {one.receiver.transport for one in self.pc.getTransceivers()}
        for dtls in transports:
            for protocol in dtls.transport._connection._protocols:
                protocol.transport.abort()

    async def channel_closed(self, timeout: float = 5.0) -> None:
        """Wait until the data channel is closed."""
        async with asyncio.timeout(timeout):
            await self._channel_closed.wait()

    async def close(self) -> None:
        """Leave, as closing the page does."""
        await self.pc.close()
        for recorder in self._recorders.values():
            recorder.cancel()
        await asyncio.gather(*self._recorders.values(), return_exceptions=True)

    # --- inside ---

    def _watch(self, channel: RTCDataChannel) -> None:
        self.channel = channel

        @channel.on("message")
        def came(text: Any) -> None:
            self.texts.append(text)
            self._text_came.set()

        channel.on("close", self._channel_closed.set)

    async def _channel_open(self, timeout: float) -> None:
        assert self.channel is not None
        opened = asyncio.Event()
        self.channel.on("open", opened.set)
        async with asyncio.timeout(timeout):
            while self.channel.readyState != "open":
                await opened.wait()

    def _munged(self, sdp: str) -> str:
        if self._strip:
            sdp = re.sub(r"a=candidate:[^\r\n]*typ host[^\r\n]*\r\n", "", sdp)
        if not self._sdk:
            return sdp
        head, *sections = re.split(r"(?m)^(?=m=)", sdp)
        labelled = []
        for index, section in enumerate(sections):
            if not section.startswith("m=application"):
                section = re.sub(r"a=msid:[^\r\n]*\r\n", "", section)
                mid = re.findall(r"a=mid:(\S+)", section)[0]
                label = self._labels.get(mid)
                named = f"{label} track-{mid}" if label else f"- {index}"
                section = re.sub(r"(a=mid:\S+\r\n)", rf"\g<1>a=msid:{named}\r\n", section)
            labelled.append(section)
        return head + "".join(labelled)


async def _record(track: MediaStreamTrack, heard: Heard) -> None:
    try:
        while True:
            frame = await track.recv()
            samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
            heard.frames.append(samples.astype(np.float32))
            heard.pts.append(frame.pts)
            heard.more.set()
    except MediaStreamError:
        return
