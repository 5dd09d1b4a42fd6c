"""Fragmented MP4, written by ourselves: header and fragments cut where we say (ISO/IEC 14496-12, CMAF).

A library's muxer decides by itself when a fragment ends and what its times start from; live parts need both
exactly. All times are `media_units`'; the timescale of every track is 48,000.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.outputs.h264_units import to_lengths
from bridge.outputs.media_units import CLOCK_HZ, LEAD, PictureTrack, SoundTrack, Unit

_PICTURE_ID, _SOUND_ID = 1, 2
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_SYNC, _NOT_SYNC = 0x02000000, 0x01010000
"""Flags of a sample: depends on no other; depends on others and is no key frame."""
_STYP = struct.pack(">I4s4sI4s4s", 24, b"styp", b"msdh", 0, b"msdh", b"msix")


@dataclass(frozen=True, slots=True)
class Fmp4:
    """What is in the file; at least one of both."""

    sound: SoundTrack | None
    picture: PictureTrack | None

    def header(self) -> bytes:
        """The initialization segment."""
        traks, defaults = b"", b""
        if self.picture is not None:
            traks += _trak(_PICTURE_ID, _picture_media(self.picture), self.picture.width, self.picture.height)
            defaults += _full(b"trex", 0, 0, struct.pack(">5I", _PICTURE_ID, 1, 0, 0, 0))
        if self.sound is not None:
            traks += _trak(_SOUND_ID, _sound_media(self.sound), 0, 0)
            defaults += _full(b"trex", 0, 0, struct.pack(">5I", _SOUND_ID, 1, 0, 0, 0))
        ftyp = _box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6cmfcmp41")
        mvhd = struct.pack(">4IIH10x", 0, 0, CLOCK_HZ, 0, 0x10000, 0x100) + _MATRIX
        mvhd += struct.pack(">24xI", _SOUND_ID + 1)
        return ftyp + _box(b"moov", _full(b"mvhd", 0, 0, mvhd), traks, _box(b"mvex", defaults))

    def fragment(
        self, number: int, sound: Sequence[Unit], picture: Sequence[Unit], *, first: bool = True
    ) -> bytes:
        """A fragment with these units, whose times follow each other; `number` only grows.

        `first`: it begins a segment (and says so).
        """
        tracks: list[_Run] = []
        if picture:
            payloads = [to_lengths(unit.payload) for unit in picture]
            tracks.append(_Run(_PICTURE_ID, picture, payloads, [unit.key for unit in picture]))
        if sound:
            tracks.append(_Run(_SOUND_ID, sound, [unit.payload for unit in sound], None))
        mfhd = _full(b"mfhd", 0, 0, struct.pack(">I", number & 0xFFFFFFFF))
        # The runs say where their bytes are, counted from the moof's beginning: its length must be known.
        length = 8 + len(mfhd) + sum(len(run.box(0)) for run in tracks)
        offset, runs, media = length + 8, b"", b""
        for run in tracks:
            runs += run.box(offset + len(media))
            media += b"".join(run.payloads)
        head = _STYP if first else b""
        return head + _box(b"moof", mfhd, runs) + _box(b"mdat", media)


@dataclass(frozen=True, slots=True)
class _Run:
    track_id: int
    units: Sequence[Unit]
    payloads: list[bytes]
    keys: list[bool] | None
    """None: every sample is one."""

    def box(self, offset: int) -> bytes:
        """The traf, with one run of samples."""
        durations = {unit.duration for unit in self.units}
        tfhd_flags, tfhd = 0x020000, struct.pack(">I", self.track_id)
        trun_flags = 0x000201  # where the bytes are, and each one's size
        if len(durations) == 1:
            tfhd_flags |= 0x08
            tfhd += struct.pack(">I", self.units[0].duration)
        else:
            trun_flags |= 0x100
        if self.keys is None:
            tfhd_flags |= 0x20
            tfhd += struct.pack(">I", _SYNC)
        else:
            trun_flags |= 0x400
        samples = []
        for index, (unit, payload) in enumerate(zip(self.units, self.payloads, strict=True)):
            if trun_flags & 0x100:
                samples.append(unit.duration)
            samples.append(len(payload))
            if self.keys is not None:
                samples.append(_SYNC if self.keys[index] else _NOT_SYNC)
        trun = struct.pack(f">Ii{len(samples)}I", len(self.units), offset, *samples)
        return _box(
            b"traf",
            _full(b"tfhd", 0, tfhd_flags, tfhd),
            _full(b"tfdt", 1, 0, struct.pack(">Q", self.units[0].at + LEAD)),
            _full(b"trun", 0, trun_flags, trun),
        )


def _trak(track_id: int, media: bytes, width: int, height: int) -> bytes:
    volume = 0 if width else 0x100
    tkhd = struct.pack(">5I8xHHHH", 0, 0, track_id, 0, 0, 0, 0, volume, 0) + _MATRIX
    tkhd += struct.pack(">II", width << 16, height << 16)
    return _box(b"trak", _full(b"tkhd", 0, 3, tkhd), media)


def _picture_media(track: PictureTrack) -> bytes:
    entry = struct.pack(">6xH16xHHIII H32xHh", 1, track.width, track.height, 0x480000, 0x480000, 0, 1, 24, -1)
    entry = _box(b"avc1", entry, _box(b"avcC", track.sets.configuration()))
    return _media(b"vide", _full(b"vmhd", 0, 1, bytes(8)), entry)


def _sound_media(track: SoundTrack) -> bytes:
    match track.codec:
        case "aac":
            name, inner = b"mp4a", _esds(track.header)
        case "mp3":
            name, inner = b"mp4a", _esds(b"")
        case "opus":
            name, inner = b"Opus", _opus(track.header)
        case "flac":
            name, inner = b"fLaC", _full(b"dfLa", 0, 0, b"\x80\x00\x00\x22", track.header[-34:])
    entry = struct.pack(">6xH8xHHHHI", 1, track.channels, 16, 0, 0, CLOCK_HZ << 16)
    return _media(b"soun", _full(b"smhd", 0, 0, bytes(4)), _box(name, entry, inner))


def _media(kind: bytes, head: bytes, entry: bytes) -> bytes:
    nothing = struct.pack(">I", 0)
    table = _box(
        b"stbl",
        _full(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        *(_full(name, 0, 0, nothing) for name in (b"stts", b"stsc", b"stco")),
        _full(b"stsz", 0, 0, nothing, nothing),
    )
    source = _box(b"dinf", _full(b"dref", 0, 0, struct.pack(">I", 1), _full(b"url ", 0, 1)))
    return _box(
        b"mdia",
        _full(b"mdhd", 0, 0, struct.pack(">4IHH", 0, 0, CLOCK_HZ, 0, 0x55C4, 0)),  # language "und"
        _full(b"hdlr", 0, 0, nothing, kind, bytes(12), b"\x00"),
        _box(b"minf", head, source, table),
    )


def _esds(config: bytes) -> bytes:
    """An elementary stream descriptor (ISO/IEC 14496-1 §7.2.6.5): AAC with its config, else MP3."""
    object_type = 0x40 if config else 0x6B
    specific = _descriptor(5, config) if config else b""
    decoder = _descriptor(4, struct.pack(">BB3xII", object_type, 0x15, 0, 0) + specific)
    return _full(b"esds", 0, 0, _descriptor(3, struct.pack(">HB", 0, 0) + decoder + _descriptor(6, b"\x02")))


def _descriptor(tag: int, payload: bytes) -> bytes:
    size = len(payload)
    return bytes(
        (tag, 0x80 | size >> 21 & 0x7F, 0x80 | size >> 14 & 0x7F, 0x80 | size >> 7 & 0x7F, size & 0x7F)
    ) + (payload)


def _opus(head: bytes) -> bytes:
    """OpusSpecificBox from an OpusHead (RFC 7845 §5.1), which writes its numbers the other way around."""
    _, channels, pre_skip, rate, gain, family = struct.unpack_from("<BBHIhB", head, 8)
    return _box(b"dOps", struct.pack(">BBHIhB", 0, channels, pre_skip, rate, gain, family), head[19:])


def _box(name: bytes, *payloads: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, payloads)), name) + b"".join(payloads)


def _full(name: bytes, version: int, flags: int, *payloads: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags), *payloads)
