"""What a live output has besides a share of its room's encoder: a stream that is pushed, or shelved."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bridge.core.ports import (
    HlsSpec,
    OutputEnd,
    OutputLook,
    OutputState,
    PictureCoding,
    PushSpec,
    SoundCoding,
)
from bridge.errors import BadInput, BridgeError
from bridge.outputs import live_wire
from bridge.outputs.back_off import BackOff
from bridge.outputs.codec_wishes import as_possible
from bridge.outputs.hls_place import prepare
from bridge.outputs.hls_publisher import HlsPublisher
from bridge.outputs.hls_shelf import HlsShelf
from bridge.outputs.hls_stream import HlsStream
from bridge.outputs.live_encoder import LiveEncoder
from bridge.outputs.live_hls import LiveHls
from bridge.outputs.live_push import BACK_OFF, LivePush, Relays
from bridge.outputs.published_streams import PublishedStream

END_WITHIN_S = 5.0
MOST_IN_PLAYLIST = 1_000
"""Characters of metadata: whoever plays reads all of it again with every segment."""
NOT_BEGUN = "this streaming has not begun, or has ended"
NO_PICTURE = "H.264 is switched off: sound only"


@dataclass(frozen=True, slots=True)
class BranchSettings:
    """What all live outputs have in common."""

    root: Path
    """Of the directories of HLS streams."""
    shelf: HlsShelf
    relays: Relays
    h264: bool = True
    back_off: BackOff = BACK_OFF
    stalled_s: float = 10.0
    """A peer that reads nothing for so long is given up."""
    publish: Callable[[str, str, bool], PublishedStream] | None = None
    """For a storage's name, a stream's id, and whether it stays: its place there. None: there is none."""
    lingers_s: float = 60.0
    """An HLS stream that is over can be seen for so long yet: players are up to three segments behind."""


class Branch(Protocol):
    """One live output, in the server."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str:
        """For the encoder."""

    @property
    def trouble(self) -> str:
        """Of now; empty: none."""

    async def begin(self, encoder: LiveEncoder) -> None:
        """Raises BridgeError when it cannot be."""

    async def end(self, why: OutputEnd) -> None:
        """Finish it; the encoder was told all there is."""

    def mark(self, tick: int, payload: str, duration_s: float) -> None:
        """Timed metadata from that tick on, which comes next. Raises BadInput when nobody would get it."""

    def look(self) -> OutputLook: ...


class PushBranch:
    """Published by RTMP."""

    kind = "rtmp"

    def __init__(
        self,
        name: str,
        room: str,
        spec: PushSpec,
        settings: BranchSettings,
        on_trouble: Callable[[str], None],
    ) -> None:
        """Raises BadInput for a coding that RTMP does not have."""
        self.name = name
        self._room, self._settings, self._on_trouble = room, settings, on_trouble
        self._url = spec.url
        self._spec = live_wire.PushSpec(
            _sound(spec.sound), _picture(spec.picture, settings.h264), spec.levels
        )
        self._note = _note(spec, settings.h264)
        self._push: LivePush | None = None

    async def begin(self, encoder: LiveEncoder) -> None:
        """Returns before it is published."""
        push = LivePush(
            self.name, self._spec, self._url, encoder, self._settings.relays,
            room=self._room, on_trouble=self._on_trouble, back_off=self._settings.back_off,
            stalled_s=self._settings.stalled_s,
        )  # fmt: skip
        push.start()
        self._push = push

    async def end(self, why: OutputEnd) -> None:
        """Unpublish."""
        if self._push is not None:
            await self._push.stop(END_WITHIN_S)

    def mark(self, tick: int, payload: str, duration_s: float) -> None:
        """As script data, and in the picture where there is one."""
        if self._push is None:
            raise BadInput(NOT_BEGUN)
        self._push.mark(tick, payload, duration_s)

    @property
    def trouble(self) -> str:
        """Of now."""
        return "" if self._push is None else self._push.trouble

    def look(self) -> OutputLook:
        """With what is sent and what waits."""
        if self._push is None:
            return OutputLook(self.kind, "starting", self._note)
        look = self._push.look()
        return look if look.trouble else replace(look, trouble=self._note)


