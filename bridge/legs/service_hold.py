"""What a stream has to say and its service has not confirmed yet, and the books about it. Pure.

Everything is in one order: frames of all tracks, and notes (acknowledgements, pressed keys) between them.

    add → held ──(sent)──→ on the way ──(confirmed)──→ delivered
           ↑ └─ overflow: the oldest are lost ┘ │
           └────────── connection lost ─────────┘
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from bridge.core.ports import PTIME_MS, TrackLedger
from bridge.legs.plivo_call_wire import CallWriter

MAX_NOTES = 1_000
"""Notes that may wait; more of them are dropped and counted: who does not read does not want them."""


class TrackBook:
    """One track: its place in the ledger, and how far it was captured."""

    __slots__ = ("chunk", "due_ms", "ledger", "track")

    def __init__(self, track: str, ledger: TrackLedger) -> None:
        self.track = track
        self.ledger = ledger
        self.chunk = 0
        self.due_ms: int | None = None
        """When the next frame's sound begins, if none is missed."""


class Frame:
    """20 ms of a track."""

    __slots__ = ("at_ms", "book", "chunk", "payload")

    def __init__(self, book: TrackBook, chunk: int, at_ms: int, payload: bytes) -> None:
        self.book = book
        self.chunk = chunk
        self.at_ms = at_ms
        self.payload = payload

    def write(self, writer: CallWriter) -> bytes:
        """As a message of a connection."""
        return writer.media(self.book.track, self.payload, self.at_ms, self.chunk)


class Note:
    """A short message that belongs between frames."""

    __slots__ = ("write",)

    def __init__(self, write: Callable[[CallWriter], bytes]) -> None:
        self.write = write


Item = Frame | Note


class Hold:
    """One for each stream. `waiting` frames are captured and neither delivered nor lost."""

    def __init__(self, tracks: Sequence[TrackBook]) -> None:
        self.books = {book.track: book for book in tracks}
        self._held: deque[Item] = deque()
        self._on_the_way: deque[Item] = deque()
        self.waiting = 0
        self.held_frames = 0
        """Of those, the ones no socket has taken."""
        self.notes_dropped = 0
        self._notes = 0
        self._closed = False

    def capture(self, book: TrackBook, payload: bytes, at_ms: int) -> None:
        """The next 20 ms of a track, beginning at `at_ms`. What was missed since the last ones is lost."""
        if self._closed:
            return
        ledger = book.ledger
        if book.due_ms is not None and at_ms > book.due_ms:
            missing = (at_ms - book.due_ms) // PTIME_MS
            book.chunk += missing
            ledger.captured += missing
            ledger.lose(book.due_ms, at_ms, missing)
        book.due_ms = at_ms + PTIME_MS
        book.chunk += 1
        ledger.captured += 1
        self.waiting += 1
        self.held_frames += 1
        self._held.append(Frame(book, book.chunk, at_ms, payload))

    def note(self, write: Callable[[CallWriter], bytes]) -> bool:
        """Something to be said behind what was captured so far; False when too much of that waits."""
        if self._notes >= MAX_NOTES:
            self.notes_dropped += 1
            return False
        self._notes += 1
        self._held.append(Note(write))
        return True

    @property
    def next(self) -> Item | None:
        """What is to be sent next."""
        return self._held[0] if self._held else None

    def sent(self) -> None:
        """`next` is on its way."""
        item = self._held.popleft()
        if type(item) is Frame:
            self.held_frames -= 1
        self._on_the_way.append(item)

    @property
    def on_the_way(self) -> int:
        """Frames and notes that were sent and not confirmed."""
        return len(self._on_the_way)

    def delivered(self, count: int) -> None:
        """The service has the oldest `count` of what is on the way."""
        for _ in range(count):
            item = self._on_the_way.popleft()
            if type(item) is Frame:
                item.book.ledger.delivered += 1
                self.waiting -= 1
            else:
                self._notes -= 1

    def take_back(self) -> None:
        """The connection is gone, and what was on the way is to be sent again over the next one."""
        on_the_way = self._on_the_way
        self.held_frames = self.waiting
        while on_the_way:
            self._held.appendleft(on_the_way.pop())

    def lose_oldest(self) -> bool:
        """Give up the oldest frame that no socket has taken; notes stay. False when there is none."""
        if not self.held_frames:
            return False
        notes: list[Item] = []
        while True:
            item = self._held.popleft()
            if isinstance(item, Frame):
                break
            notes.append(item)
        self._held.extendleft(reversed(notes))
        self.held_frames -= 1
        self._lose(item)
        return True

    def give_up(self) -> None:
        """The stream is over: whatever waits is lost, and nothing more is captured."""
        self._closed = True
        for item in (*self._on_the_way, *self._held):
            if isinstance(item, Frame):
                self._lose(item)
        self._on_the_way.clear()
        self._held.clear()
        self.held_frames = self._notes = 0

    def _lose(self, frame: Frame) -> None:
        frame.book.ledger.lose(frame.at_ms, frame.at_ms + PTIME_MS, 1)
        self.waiting -= 1
