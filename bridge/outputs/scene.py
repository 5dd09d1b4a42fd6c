"""Who is in the room and who talks, kept from an output's values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.core.ports import EVERYBODY, Whom
from bridge.outputs.record import Begun, Joined, Left, Named, Record, Talked


@dataclass(frozen=True, slots=True)
class Tile:
    """One participant as seen in the picture."""

    participant: str
    name: str
    talking: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What a picture shows; two equal views give the same picture."""

    tiles: tuple[Tile, ...] = ()
    """In the order in which they came."""
    title: str = ""

    @property
    def talking(self) -> int:
        """How many talk."""
        return sum(tile.talking for tile in self.tiles)


class Scene:
    """The room as it is after the records taken so far."""

    def __init__(self, title: str = "", seen: Whom = EVERYBODY) -> None:
        """`title`: the conference's name, or empty. `seen`: who has a tile."""
        self.view = View(title=title)
        self._seen = seen

    def take(self, record: Record) -> bool:
        """Follow one record; whether the view is another one now. Sound and what else is passed over."""
        before = self.view
        tiles = before.tiles
        match record:
            case Begun():
                # A stretch tells who is there anew.
                tiles = ()
            case Joined(participant=participant, name=name) if participant in self._seen:
                # Who comes back before having left (the log was cut) keeps the place.
                known = any(tile.participant == participant for tile in tiles)
                tiles = self._with(participant, name=name) if known else (*tiles, Tile(participant, name))
            case Left(participant=participant):
                tiles = tuple(tile for tile in tiles if tile.participant != participant)
            case Named(participant=participant, name=name):
                tiles = self._with(participant, name=name)
            case Talked(participant=participant, talking=talking):
                tiles = self._with(participant, talking=talking)
            case _:
                return False
        self.view = replace(before, tiles=tiles)
        return self.view != before

    def _with(
        self, participant: str, *, name: str | None = None, talking: bool | None = None
    ) -> tuple[Tile, ...]:
        return tuple(
            replace(
                tile,
                name=tile.name if name is None else name,
                talking=tile.talking if talking is None else talking,
            )
            if tile.participant == participant
            else tile
            for tile in self.view.tiles
        )
