"""Makes players, and adds up what they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bridge.core.ports import LegPort, LegSpec, PlayerSource
from bridge.legs.player_child import BeginDemuxing
from bridge.legs.player_file import file_supply
from bridge.legs.player_leg import PLAYED, PlayerLeg
from bridge.legs.player_settings import PlayerSettings, Surroundings
from bridge.legs.player_streams import http_supply, rtmp_supply
from bridge.legs.player_supply import Remote, Supply


class Supplies:
    """A `player_supply.OpenSupply`: tells sources apart by their address."""

    def __init__(self, remote: Remote, directories: Sequence[Path], settings: PlayerSettings) -> None:
        self._remote = remote
        self._directories = tuple(directories)
        self._settings = settings

    def __call__(self, source: PlayerSource) -> AbstractAsyncContextManager[Supply]:
        """See `OpenSupply`."""
        if source.file:
            return file_supply(self._directories, source.file)
        if urlsplit(source.url).scheme in ("rtmp", "rtmps"):
            return rtmp_supply(self._remote, source.url)
        return http_supply(self._remote, source.url, self._settings)


@dataclass(frozen=True, slots=True)
class PlayerFigures:
    """All players since the start."""

    made: int
    states: Mapping[str, int]
    """Players that live, by state."""
    ends: Mapping[str, int]
    """Players that ended: `played`, `failed`, or `closed` by the bridge."""


class PlayerLegs:
    """A `bridge.core.ports.LegFactory` for `PlayerSource`."""

    def __init__(
        self,
        begin: BeginDemuxing,
        remote: Remote,
        directories: Sequence[Path] = (),
        settings: PlayerSettings | None = None,
        around: Surroundings | None = None,
    ) -> None:
        self._begin = begin
        self._settings = settings or PlayerSettings()
        self._supplies = Supplies(remote, directories, self._settings)
        self._around = around or Surroundings()
        self._live: set[PlayerLeg] = set()
        self._made = 0
        self._ends: Counter[str] = Counter()

    def __call__(self, port: LegPort, spec: LegSpec) -> PlayerLeg:
        """A leg, not started. Raises TypeError for another spec, ValueError for a source that is none."""
        if not isinstance(spec, PlayerSource):
            raise TypeError(f"not a player: {type(spec).__name__}")
        if bool(spec.url) == bool(spec.file) or not 0 <= spec.volume <= 2:
            raise ValueError("a player plays an address or a file, at a volume of 0 to 2")
        leg = PlayerLeg(
            port, spec, self._supplies, self._begin, self._settings, self._around, self._leg_ended
        )
        self._live.add(leg)
        self._made += 1
        return leg

    def figures(self) -> PlayerFigures:
        """For the metrics."""
        return PlayerFigures(self._made, Counter(leg.state for leg in self._live), Counter(self._ends))

    def _leg_ended(self, leg: PlayerLeg) -> None:
        self._live.discard(leg)
        self._ends["closed" if leg.cause is None else "played" if leg.cause == PLAYED else "failed"] += 1
