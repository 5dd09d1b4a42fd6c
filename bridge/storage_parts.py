"""The storages, bound: the operator's own and those that requests name; a piece of the composition root."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from bridge.config.tree import Config, StorageConfig
from bridge.egress.gate import EgressGate
from bridge.errors import BadInput, ConfigError
from bridge.outputs.own_storages import OwnStorages
from bridge.outputs.published_streams import PublishedStream, PublishedStreams
from bridge.outputs.shelf_storage import ShelfStorage
from bridge.outputs.storage import Storage
from bridge.outputs.storage_open import Opening
from bridge.outputs.storage_place import Place
from bridge.outputs.uploads import Uploads
from bridge.runtime.egress_proxy import EgressProxy
from bridge.storage_endpoints import StorageEndpoints

log = logging.getLogger(__name__)


class StorageParts:
    """Made and bound; `uploads`, `shelf`, `published` are their users' to open and to close, then `close`."""

    def __init__(self, config: Config, gate: EgressGate, root: Path) -> None:
        """`root`: where the recordings are. Raises ConfigError for a storage that cannot be."""
        self._ca_file = config.egress.ca_file
        # What the operator has configured is reached as it is; what a request names goes through the gate.
        self._proxy = EgressProxy(gate)
        self.names = tuple(place.name for place in config.storage)
        self.places = {place.name: _storage(place, config) for place in config.storage}
        endpoints = StorageEndpoints(gate, config.recordings.storage_endpoints)
        own = OwnStorages(root, endpoints.judge, self._opening)
        self.uploads = Uploads(
            config.data_dir.absolute() / "uploads",
            self.places,
            {place.name: place.backup for place in config.storage if place.backup},
            own=own.open,
        )
        self.published = PublishedStreams(config.data_dir.absolute() / "published", self.places)
        hours = config.recordings.keep_uploaded_hours
        self.shelf = ShelfStorage(
            root,
            self.uploads,
            self.names,
            own=own,
            keep_s=None if hours is None else hours * 3600,
            pause_s=config.recordings.finish_minutes * 60,
        )

    def publish(self, storage: str, stream_id: str, stays: bool) -> PublishedStream:
        """A live stream's place at a storage. Raises BadInput for one that is not configured."""
        try:
            return self.published.open(storage, stream_id, stays)
        except KeyError:
            raise BadInput(f"there is no storage {storage[:100]} in this server's configuration") from None

    async def clean(self, streams: Collection[str]) -> None:
        """Begin to remove from the storages what other live streams than these left there."""
        try:
            await self.published.clean(streams)
        except OSError as error:
            log.error("x what live streams left at storages is not known: %s", error.strerror)

    async def close(self) -> None:
        """Nothing goes anywhere any more."""
        await self.published.close()
        await self.uploads.close()
        await self._proxy.close()

    async def _opening(self) -> Opening:
        try:
            await self._proxy.start()
        except OSError as error:
            raise BadInput(f"no storage of a request's can be reached: {error.strerror}") from None
        return Opening(self._ca_file, proxy=self._proxy.address, apart=True)


def _storage(place: StorageConfig, config: Config) -> Storage:
    try:
        return Storage(
            Place(
                place.name,
                place.kind,
                place.bucket,
                place.prefix,
                place.region,
                place.endpoint,
                place.access_key.reveal(),
                place.secret_key.reveal(),
                encryption=place.encryption,
                kms_key=place.kms_key,
                tags=place.tags,
                backup=place.backup,
                links=place.links,
            ),
            Opening(config.egress.ca_file),
        )
    except BadInput as error:
        raise ConfigError(str(error)) from None
