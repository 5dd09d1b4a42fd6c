"""What clients of the Mind API ask of a recording; pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from bridge.core.ports import GivenStorage
from bridge.facades.mind.body_wire import Body
from bridge.facades.mind.storage_wire import StorageBody
from bridge.picture_wishes import FilePictureWishes
from bridge.recording_wishes import AacKind, FileFormat, RecordingWishes, WhomWishes


class RecordingStart(Body):
    """Ours: which files are to be made of a recording, and how.

    Without anything named they are as they were before, or as a rule; with anything, the rest is as a rule.
    """

    formats: Annotated[tuple[FileFormat, ...], Meta(min_length=1)] | UnsetType = UNSET
    """Of the program, and of each participant's files; as a rule `mp4` alone."""
    participants: bool | UnsetType = UNSET
    """Files of each participant alone, too."""
    storage: Annotated[str, Meta(max_length=100)] | StorageBody | UnsetType = UNSET
    """The name of one in the server's configuration, or one of its own."""
    codec: AacKind | UnsetType = UNSET
    bitrate: int | UnsetType = UNSET
    """Of AAC, bits per second of each channel: 8000 to 320000, as a rule 64000."""
    channels: Literal[1, 2] | UnsetType = UNSET
    """Of the program's files; with two, both have the same sound."""
    sound: bool | UnsetType = UNSET
    """false: MP4 and HLS have a picture only."""
    picture: FilePictureWishes | None | UnsetType = UNSET
    """null: MP4 and HLS have sound only."""
    heard: WhomWishes | UnsetType = UNSET
    """Whose sound the files have; as a rule everybody's."""
    seen: WhomWishes | None | UnsetType = UNSET
    """Who is in the picture; as a rule who is heard."""
    segment_seconds: float | UnsetType = UNSET
    """Of HLS: 1 to 30, as a rule 6."""

    def __post_init__(self) -> None:
        self.wishes()  # raises ValueError for what does not go together

    def wishes(self) -> RecordingWishes | None:
        """None when nothing is named. A storage of its own is not in it."""
        named: dict[str, Any] = {
            field: value for field in self.__struct_fields__ if (value := getattr(self, field)) is not UNSET
        }
        if not named:
            return None
        if isinstance(self.storage, StorageBody):
            del named["storage"]
        return RecordingWishes(**named)

    def own_storage(self) -> GivenStorage | None:
        """None when it has none."""
        return self.storage.given() if isinstance(self.storage, StorageBody) else None
