"""A file of coded sound, a picture, or both: MP4, M4A, MP3, Ogg Opus.

MP4 survives a kill: it is written in fragments of half a second, each playable once it is there, and becomes
an ordinary MP4 when it is finished. Its header waits for the first fragment, so that the sound's priming is
in the edit list from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import av

from bridge.outputs.encoders import AudioEncoder, Coded, PictureEncoder, put
from bridge.outputs.kept_file import KeptFile

_FRAGMENTS: Final = {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "500000"}
_CONTAINERS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "mp4": ("mp4", _FRAGMENTS),
    "m4a": ("mp4", _FRAGMENTS),
    "mp3": ("mp3", {"id3v2_version": "0"}),
    "ogg": ("ogg", {"page_duration": "1000000", "serial_offset": "1"}),
}


class CodedFile:
    """One such file in the making; the encoders may serve others, too."""

    def __init__(
        self, path: Path, form: str, sound: AudioEncoder | None, picture: PictureEncoder | None = None
    ) -> None:
        self.file = KeptFile(path)
        container, options = _CONTAINERS[form]
        self._container = av.open(
            self.file, "w", format=container, options={"fflags": "+bitexact+flush_packets", **options}
        )
        self._sound = sound.add_to(self._container) if sound is not None else None
        self._picture = picture.add_to(self._container) if picture is not None else None

    def put_sound(self, packets: Iterable[Coded]) -> None:
        """Coded sound, in order; a file without sound passes it over."""
        if self._sound is not None:
            put(self._container, self._sound, packets)

    def put_picture(self, packets: Iterable[Coded]) -> None:
        """Coded pictures, in order; a file without a picture passes them over."""
        if self._picture is not None:
            put(self._container, self._picture, packets)

    def sync(self) -> None:
        """What has been written is on the disk."""
        self.file.sync()

    def branch(self) -> None:
        """After a fork: go on in a copy."""
        self.file.branch()

    def finish(self) -> None:
        """It is whole."""
        self._container.close()
        self.file.finish()

    def abandon(self) -> None:
        """It is not wanted."""
        self.file.abandon()
