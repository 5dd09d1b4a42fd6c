"""One run of a player's child: from bytes to sound at one rate, in one channel. For child processes only."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard

from bridge.errors import BridgeError
from bridge.legs.demux_kinds import CODECS, PEEK_BYTES, Kind, kind_of, options_of
from bridge.legs.demux_reader import AnywhereReader, FlvReader, ForwardReader
from bridge.legs.demux_wire import RATE_HZ, SAMPLE_BYTES, Began, Begin, encode

_MOST_RATE_HZ = 384_000
_MOST_CHANNELS = 64
_MOST_WRONG = 200
"""Packets in a row that are no sound; fewer are left out."""
_READ_BYTES = 65_536


class Unplayable(BridgeError):
    """It cannot be played, or not any further; the text says why."""


class Run:
    """`play` it once. `ask` gives bytes, `give` takes sound and waits until it may."""

    def __init__(
        self,
        begin: Begin,
        ask: Callable[[int, int], bytes],
        give: Callable[[bytes], None],
        say: Callable[[bytes], None],
        resampler: AudioResampler | None,
    ) -> None:
        """`resampler`: of the run before, so that nothing is lost between two of the same kind."""
        self._begin = begin
        self._reader = ForwardReader(ask) if begin.size is None else AnywhereReader(ask, begin.size)
        self._give = give
        self._say = say
        self._waiting = bytearray()
        self._samples = 0
        self._wrong = 0
        self.resampler = resampler

    def play(self) -> int:
        """Until there is no more; gives the samples that came of it. Raises Unplayable."""
        kind = kind_of(self._reader.peek(PEEK_BYTES if not self._begin.hurried else 12))
        if kind is None:
            raise Unplayable("it is no kind of media that is played here")
        try:
            with self._open(kind) as container:
                self._play(container, kind)
        except (av.FFmpegError, ValueError) as wrong:
            self._flush()
            raise Unplayable(_reason(wrong, self._samples)) from None
        self._flush()
        return self._samples

    # --- inside ---

    def _open(self, kind: Kind) -> InputContainer:
        source = FlvReader(self._reader) if kind.demuxer == "flv" else self._reader
        return av.open(
            source,
            "r",
            format=kind.demuxer,
            container_options=options_of(kind, self._begin.hurried),
            metadata_errors="ignore",
            buffer_size=_READ_BYTES,
        )

    def _play(self, container: InputContainer, kind: Kind) -> None:
        stream = cast("AudioStream | None", container.streams.best("audio"))
        if stream is None:
            raise Unplayable("there is no sound in it")
        for other in container.streams:
            if other is not stream:
                other.discard = Discard.all
        coder = stream.codec_context
        if coder.codec.name not in CODECS:
            raise Unplayable(f"its sound is coded as {coder.codec.name}, which is not played here")
        coder.thread_count = 1
        told = False
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                self._wrong += 1
                if self._wrong > _MOST_WRONG:
                    raise
                continue
            for frame in frames:
                if not told:
                    told = True
                    channels = frame.layout.nb_channels
                    self._say(encode(Began(kind.demuxer, coder.codec.name, frame.sample_rate, channels)))
                self._wrong = 0
                self._sound(frame)

    def _sound(self, frame: AudioFrame) -> None:
        rate_hz, channels = frame.sample_rate, frame.layout.nb_channels
        if not (1 <= rate_hz <= _MOST_RATE_HZ and 1 <= channels <= _MOST_CHANNELS):
            raise Unplayable(f"{channels} channels at {rate_hz} Hz are not played here")
        self._reader.sounded()
        frame.pts = None  # what comes is what there is: times would be filled up with silence
        for piece in self._resampled(frame):
            count = piece.samples * SAMPLE_BYTES
            self._waiting += memoryview(piece.planes[0])[:count]
        chunk = self._begin.chunk * SAMPLE_BYTES
        while len(self._waiting) >= chunk:
            given = bytes(self._waiting[:chunk])
            del self._waiting[:chunk]
            self._send(given)

    def _resampled(self, frame: AudioFrame) -> list[AudioFrame]:
        if self.resampler is None:
            self.resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        try:
            return self.resampler.resample(frame)
        except ValueError:  # it is made for frames of one kind, and these are of another
            self.resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
            return self.resampler.resample(frame)

    def _flush(self) -> None:
        if self._waiting:
            given = bytes(self._waiting)
            self._waiting.clear()
            self._send(given)

    def _send(self, pcm: bytes) -> None:
        self._samples += len(pcm) // SAMPLE_BYTES
        self._give(pcm)


def _reason(wrong: Exception, samples: int) -> str:
    """For people; nothing of what the bytes say of themselves is in it."""
    what = "it is broken" if isinstance(wrong, av.FFmpegError) else str(wrong)
    return what if not samples else f"{what} after {samples / RATE_HZ:.1f} s"
