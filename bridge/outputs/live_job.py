"""The child process that codes a room's live outputs (job `live`)."""

from __future__ import annotations

import time

import msgspec

from bridge.outputs.child_link import ChildLink, LinkEnded
from bridge.outputs.encoders import PictureSettings
from bridge.outputs.fonts import FontShelf
from bridge.outputs.live_codings import Painter, settings_of
from bridge.outputs.live_room import LiveRoom
from bridge.outputs.live_wire import Event, PictureSpec, Spent, decode_command, encode
from bridge.outputs.one_thread import use_one_thread
from bridge.outputs.picture import PicturePainter

_SPENT_EVERY_S = 2.0


class LiveArguments(msgspec.Struct, frozen=True):
    """What the process is told when it begins."""

    title: str = ""
    """What stands above the picture."""


def run(arguments: dict[str, object], link: ChildLink) -> None:
    """Do what the server says until it ends the link; then finish all outputs."""
    told = msgspec.convert(arguments, LiveArguments)
    use_one_thread()
    shelf: list[FontShelf] = []

    def painter(spec: PictureSpec) -> Painter:
        if not shelf:  # most live outputs have no picture: fonts are read when one has
            shelf.append(FontShelf())
        settings: PictureSettings = settings_of(spec)
        return PicturePainter(settings, shelf[0], spec.background, spec.layout)

    def tell(event: Event) -> None:
        link.send(encode(event))

    room = LiveRoom(painter, tell, told.title)
    reported = time.monotonic()
    try:
        while True:
            message = link.receive(_SPENT_EVERY_S)
            if message is not None:
                room.command(decode_command(message))
            if time.monotonic() - reported >= _SPENT_EVERY_S:
                reported = time.monotonic()
                tell(Spent(time.process_time(), *room.figures))
    except LinkEnded:
        room.close()
