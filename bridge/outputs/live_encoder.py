"""The server's side of a room's live encoder: fed, begun again when it dies, asked for outputs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bridge.errors import BridgeError
from bridge.outputs.back_off import BackOff, Failures
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.children import Child
from bridge.outputs.live_wire import (
    AddHls,
    AddPush,
    Caption,
    Closed,
    Command,
    Event,
    Levels,
    Marked,
    Passed,
    Remove,
    Spent,
    decode_event,
    encode,
)
from bridge.outputs.record import Begun, Joined, Record, Talked
from bridge.outputs.scene import Scene

log = logging.getLogger(__name__)

QUEUE_BYTES = 1 << 20
"""About ten seconds of sound wait for an encoder that does not keep up; then there is a hole."""
CLOSE_WITHIN_S = 5.0
NICENESS = 5
_GONE = "the encoder is gone"


class LiveTarget(Protocol):
    """One output, as the server sees it."""

    def order(self) -> AddHls | AddPush | None:
        """What the encoder is told to begin it, or to go on with it after another encoder died.

        None: nothing for now; the target asks for its `order` itself.
        """

    def told(self, event: Event) -> None:
        """Something the encoder says of it; the last thing is `Closed`."""


@dataclass(frozen=True, slots=True)
class EncoderFigures:
    """How a room's encoder does."""

    cpu_s: float
    """Used so far, by all its processes."""
    sound_encoders: int
    picture_encoders: int
    outputs: int
    begun: int
    """How many processes there were."""
    holes: int
    """How often sound was left out because the encoder did not keep up."""


