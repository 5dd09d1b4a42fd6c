"""The parts that recordings and live streams take, bound; a piece of the composition root."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bridge.config.tree import Config
from bridge.core.ports import HlsSpec, OutputFactory, PushSpec, RecordingSpec
from bridge.directory import Directory
from bridge.egress.gate import EgressGate
from bridge.errors import ConfigError
from bridge.output_desk import OutputDesk
from bridge.output_looks import OutputLooks
from bridge.outputs.follow_wire import PicturePlan
from bridge.outputs.hls_shelf import HlsShelf
from bridge.outputs.live_branches import BranchSettings
from bridge.outputs.live_outputs import LiveOutputs
from bridge.outputs.record_shelf import RecordShelf, ShelfSettings
from bridge.outputs.record_writer import RecordWriter
from bridge.outputs.recorder import Recorders
from bridge.part_settings import with_authorities
from bridge.recording_ends import RecordingEnds
from bridge.recordings import RecordingLimits, Recordings
from bridge.runtime.rtmp_relay import Relay
from bridge.runtime.tls_out import client_context
from bridge.storage_parts import StorageParts
from bridge.store import SqlStore
from bridge.streamings import RTMP_SCHEMES, StreamingLimits, Streamings
from bridge.switchboard import Switchboard

log = logging.getLogger(__name__)

_CLOSE_WITHIN_S = 7.0
"""Less than `runtime.server.CLOSE_TIMEOUT_S`, which is for everything: peers are let go after that."""


class OutputParts:
    """Made and bound; `open` begins them, `close` ends what goes on, `shut` lets go of the rest."""

    def __init__(
        self,
        config: Config,
        store: SqlStore,
        switchboard: Switchboard,
        directory: Directory,
        gate: EgressGate,
        tick: Callable[[], int],
        sound_ms: Callable[[], int],
    ) -> None:
        """Raises ConfigError for a storage that cannot be."""
        # Absolute: child processes work in another directory.
        self._root = (config.recordings.directory or config.data_dir / "recordings").absolute()
        self.writer = RecordWriter(
            self._root,
            on_problem=lambda recording, text: self.recorders.problem(recording, text),
            on_resumed=lambda recording: self.recorders.resumed(recording),
        )
        self.recorders = Recorders(self.writer)
        self._storages = StorageParts(config, gate, self._root)
        self.uploads = self._storages.uploads
        self.shelf = RecordShelf(
            self._root,
            self.writer,
            shelf_settings(config),
            storage=self._storages.shelf,
            title=lambda recording: self.recordings.title(recording),
        )
        self.hls = HlsShelf()
        tls = with_authorities(config, lambda ca_file: client_context(ca_file, protocols=()))
        self.live = LiveOutputs(
            BranchSettings(
                root=config.data_dir.absolute() / "hls",
                shelf=self.hls,
                relays=lambda url: Relay(gate, url, tls),
                h264=config.recordings.h264,
                publish=self._storages.publish,
            ),
            title=lambda room: conference.name if (conference := directory.find(room)) else "",
        )
        factories: dict[type, OutputFactory] = {
            RecordingSpec: self.recorders, PushSpec: self.live, HlsSpec: self.live,
        }  # fmt: skip
        self.desk = OutputDesk(switchboard, directory, factories, tick, sound_ms)
        limits = config.limits
        self.recordings = Recordings(
            store.recordings,
            directory,
            self.desk,
            self.shelf,
            limits=RecordingLimits(limits.recordings, limits.recordings_per_application),
            ends=RecordingEnds(store.recordings, self.shelf, config.recordings.keep_expired_hours * 3600),
        )
        self.streamings = Streamings(
            store.streamings,
            directory,
            self.desk,
            lambda url: gate.check(url, RTMP_SCHEMES),
            lambda stream_id, token: hls_address(config, stream_id, token),
            StreamingLimits(
                limits.streamings, limits.streamings_per_application, limits.streamings_per_conference
            ),
            self._storages.names,
            self.live.mark,
        )
        self.looks = OutputLooks(self.recordings, self.streamings, self.desk, self._storages.names)

    async def open(self) -> None:
        """Take up what there was; the directory is loaded. Raises ConfigError."""
        try:
            await asyncio.to_thread(self._root.mkdir, mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"recordings.directory cannot be used: {error.strerror}") from None
        await self.uploads.load(begin=False)
        await self.writer.start()
        await self.recordings.load()
        self.uploads.begin()  # what is nobody's has been taken back
        await self.streamings.load()
        await self.live.clean(self.streamings.hls_streams)
        await self._storages.clean(self.streamings.hls_streams)

    async def close(self) -> None:
        """End every output, with the last words in it; a disk or peer that hangs is not waited for longer."""
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self.streamings.close()
                await self.desk.close("restart")
        except TimeoutError:
            log.warning("x not every recording and stream ended within %g s", _CLOSE_WITHIN_S)
        finally:
            self.hls.close()

    async def shut(self) -> None:
        """Nothing is written or uploaded any more."""
        await self.recordings.close()
        await self.shelf.close()
        await self.writer.close()
        await self._storages.close()


def hls_address(config: Config, stream_id: str, token: str) -> str:
    """Where a live stream can be seen; the token is part of the path, so that what is named in it has it."""
    base = config.public_base_url or f"http://{config.host}:{config.port}"
    return f"{base}/hls/{stream_id}/{f't/{token}/' if token else ''}index.m3u8"


def shelf_settings(config: Config) -> ShelfSettings:
    """How files are made."""
    wanted = config.recordings
    return ShelfSettings(
        h264=wanted.h264,
        picture=PicturePlan(wanted.picture_width, wanted.picture_height, wanted.picture_fps),
        finish_after_s=wanted.finish_minutes * 60,
    )
