"""Who watches a simulated call: told of everything that happens in it, at the moment when it does."""

from __future__ import annotations

from bridge.harness.sound import Samples
from bridge.legs.plivo_play_wire import FromService


class Witness:
    """Does nothing with any of it. Nothing here may block or raise; frames are not kept, or copied.

    A tick tells first of the checkpoints that it reached, then of its 20 ms.
    """

    def began(self) -> None:
        """The service has accepted the call, and `start` goes out. Not told again when it is redialled."""

    def ticked(self, said: Samples, speech: Samples, heard: Samples, late_s: float) -> None:
        """20 ms: what was sent on the first track, the words within it, what sounds in the ear.

        `late_s`: how long after its time.
        """

    def took(self, what: FromService, message: bytes, is_text: bool) -> None:
        """A message that is understood, before anything comes of it."""

    def refused(self, message: bytes, is_text: bool, why: Exception) -> None:
        """A message that is not."""

    def queued(self, samples: Samples) -> None:
        """Audio was put into the playout queue: int16 [n]."""

    def reached(self, name: str) -> None:
        """Everything before a checkpoint has been played."""

    def left_unsent(self) -> None:
        """The service does not read: a message could not be sent and is lost."""

    def redialled(self) -> None:
        """The same call is there again, after its connection was lost on purpose."""
