"""Which container bytes begin with, told by us and not by a demuxer's guess; and what may be opened of it."""

from __future__ import annotations

from dataclasses import dataclass, field

PEEK_BYTES = 4_096
_BOXES = frozenset(
    (b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"mdat", b"free", b"skip", b"wide", b"emsg", b"pdin")
)
_TS_PACKET = 188

CODECS = frozenset(
    (
        "aac", "aac_latm", "alac", "flac", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "mp3adu",
        "opus", "libopus", "vorbis", "libvorbis", "speex", "libspeex", "nellymoser",
        "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be",
        "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be",
        "adpcm_swf", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "gsm", "gsm_ms",
    )
)  # fmt: skip
"""Decoders of sound; no other is ever opened, of pictures least of all."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A container."""

    demuxer: str
    options: dict[str, str] = field(default_factory=dict)


_MPEG_TS = Kind("mpegts", {"scan_all_pmts": "0"})
_MP4 = Kind("mov", {"enable_drefs": "0", "use_absolute_path": "0"})


def kind_of(beginning: bytes) -> Kind | None:
    """`beginning`: the first `PEEK_BYTES`, or all there is. None: nothing that is played here."""
    head = beginning[:12]
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return Kind("wav")
    if head[:4] == b"fLaC":
        return Kind("flac")
    if head[:4] == b"OggS":
        return Kind("ogg")
    if head[:3] == b"FLV":
        return Kind("flv")
    if head[4:8] in _BOXES:
        return _MP4
    if head[:1] == b"G" and beginning[_TS_PACKET : _TS_PACKET + 1] in (b"G", b""):
        return _MPEG_TS
    if head[:3] == b"ID3":
        return _tagged(beginning)
    return _frames(head)


def options_of(kind: Kind, hurried: bool) -> dict[str, str]:
    """For opening it: nothing but what it is given, and not too much of that before it begins."""
    return {
        "protocol_whitelist": "none",
        "format_whitelist": kind.demuxer,
        "codec_whitelist": ",".join(sorted(CODECS)),
        "probesize": "65536" if hurried else "1048576",
        "analyzeduration": "200000" if hurried else "2000000",
        "max_streams": "64",
        "max_probe_packets": "500",
        **({"fflags": "nobuffer"} if hurried else {}),
        **kind.options,
    }


def _tagged(beginning: bytes) -> Kind | None:
    """Behind an ID3v2 tag, whose length has 7 bits a byte (id3.org, ID3v2.4 §3.1)."""
    size = 0
    for byte in beginning[6:10]:
        size = size << 7 | byte & 0x7F
    behind = beginning[10 + size : 22 + size]
    if behind[:4] == b"fLaC":
        return Kind("flac")
    # A tag that is longer than what was looked at holds a cover, which MP3 files have.
    return (_frames(behind) if len(behind) >= 2 else None) or Kind("mp3")


def _frames(head: bytes) -> Kind | None:
    """MPEG audio frames or ADTS: both begin with a sync word, and differ in the layer (ISO 13818-7 §6.2)."""
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    return Kind("aac") if head[1] & 0xF6 == 0xF0 else Kind("mp3")
