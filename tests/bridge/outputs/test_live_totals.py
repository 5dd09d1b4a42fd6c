"""What the encoders of live streams used is counted on when they are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.outputs.hls_shelf import HlsShelf
from bridge.outputs.live_branches import BranchSettings
from bridge.outputs.live_encoder import EncoderFigures
from bridge.outputs.live_outputs import LiveOutputs

pytestmark = pytest.mark.unit


class Room:
    """An encoder's process that has used two seconds."""

    def __init__(self, room: str, title: str) -> None:
        self.room = room
        self.users: set[str] = set()

    def enter(self, name: str, on_trouble: object) -> None:
        self.users.add(name)

    def leave(self, name: str) -> None:
        self.users.discard(name)

    async def stop(self) -> None:
        pass

    def figures(self) -> EncoderFigures:
        return EncoderFigures(2.0, 1, 1, len(self.users), 3, 1)


async def test_totals_go_on_where_an_encoder_ended(tmp_path: Path) -> None:
    settings = BranchSettings(root=tmp_path, shelf=HlsShelf(), relays=lambda url: pytest.fail(url))
    outputs = LiveOutputs(settings, encoder=Room)  # type: ignore[arg-type]
    assert outputs.totals() == EncoderFigures(0.0, 0, 0, 0, 0, 0)
    first = outputs.enter("a", "one", lambda why: None)
    second = outputs.enter("b", "one", lambda why: None)
    assert outputs.enter("b", "two", lambda why: None) is second
    assert outputs.totals() == EncoderFigures(4.0, 2, 2, 3, 6, 2)
    await outputs.leave(second, "one")
    assert outputs.totals().cpu_s == 4.0
    await outputs.leave(second, "two")
    await outputs.leave(first, "one")
    assert outputs.totals() == EncoderFigures(4.0, 0, 0, 0, 6, 2)
