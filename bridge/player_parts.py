"""The parts that players take, bound; a piece of the composition root."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from bridge.config.tree import Config
from bridge.directory import Directory
from bridge.egress.gate import EgressGate
from bridge.errors import BadInput, ConfigError
from bridge.legs.player_file import open_below
from bridge.legs.player_legs import PlayerLegs
from bridge.legs.player_supply import Incoming, SupplyRefused
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.children import Child
from bridge.players import SCHEMES, PlayerLimits, Players
from bridge.runtime.http_out import HttpOut
from bridge.runtime.rtmp_play import RtmpPlayer
from bridge.runtime.tls_out import client_context
from bridge.switchboard import Switchboard

DEMUXER_LIMITS = ChildLimits(address_bytes=1 << 30, open_files=64, file_bytes=0, niceness=2)
"""A quarter of that address space is used as a rule. More files than it begins with it cannot open at all."""
_PATIENCE_S = 10.0


class GatedRemote:
    """A `bridge.legs.player_supply.Remote`: HTTP and RTMP through the egress gate."""

    def __init__(self, http: HttpOut, rtmp: RtmpPlayer) -> None:
        self._http = http
        self._rtmp = rtmp

    def get(self, url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Incoming]:
        """See `Remote`."""
        return self._http.open(url, headers=headers, timeout_s=_PATIENCE_S)

    def play(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `Remote`."""
        return self._rtmp.open(url)


def begin_demuxing(
    arguments: Mapping[str, object],
    *,
    on_message: Callable[[bytes], None],
    on_exit: Callable[[int], None],
) -> Child:
    """A `bridge.legs.player_child.BeginDemuxing`."""
    return Child("demux", arguments, on_message=on_message, on_exit=on_exit, limits=DEMUXER_LIMITS)


def player_legs(config: Config, gate: EgressGate, http: HttpOut) -> PlayerLegs:
    """What makes players. Raises ConfigError, for a directory that is none too."""
    for directory in config.players.directories:
        if not directory.is_dir():
            raise ConfigError(f"players.directories: {directory} is no directory")
    rtmp = RtmpPlayer(gate, client_context(config.egress.ca_file))
    return PlayerLegs(begin_demuxing, GatedRemote(http, rtmp), config.players.directories)


def players(config: Config, gate: EgressGate, directory: Directory, switchboard: Switchboard) -> Players:
    """What keeps them."""

    async def check_file(name: str) -> None:
        await asyncio.to_thread(_check_file, config.players.directories, name)

    return Players(
        directory,
        switchboard,
        lambda url: gate.check(url, SCHEMES),
        check_file,
        PlayerLimits(config.players.per_conference, config.players.total),
    )


def _check_file(directories: Sequence[Path], name: str) -> None:
    try:
        os.close(open_below(directories, name))
    except SupplyRefused as refused:
        raise BadInput(str(refused)) from None