class LiveEncoder:
    """All on the event loop's thread. `start`, then `passed` every 100 ms; `stop` at last."""

    def __init__(
        self,
        room: str,
        title: str = "",
        *,
        on_trouble: Callable[[str], None] = lambda why: None,
        limits: ChildLimits | None = None,
        back_off: BackOff | None = None,
        child: Callable[..., Child] = Child,
    ) -> None:
        """`title` stands above the picture. `on_trouble` is told that the process died, and "" later."""
        self._room, self._title = room, title
        self._on_trouble = on_trouble
        self._limits = limits or ChildLimits(niceness=NICENESS)
        self._failures = Failures(back_off or BackOff())
        self._make = child
        self._child: Child | None = None
        self._targets: dict[str, LiveTarget] = {}
        self._leaving: set[str] = set()
        self._unsaid: set[str] = set()
        """Outputs of which the encoder was not told that they begin or end: its queue was full."""
        self._begun: Begun | None = None
        self._levels: Levels | None = None
        self._scene = Scene()
        self._until = 0
        self._holes = 0
        self._missed = False
        self._spent = Spent(0.0, 0, 0, 0)
        self._spent_before_s = 0.0
        self._children = 0
        self._stopping = False
        self._restarting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin the process. Raises OSError when the system grants none."""
        child = self._make(
            "live",
            {"title": self._title},
            on_message=self._received,
            on_exit=self._ended,
            limits=self._limits,
            queue_bytes=QUEUE_BYTES,
        )
        began = time.monotonic()
        await child.start()
        self._child, self._began = child, began
        self._children += 1
        self._missed = True  # it knows nothing of what was before
        self._unsaid.clear()
        for name in [*self._targets]:
            self.order(name)

    def add(self, name: str, target: LiveTarget) -> None:
        """One more output. Raises BridgeError when it is there already."""
        if name in self._targets:
            raise BridgeError(f"the live output {name} is there already")
        self._targets[name] = target
        self.order(name)

    def order(self, name: str) -> bool:
        """Ask the output for its order, and give it. False when there is none, or nobody to take it."""
        target = self._targets.get(name)
        order = None if target is None else target.order()
        return order is not None and self._said(name, order)

    def remove(self, name: str) -> None:
        """End an output; its `Closed` follows when all that was said before is in it."""
        if name not in self._targets:
            return
        self._leaving.add(name)
        if not self._said(name, Remove(name)) and self._child is None:
            self._closed(Closed(name, _GONE))

    def passed(self, since: int, until: int, records: list[Record]) -> None:
        """What happened from tick `since` on up to before `until`."""
        for record in records:
            if isinstance(record, Begun):
                self._begun = record
            self._scene.take(record)
        self._until = until
        if self._missed and self._begun is not None:
            told = Passed(since, until, [*self._known(since, records), *records])
        else:
            told = Passed(since, until, records)
        if not self._send(told):
            self._holes += self._child is not None and not self._missed
            self._missed = True
        else:
            if self._missed and self._levels is not None:
                self._send(self._levels)
            self._missed = self._begun is None
            for name in [*self._unsaid]:
                self._unsaid.discard(name)
                if name in self._leaving:
                    self.remove(name)
                else:
                    self.order(name)

    def caption(self, caption: Caption) -> None:
        """Something was said."""
        self._send(caption)

    def mark(self, marked: Marked) -> bool:
        """Timed metadata for one output; False when nobody takes it."""
        return marked.output in self._targets and self._send(marked)

    def levels(self, levels: Levels) -> None:
        """How loud everybody is from now on."""
        self._levels = levels
        self._send(levels)

    async def stop(self) -> None:
        """Finish all outputs and end the process."""
        self._stopping = True
        if self._restarting is not None:
            self._restarting.cancel()
        if self._child is not None:
            await self._child.stop(CLOSE_WITHIN_S)
        for name in [*self._targets]:
            self._closed(Closed(name, _GONE))

    @property
    def outputs(self) -> int:
        """How many there are."""
        return len(self._targets)

    def figures(self) -> EncoderFigures:
        """As it is now; CPU a few seconds ago."""
        spent = self._spent
        return EncoderFigures(
            self._spent_before_s + spent.cpu_s,
            spent.sound_encoders,
            spent.picture_encoders,
            len(self._targets),
            self._children,
            self._holes,
        )

    def _known(self, since: int, records: list[Record]) -> list[Record]:
        """What an encoder must be told first that has missed something."""
        assert self._begun is not None
        if any(isinstance(record, Begun) for record in records):
            return []
        known: list[Record] = [self._begun]
        for tile in self._scene.view.tiles:
            known.append(Joined(since, tile.participant, tile.name))
            if tile.talking:
                known.append(Talked(since, tile.participant, True))
        return known

    def _said(self, name: str, command: AddHls | AddPush | Remove) -> bool:
        """Whether it was told; otherwise, as long as there is an encoder, that is made up for."""
        if self._send(command):
            return True
        if self._child is not None:
            self._unsaid.add(name)
        return False

    def _send(self, command: Command) -> bool:
        if self._child is None or self._stopping:
            return False
        return self._child.send(encode(command))

    def _received(self, message: bytes) -> None:
        event = decode_event(message)
        if isinstance(event, Spent):
            self._spent = event
        elif isinstance(event, Closed):
            self._closed(event)
        elif event.output in self._targets:
            self._targets[event.output].told(event)

    def _closed(self, event: Closed) -> None:
        target = self._targets.pop(event.output, None)
        self._leaving.discard(event.output)
        self._unsaid.discard(event.output)
        if target is not None:
            target.told(event)

    def _ended(self, code: int) -> None:
        self._child = None
        self._spent_before_s += self._spent.cpu_s
        self._spent = Spent(0.0, 0, 0, 0)
        if self._stopping:
            return
        for name in [*self._leaving]:  # whoever comes next must not begin them again
            self._closed(Closed(name, _GONE))
        pause_s = self._failures.failed(time.monotonic() - self._began)
        log.error("x the live encoder of room %s ended (%d); again in %.1f s", self._room, code, pause_s)
        self._on_trouble("the live encoder ended")
        self._restarting = asyncio.get_running_loop().create_task(self._again(pause_s))

    async def _again(self, pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self.start()
            except OSError as error:
                pause_s = self._failures.failed()
                log.error("x no process for room %s's live encoder: %s", self._room, error.strerror)
            except Exception:  # at the task's edge
                log.exception("x the live encoder of room %s was not begun again", self._room)
                return
            else:
                self._on_trouble("")
                return
