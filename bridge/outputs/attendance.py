"""Who was in a recording, from when to when, and called what. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.outputs.record import PROGRAM, Begun, Ended, Joined, Left, Named, Record, Talked
from bridge.outputs.weave import Block


@dataclass(slots=True)
class Present:
    """From when to when somebody was there, in ticks of the files; `until` None: still."""

    since: int
    until: int | None = None


@dataclass(slots=True)
class Attendee:
    """One participant of a recording."""

    participant: str
    names: list[str] = field(default_factory=list)
    """What the participant was called, the last one last."""
    present: list[Present] = field(default_factory=list)
    talked_ticks: int = 0
    """For how long altogether the participant talked."""
    has_sound: bool = False
    """Whether anything of the participant was recorded."""
    talks_since: int | None = None

    def called(self, name: str) -> None:
        """The participant is called `name` from now on."""
        if name and (not self.names or self.names[-1] != name):
            self.names.append(name)

    def end_talk(self, tick: int) -> None:
        """The participant does not talk any more."""
        if self.talks_since is not None:
            self.talked_ticks += tick - self.talks_since
            self.talks_since = None

    def leave(self, tick: int) -> None:
        """The participant is gone, or nobody knows any more."""
        self.end_talk(tick)
        if self.present and self.present[-1].until is None:
            self.present[-1].until = tick


class Attendance:
    """Follows the blocks of a recording."""

    def __init__(self) -> None:
        self._attendees: dict[str, Attendee] = {}

    def put(self, block: Block) -> None:
        """Follow the next block."""
        for tick, record in block.happened:
            self._take(tick, record)
        for track in block.sound:
            if track != PROGRAM:
                self._attendee(track).has_sound = True

    def finish(self, tick: int) -> None:
        """The recording ends there; who is still present was so until then."""
        for attendee in self._attendees.values():
            attendee.leave(tick)

    @property
    def attendees(self) -> list[Attendee]:
        """In the order in which they first came."""
        return list(self._attendees.values())

    def _attendee(self, participant: str) -> Attendee:
        return self._attendees.setdefault(participant, Attendee(participant))

    def _take(self, tick: int, record: Record) -> None:
        match record:
            case Begun() | Ended():
                self.finish(tick)
            case Joined(participant=participant, name=name):
                attendee = self._attendee(participant)
                attendee.called(name)
                if not attendee.present or attendee.present[-1].until is not None:
                    attendee.present.append(Present(tick))
            case Left(participant=participant):
                self._attendee(participant).leave(tick)
            case Named(participant=participant, name=name):
                self._attendee(participant).called(name)
            case Talked(participant=participant, talking=talking):
                attendee = self._attendee(participant)
                attendee.end_talk(tick)
                attendee.talks_since = tick if talking else None
