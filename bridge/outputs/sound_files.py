"""All files of one sound (the program, a participant, two sides), fed together with its picture.

What is coded alike is coded once, whatever files it goes to.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.outputs.coded_file import CodedFile
from bridge.outputs.encoders import (
    AudioCodec,
    AudioEncoder,
    AudioSettings,
    Coded,
    PictureEncoder,
    PictureSettings,
)
from bridge.outputs.flac_file import FlacFile
from bridge.outputs.follow_wire import FollowPlan
from bridge.outputs.hls_folder import HlsFolder, HlsForm, HlsPlan
from bridge.outputs.record import PROGRAM, RATE_HZ
from bridge.outputs.record_time import RecordTime
from bridge.outputs.wav_file import WavFile

_CODECS: Final[dict[str, AudioCodec]] = {
    "ogg": "opus",
    "mp3": "mp3",
    "m4a": "aac",
    "mp4": "aac",
    "hls-ts": "aac",
    "hls-fmp4": "aac",
}
WITH_PICTURE: Final = ("mp4", "hls-ts", "hls-fmp4")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
SIDES: Final = "sides"
_TAKEN: Final = (PROGRAM, SIDES, "thumbnail", "preview")
_ZEROS: Final = np.zeros((RATE_HZ, 2), np.int16)


class Growing(Protocol):
    """A file (or folder) of coded packets in the making."""

    def put_sound(self, packets: Iterable[Coded]) -> None: ...  # noqa: D102
    def put_picture(self, packets: Iterable[Coded]) -> None: ...  # noqa: D102
    def sync(self) -> None: ...  # noqa: D102
    def branch(self) -> None: ...  # noqa: D102
    def finish(self) -> None: ...  # noqa: D102
    def abandon(self) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file (or folder) of the recording, whole or in the making."""

    path: Path
    of: str
    """`program`, `sides` or a participant's id."""
    form: str
    codec: str | None
    """Of its sound; None: it has none."""
    channels: int | None
    picture: PictureSettings | None = None
    """None: it has none."""


def stem_of(participant: str) -> str:
    """What the files of a participant are called: by the id, or a digest of one that could not be a name."""
    if _PLAIN.fullmatch(participant) and participant not in _TAKEN:
        return participant
    return hashlib.sha256(participant.encode()).hexdigest()[:32]


def summed(tracks: Iterable[NDArray[np.int16]]) -> NDArray[np.int16] | None:
    """Tracks of int16 [samples] together, clipped; None when there are none."""
    several = [*tracks]
    if len(several) < 2:
        return several[0] if several else None
    total = several[0].astype(np.int32)
    for one in several[1:]:
        total += one
    return np.clip(total, -32_768, 32_767).astype(np.int16)


