"""Where recordings go from the shelf: what is sent, what has arrived, what need not lie here any more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bridge.background import Background
from bridge.core.ports import OWN_STORAGE, GivenStorage, OutputFile
from bridge.errors import BadInput
from bridge.outputs.away_file import AwayFile
from bridge.outputs.file_sending import FileSending
from bridge.outputs.follow_wire import FILES_FOLDER
from bridge.outputs.own_storages import OwnStorages
from bridge.outputs.put_away import is_away, put_away, safe_since
from bridge.outputs.upload_orders import Order
from bridge.outputs.uploads import Uploads

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sent:
    sending: FileSending
    work: Background = field(default_factory=lambda: Background(log, "what follows a recording failed"))
    going: asyncio.Task[None] | None = None
    """Waits until it may be put away, and does it."""
    removing: bool = False
    """That has begun, and cannot be called back."""


class ShelfStorage:
    """On the event loop's thread, but for `looks`, `away_files` and `away_file`, which are for others."""

    def __init__(
        self,
        root: Path,
        uploads: Uploads | None = None,
        names: tuple[str, ...] = (),
        *,
        own: OwnStorages | None = None,
        keep_s: float | None = None,
        pause_s: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`names` of places, the first is the default one. `keep_s`: how long what has arrived stays here.

        `pause_s`: after so long without going on a recording is taken for one that is over.
        """
        self._root = root
        self._uploads = uploads
        self._names = names if uploads is not None else ()
        self._own = own if uploads is not None else None
        self._keep_s = keep_s
        self._pause_s = pause_s
        self._sleep = sleep
        self._now = now
        self._sent: dict[str, _Sent] = {}
        self._homeless: set[str] = set()
        """Recordings that were to go to a storage which there is not any more."""

    async def check(self, storage: str | GivenStorage) -> None:
        """Raises BadInput for one that there is not, or that may not be used."""
        if isinstance(storage, GivenStorage):
            if self._own is None:
                raise BadInput("this server takes no storages from requests")
            await self._own.check(storage)
        elif storage and storage not in self._names:
            raise BadInput(f"there is no storage {storage[:100]} in this server's configuration")

    async def keep(self, recording: str, given: GivenStorage) -> None:
        """It is that recording's own from now on. Raises BadInput, OSError."""
        if self._own is None:
            raise BadInput("this server takes no storages from requests")
        await self._own.keep(recording, given)

    def name_for(self, storage: str) -> str:
        """The storage that is meant; empty: recordings stay here."""
        if storage == OWN_STORAGE:
            return storage if self._own is not None else ""
        return storage or (self._names[0] if self._names else "")

    def is_sent(self, recording: str) -> bool:
        """Whether it goes anywhere."""
        return recording in self._sent

    # --- what goes ---

    def begin(self, recording: str, storage: str) -> None:
        """It goes on, or is made anew: nothing of it is put away."""
        name, sent = self.name_for(storage), self._sent.get(recording)
        if sent is not None and sent.going is not None and not sent.removing:
            sent.going.cancel()
        self._homeless.discard(recording)
        if self._uploads is None or (sent is not None and sent.sending.storage == name):
            return
        if name not in ("", OWN_STORAGE, *self._names):
            log.error("x recording %s stays here: its storage %s is not configured any more", recording, name)
            self._homeless.add(recording)
            name = ""
        if sent is not None:
            sent.work.cancel()
            del self._sent[recording]
        if name:
            self._sent[recording] = _Sent(
                FileSending(self._root / recording, name, self._uploads, self._sleep)
            )

    def progressed(self, recording: str) -> None:
        """There may be segments that are whole."""
        if (sent := self._sent.get(recording)) is not None:
            sent.work.start(sent.sending.send_segments())

    def made(self, recording: str, name: str) -> None:
        """That file of it is whole, and stays as it is."""
        if (sent := self._sent.get(recording)) is not None:
            sent.work.start(sent.sending.send([name]))

    async def send(self, recording: str, names: Iterable[str]) -> None:
        """All of these are whole. Returns when they are ordered."""
        if (sent := self._sent.get(recording)) is not None:
            await sent.sending.send(names)

    async def send_all(self, recording: str) -> None:
        """Whatever there is of it is whole."""
        if (sent := self._sent.get(recording)) is not None:
            await sent.sending.send_all()

    def rest(self, recording: str) -> None:
        """Everything of it is ordered: it may be put away when its time comes."""
        sent = self._sent.get(recording)
        if sent is not None and self._keep_s is not None and (sent.going is None or sent.going.done()):
            sent.going = sent.work.start(self._put_away(recording, sent, self._keep_s))

    async def done(self, recording: str) -> None:
        """Wait until everything that was ordered of it is confirmed; for ever, if it has nowhere to go."""
        if recording in self._homeless:
            await asyncio.Event().wait()
        if self._uploads is not None:
            await self._uploads.done(recording)

    # --- what has gone ---

    async def take_back(self, recording: str) -> bool:
        """It is to go on: nothing is put away from now on. False when it has been, so that it cannot."""
        sent = self._sent.get(recording)
        if sent is not None and sent.going is not None:
            if not sent.removing:
                sent.going.cancel()
            await asyncio.gather(sent.going, return_exceptions=True)
        return not await asyncio.to_thread(is_away, self._root / recording)

    def looks(self, recording: str) -> dict[Path, str]:
        """How the uploads of its files go, in words."""
        looks = self._uploads.looks(recording) if self._uploads is not None else []
        return {look.path: f"{look.stage}: {look.problem}" if look.problem else look.stage for look in looks}

    def away_files(self, recording: str) -> list[OutputFile]:
        """Those that are in the storage only."""
        return [_as_file(name, order) for name, order in self._away(recording).items()]

    def away_file(self, recording: str, name: str) -> AwayFile | None:
        """The one of that name."""
        order = self._away(recording).get(name)
        return AwayFile(order, self._uploads.target) if order is not None and self._uploads else None

    # --- the end ---

    async def forget(self, recording: str) -> None:
        """Nothing of it is sent any more, and no word of it is kept but beside it."""
        sent = self._sent.pop(recording, None)
        self._homeless.discard(recording)
        if sent is not None:
            await _end(sent)
        if self._uploads is not None:
            await self._uploads.forget(recording)
        if self._own is not None:  # after whatever could open it once more
            self._own.forget(recording)

    async def forget_others(self, recordings: Iterable[str]) -> None:
        """Take back what is to be sent of all others than these."""
        if self._uploads is not None:
            await self._uploads.forget_others(set(recordings))

    async def close(self) -> None:
        """Begin nothing more; the next start goes on."""
        sent, self._sent = [*self._sent.values()], {}
        await asyncio.gather(*(_end(one) for one in sent))

    # --- inside ---

    async def _put_away(self, recording: str, sent: _Sent, keep_s: float) -> None:
        assert self._uploads is not None
        earliest = self._now() + self._pause_s
        directory = self._root / recording
        await self._uploads.done(recording)
        since = await asyncio.to_thread(safe_since, directory, self._uploads.arrived(recording))
        if since is None:
            log.warning("x recording %s is not all in its storage, and stays", recording)
            return
        await self._sleep(max(earliest, since + keep_s) - self._now())
        sent.removing = True
        try:
            await asyncio.to_thread(put_away, directory)
        except OSError as error:
            log.error("x recording %s cannot be put away: %s", recording, error.strerror)
        else:
            log.info("- recording %s is in its storage only from now on", recording)
        finally:
            sent.removing = False

    def _away(self, recording: str) -> dict[str, Order]:
        folder = self._root / recording / FILES_FOLDER
        if self._uploads is None or not is_away(folder.parent):
            return {}
        found = {}
        for order in self._uploads.arrived(recording):
            path = Path(order.path)
            if path.is_relative_to(folder) and not path.exists():
                found[path.relative_to(folder).as_posix()] = order
        return found


def _as_file(name: str, order: Order) -> OutputFile:
    return OutputFile(name, Path(order.path), order.media_type, True, order.size, "uploaded", here=False)


async def _end(sent: _Sent) -> None:
    # What is being removed is not stopped by a word; whoever goes on must find it through.
    sent.work.cancel(but=sent.going if sent.removing else None)
    await sent.work.close()