class HlsBranch:
    """Offered as HLS."""

    kind = "hls"

    def __init__(self, spec: HlsSpec, settings: BranchSettings, on_trouble: Callable[[str], None]) -> None:
        """Raises BadInput for a stream that cannot be."""
        self.name = spec.stream_id
        self._settings, self._on_trouble = settings, on_trouble
        self._token = bytes.fromhex(spec.token_hash) if spec.token_hash else None
        self._published: PublishedStream | None = None
        if spec.storage:
            if settings.publish is None:
                raise BadInput("there is no storage to publish to")
            self._published = settings.publish(spec.storage, spec.stream_id, spec.whole)
        self._spec = live_wire.HlsSpec(
            spec.container,
            _sound(spec.sound),
            _picture(spec.picture, settings.h264),
            spec.segment_s,
            spec.part_s,
            "event" if spec.whole else "live",
            spec.window,
            live_wire.CaptionSpec() if spec.captions else None,
        )
        self._note = _note(spec, settings.h264)
        self._state: OutputState = "starting"
        self._live: LiveHls | None = None
        self._encoder: LiveEncoder

    async def begin(self, encoder: LiveEncoder) -> None:
        """Returns before there is something to be seen."""
        try:
            directory, first = await asyncio.to_thread(prepare, self._settings.root, self.name)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "no reason given"
            raise BridgeError(f"the stream has no place for its files: {why}") from None
        stream = HlsStream(self._spec, _wall_ms, sequence=first)
        publisher = None
        if self._published is not None:
            publisher = HlsPublisher(
                self._spec, directory, self._published, _wall_ms, sequence=first, on_trouble=self._on_trouble
            )
        live = LiveHls(
            self.name, stream, directory, self._settings.shelf,
            token=self._token, publisher=publisher, on_trouble=self._on_trouble,
        )  # fmt: skip
        encoder.add(self.name, live)
        self._encoder, self._live = encoder, live

    async def end(self, why: OutputEnd) -> None:
        """Finish the playlist, and delete everything a while later, but for a whole stream at its storage.

        When the server goes down its next run goes on with the stream, or deletes it.
        """
        if self._live is None:
            return
        self._state = "ending"
        if why == "restart":
            self._live.interrupt()
        self._encoder.remove(self.name)
        await self._live.finish(END_WITHIN_S)
        if why != "restart":
            self._settings.shelf.retire(self.name, self._settings.lingers_s)
            if self._published is not None:
                self._published.over(self._settings.lingers_s)
        self._state = "ended"

    def mark(self, tick: int, payload: str, duration_s: float) -> None:
        """As a date range of now."""
        if self._live is None or self._state in ("ending", "ended"):
            raise BadInput(NOT_BEGUN)
        if len(payload) > MOST_IN_PLAYLIST:
            raise BadInput(f"the metadata of HLS has at most {MOST_IN_PLAYLIST} characters")
        try:
            self._settings.shelf.mark(self.name, payload, duration_s)
        except KeyError:
            raise BadInput(NOT_BEGUN) from None

    @property
    def trouble(self) -> str:
        """Of now."""
        return "" if self._live is None else self._live.trouble

    def look(self) -> OutputLook:
        """With delays: from when something sounded until it was in the playlist."""
        if self._live is None:
            return OutputLook(self.kind, self._state, self._note)
        figures = self._live.stream.figures()
        state = self._state
        if state == "starting" and figures.segments + figures.parts:
            state = "running"
        if state in ("starting", "running") and self.trouble:
            state = "troubled"
        shown: dict[str, float] = {
            "bytes": figures.bytes,
            "segments": figures.segments,
            "waiting_requests": figures.waiting,
        }
        if self._live.publisher is not None:
            shown["waiting_uploads"] = self._live.publisher.waiting
            shown["missed_uploads"] = self._live.publisher.missed
        if figures.delay_p50_ms is not None and figures.delay_p99_ms is not None:
            shown |= {"delay_p50_ms": figures.delay_p50_ms, "delay_p99_ms": figures.delay_p99_ms}
        return OutputLook(self.kind, state, self.trouble or self._note, shown)


def _sound(coding: SoundCoding) -> live_wire.SoundSpec:
    codec, _ = as_possible(coding.codec)
    if codec == "pcm":
        raise BadInput("live streams have no uncoded sound")
    return live_wire.SoundSpec(codec, coding.bitrate, coding.channels, coding.rate_hz)


def _note(spec: PushSpec | HlsSpec, h264: bool) -> str:
    """What is done otherwise than it was asked for."""
    _, note = as_possible(spec.sound.codec)
    notes = [note, NO_PICTURE if spec.picture is not None and not h264 else None]
    return "; ".join(said for said in notes if said)


def _picture(coding: PictureCoding | None, h264: bool) -> live_wire.PictureSpec | None:
    if coding is None or not h264:
        return None
    return live_wire.PictureSpec(
        coding.width, coding.height, coding.fps, coding.bitrate,
        background=coding.background, layout=coding.layout,
    )  # fmt: skip


def _wall_ms() -> float:
    return time.time() * 1_000