class SoundFiles:
    """The files of one sound. Give it every block's sound, or silence, in order."""

    def __init__(
        self,
        folder: Path,
        of: str,
        forms: Sequence[str],
        plan: FollowPlan,
        *,
        channels: Literal[1, 2] = 1,
        alone: bool = False,
        picture: PictureEncoder | None = None,
    ) -> None:
        """`of`: `program`, `sides` or, when `alone`, a participant's id. `picture`: for forms that have one.

        `folder` is there already. Raises OSError.
        """
        self._stem = stem_of(of) if alone else of
        self._of, self._plan = of, plan
        # There may be many participants, and mostly one of them speaks.
        self._quick = alone
        self.made: list[MadeFile] = []
        self._channels = channels
        self._plain: list[WavFile | FlacFile] = []
        """What takes sound as it is."""
        self._encoders: dict[AudioSettings, AudioEncoder] = {}
        self._coded: list[Growing] = []
        """What takes packets."""
        self._sounding: list[tuple[AudioSettings, Growing]] = []
        """Of them, what takes sound, and which."""
        self._hls: list[HlsFolder] = []
        for form in dict.fromkeys(forms):
            if form in ("wav", "flac"):
                self._open_plain(folder, form)
            else:
                self._open_coded(folder, form, picture if form in WITH_PICTURE else None)

    def _open_plain(self, folder: Path, form: str) -> None:
        path = folder / f"{self._stem}.{form}"
        plain = WavFile(path, self._channels) if form == "wav" else FlacFile(path, self._channels)
        self._plain.append(plain)
        codec = "pcm" if form == "wav" else "flac"
        self.made.append(MadeFile(path, self._of, form, codec, self._channels))

    def _open_coded(self, folder: Path, form: str, picture: PictureEncoder | None) -> None:
        has_sound = self._plan.sound or form not in WITH_PICTURE
        settings = self._settings(form) if has_sound else None
        sound = self._encoder(settings) if settings is not None else None
        file: Growing
        if form in ("hls-ts", "hls-fmp4"):
            path = folder / f"{self._stem}-{form}"
            hls_form: HlsForm = "hls-ts" if form == "hls-ts" else "hls-fmp4"
            file = HlsFolder(path, HlsPlan(hls_form, self._plan.segment_s), sound, picture)
            self._hls.append(file)
        else:
            path = folder / f"{self._stem}.{form}"
            file = CodedFile(path, form, sound, picture)
        self._coded.append(file)
        if settings is not None:
            self._sounding.append((settings, file))
        self.made.append(
            MadeFile(
                path,
                self._of,
                form,
                settings.codec if settings is not None else None,
                self._channels if settings is not None else None,
                picture.settings if picture is not None else None,
            )
        )

    def _settings(self, form: str) -> AudioSettings:
        codec = _CODECS[form]
        bitrate = self._plan.opus_bitrate if codec == "opus" else self._plan.bitrate
        return AudioSettings(codec, bitrate * self._channels, self._channels, quick=self._quick)

    def _encoder(self, settings: AudioSettings) -> AudioEncoder:
        if settings not in self._encoders:
            self._encoders[settings] = AudioEncoder(settings)
        return self._encoders[settings]

    def begin_stretch(self, sample: int) -> None:
        """A stretch begins with the sample that is put next."""
        for hls in self._hls:
            hls.begin_stretch(sample)

    def skip(self, samples: int, time: RecordTime, breathe: Callable[[], None]) -> None:
        """`samples` of silence, however many; `breathe` is called now and then."""
        # Silence takes nothing in a WAV; whatever codes has to go through it.
        quick = [plain for plain in self._plain if isinstance(plain, WavFile)]
        for wav in quick:
            wav.put(None, samples)
        plain, self._plain = self._plain, [file for file in self._plain if file not in quick]
        for at in range(0, samples if self._encoders or self._plain else 0, RATE_HZ):
            self.put(None, min(RATE_HZ, samples - at), time)
            breathe()
        self._plain = plain

    def put(
        self, pcm: NDArray[np.int16] | None, samples: int, time: RecordTime, pictures: Sequence[Coded] = ()
    ) -> None:
        """`samples` more, and the pictures.

        `pcm`: [samples, channels], or [samples] for all channels; None when silent.
        """
        if pcm is not None and pcm.ndim == 1 and self._channels == 2:
            pcm = np.repeat(pcm[:, None], 2, axis=1)
        for plain in self._plain:
            plain.put(pcm, samples)
        for hls in self._hls:
            hls.time = time
        if samples and self._encoders:
            given = self._silence(samples) if pcm is None else pcm
            packets = {settings: encoder.encode(given) for settings, encoder in self._encoders.items()}
            for settings, file in self._sounding:
                file.put_sound(packets[settings])
        for file in self._coded:
            file.put_picture(pictures)

    def sync(self) -> None:
        """What was put is on the disk."""
        for file in self._all():
            file.sync()

    def branch(self) -> None:
        """After a fork: leave the files in the making to the other process, and finish copies of them."""
        for file in self._all():
            file.branch()

    def finish(self, pictures: Sequence[Coded] = ()) -> None:
        """No more comes but these pictures: the files are whole afterwards."""
        packets = {settings: encoder.flush() for settings, encoder in self._encoders.items()}
        for settings, file in self._sounding:
            file.put_sound(packets[settings])
        for file in self._coded:
            file.put_picture(pictures)
        for any_file in self._all():
            any_file.finish()

    def abandon(self) -> None:
        """They are not wanted; those that are finished stay."""
        for file in self._all():
            file.abandon()

    def _all(self) -> list[WavFile | FlacFile | Growing]:
        return [*self._plain, *self._coded]

    def _silence(self, samples: int) -> NDArray[np.int16]:
        """[samples, channels] of zeros; a block is a second at most."""
        return _ZEROS[:samples, : self._channels]
