"""HLS of a recording as it goes: a folder of segments and a playlist that grows, and at the end is whole.

The playlist is an EVENT until then and a VOD afterwards. Segments begin with a key frame, and a new one
begins with every stretch, so that its date and time hold for all of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bridge.outputs.encoders import AudioEncoder, Coded, PictureEncoder
from bridge.outputs.fmp4 import Fmp4
from bridge.outputs.h264_units import parameter_sets
from bridge.outputs.hls_master import MasterPlaylist, Variant
from bridge.outputs.hls_playlist import MediaPlaylist, Segment
from bridge.outputs.kept_file import sync_directory, sync_file, write_whole
from bridge.outputs.media_units import CLOCK_HZ, PictureTrack, SoundTrack, Unit
from bridge.outputs.mpegts import TransportStream
from bridge.outputs.record_time import RecordTime

HlsForm = Literal["hls-ts", "hls-fmp4"]
MASTER: Final = "index.m3u8"
MEDIA: Final = "media.m3u8"
HEADER: Final = "init.mp4"


@dataclass(frozen=True, slots=True)
class HlsPlan:
    """How a recording is cut."""

    form: HlsForm
    segment_s: float = 6.0


class HlsFolder:
    """The folder in the making. One of that name was not finished, or is to be replaced: it is removed."""

    def __init__(
        self, path: Path, plan: HlsPlan, sound: AudioEncoder | None, picture: PictureEncoder | None = None
    ) -> None:
        """One of both at least. Raises ValueError for sound that the segments cannot hold, OSError."""
        self.path = path
        self._plan = plan
        self._sound_track: SoundTrack | None = None
        self._frame = 0
        if sound is not None:
            codec = sound.settings.codec
            if codec == "pcm" or (plan.form == "hls-ts" and codec not in ("aac", "mp3")):
                raise ValueError(f"{codec} cannot be in segments of {plan.form}")
            self._sound_track = SoundTrack(codec, sound.settings.channels, sound.header)
            self._frame = sound.frame_samples
        self._picture_track: PictureTrack | None = None
        self._fps = 0
        if picture is not None:
            settings = picture.settings
            sets = parameter_sets(picture.header)
            self._picture_track = PictureTrack(settings.width, settings.height, sets)
            self._fps = settings.fps
        self._ts = TransportStream(self._sound_track, self._picture_track)
        self._fmp4 = Fmp4(self._sound_track, self._picture_track)
        self._sound: list[Unit] = []
        self._picture: list[Unit] = []
        self._cuts: list[int] = []
        """Where segments must begin, in samples: at stretches."""
        self._at = 0
        self._segments: list[Segment] = []
        self._most_bits = 0.0
        self._finished = False
        self.time = RecordTime()
        """The recording's times, kept up to date by the owner: for the segments' dates."""
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700)
        if plan.form == "hls-fmp4":
            write_whole(path / HEADER, self._fmp4.header())

    def begin_stretch(self, sample: int) -> None:
        """A stretch begins there; its sound and pictures have not been put yet."""
        if sample > 0:
            self._cuts.append(sample)

    def put_sound(self, packets: Iterable[Coded]) -> None:
        """Coded sound, in order; a folder without sound passes it over."""
        if self._sound_track is None:
            return
        self._sound += [
            Unit(bytes(packet), packet.pts or 0, self._frame) for packet in packets if packet.size
        ]

    def put_picture(self, packets: Iterable[Coded]) -> None:
        """Coded pictures with their durations, in order."""
        if self._picture_track is None:
            return
        for packet in packets:
            at, until = self._time(packet.pts or 0), self._time((packet.pts or 0) + (packet.duration or 1))
            self._picture.append(Unit(bytes(packet), at, until - at, packet.is_keyframe))

    def sync(self) -> None:
        """Writes the segments that are complete, then the playlist that names them."""
        written = len(self._segments)
        while (end := self._next_cut()) is not None:
            self._write(end)
        if len(self._segments) > written:
            self._tell(ended=False)

    def branch(self) -> None:
        """After a fork: nothing, since segments are files of their own, and the playlist is written anew."""

    def finish(self) -> None:
        """The rest, and a playlist that says that nothing will follow."""
        self.sync()
        end = self.time.duration_ms * CLOCK_HZ // 1000
        if self._sound or self._picture:
            self._write(max(end, self._at + 1), last=True)
        self._tell(ended=True)
        for file in self.path.iterdir():
            sync_file(file)
        sync_directory(self.path)
        self._finished = True

    def abandon(self) -> None:
        """It is not wanted. One that is finished stays."""
        if not self._finished:
            shutil.rmtree(self.path, ignore_errors=True)

    def _time(self, frame: int) -> int:
        return round(frame * CLOCK_HZ / self._fps)

    def _next_cut(self) -> int | None:
        """Where the open segment ends; None as long as that is not known, or not all of it is there."""
        units = self._picture if self._picture_track is not None else self._sound
        forced = self._cuts[0] if self._cuts else None
        wanted = self._at + round(self._plan.segment_s * CLOCK_HZ)
        for unit in units:
            due = unit.at >= wanted or (forced is not None and unit.at >= forced)
            if unit.key and due and unit.at > self._at:
                return unit.at if self._has_sound_until(unit.at) else None
        return None

    def _has_sound_until(self, end: int) -> bool:
        return self._sound_track is None or (bool(self._sound) and self._sound[-1].until >= end)

    def _write(self, end: int, last: bool = False) -> None:
        sound = self._take(self._sound, end, last)
        picture = self._take(self._picture, end, last)
        number = len(self._segments)
        if self._plan.form == "hls-ts":
            name, content = f"{number:06}.ts", self._ts.segment(sound, picture)
        else:
            name, content = f"{number:06}.m4s", self._fmp4.fragment(number + 1, sound, picture)
        write_whole(self.path / name, content, synced=False)
        # Sound ends up to one frame late, with its priming; the segment is as long as the time it covers.
        duration_s = (end - self._at) / CLOCK_HZ
        began_ms = self.time.wall_ms(self._at * 1000 / CLOCK_HZ) or 0.0
        header = HEADER if self._plan.form == "hls-fmp4" else None
        self._segments.append(Segment(number, name, duration_s, began_ms, map_uri=header))
        self._most_bits = max(self._most_bits, 8 * len(content) / max(duration_s, 0.5))
        self._at = end
        while self._cuts and self._cuts[0] <= end:
            del self._cuts[0]

    @staticmethod
    def _take(units: list[Unit], end: int, last: bool) -> Sequence[Unit]:
        count = len(units) if last else sum(unit.at < end for unit in units)
        taken = units[:count]
        del units[:count]
        return taken

    def _tell(self, ended: bool) -> None:
        longest = max((segment.duration_s for segment in self._segments), default=self._plan.segment_s)
        playlist = MediaPlaylist(
            max(1, int(max(longest, self._plan.segment_s) + 0.5)),
            tuple(self._segments),
            kind="vod" if ended else "event",
            ended=ended,
        )
        write_whole(self.path / MEDIA, playlist.text().encode(), synced=False)
        codecs = [track.codec_name for track in (self._picture_track, self._sound_track) if track is not None]
        width = self._picture_track.width if self._picture_track else None
        height = self._picture_track.height if self._picture_track else None
        variant = Variant(
            MEDIA, int(self._most_bits) + 1, ",".join(codecs), width=width, height=height,
            fps=self._fps or None,
        )  # fmt: skip
        write_whole(self.path / MASTER, MasterPlaylist((variant,)).text().encode(), synced=False)
