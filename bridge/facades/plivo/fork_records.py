"""The streams there are and the last ones there were, by application."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from bridge.facades.plivo.fork import Fork
from bridge.legs.plivo_signature_wire import as_asked

MAX_ENDED = 1_000
"""Ended streams that an application can still ask for; parts of streams do not count."""
MAX_ENDED_WITH_PARTS = 25
"""Of those, the ones whose parts can be asked for, too; of older ones only the sums are kept."""


class ForkRecords:
    """Finds streams by application, call and id; forgets the oldest ended ones."""

    def __init__(self, max_ended: int = MAX_ENDED, with_parts: int = MAX_ENDED_WITH_PARTS) -> None:
        self._max_ended = max_ended
        self._max_with_parts = with_parts
        self._live: dict[str, dict[str, Fork]] = {}
        self._ended: dict[str, deque[Fork]] = {}
        self._with_parts: dict[str, deque[Fork]] = {}
        self.started = 0
        self.ended = 0

    def add(self, fork: Fork) -> None:
        """It lives from now on."""
        self._live.setdefault(fork.application_id, {})[fork.id] = fork
        self.started += 1

    def drop(self, fork: Fork) -> None:
        """It never was."""
        if self._remove(fork):
            self.started -= 1

    def end(self, fork: Fork) -> None:
        """It lives no more."""
        if not self._remove(fork):
            return
        self.ended += 1
        if fork.parent is not None:
            return  # its parent keeps it
        self._ended.setdefault(fork.application_id, deque(maxlen=self._max_ended)).append(fork)
        if fork.roster:
            with_parts = self._with_parts.setdefault(fork.application_id, deque())
            with_parts.append(fork)
            if len(with_parts) > self._max_with_parts:
                with_parts.popleft().sum_up()

    def live(self, application_id: str | None = None) -> list[Fork]:
        """All that live, oldest first; of one application, or of all."""
        if application_id is not None:
            return list(self._live.get(application_id, {}).values())
        return [fork for forks in self._live.values() for fork in forks.values()]

    def in_conference(self, application_id: str, conference_id: str, since: float) -> list[Fork]:
        """Streams of a conference and of calls in it: those that live, then those that ended after `since`.

        Oldest first; without the parts of streams.
        """
        forks = self.live(application_id)
        ended: list[Fork] = []
        for fork in reversed(self._ended.get(application_id, ())):
            if (fork.ended_at or 0.0) < since:
                break
            ended.append(fork)
        forks += reversed(ended)
        return [fork for fork in forks if fork.conference_id == conference_id and fork.parent is None]

    def on_call(self, application_id: str, names: Iterable[str]) -> list[Fork]:
        """Streams of a call under any of its names, newest first; the parts of a stream are not listed."""
        wanted = set(names)
        return [
            fork
            for fork in self._newest_first(application_id)
            if fork.parent is None and not wanted.isdisjoint(fork.names())
        ]

    def find(self, application_id: str, names: Iterable[str], stream_id: str) -> Fork | None:
        """The stream of that id on that call, live or ended, a part of another one included."""
        for fork in self._newest_first(application_id):
            for one in (fork, *fork.ended_children):
                if one.id == stream_id:
                    return None if set(names).isdisjoint(one.names()) else one
        return None

    def streams_to(self, application_id: str, target_id: str, service_url: str) -> bool:
        """Whether a stream of that call to that address lives, in whatever way the address was written."""
        wanted = as_asked(service_url)
        return any(
            fork.target_id == target_id
            and fork.parent is None
            and as_asked(fork.request.service_url) == wanted
            for fork in self._live.get(application_id, {}).values()
        )

    def count(self, application_id: str, target_id: str) -> int:
        """Streams of that call that live, without the parts of one."""
        live = self._live.get(application_id, {}).values()
        return sum(fork.target_id == target_id and fork.parent is None for fork in live)

    def _newest_first(self, application_id: str) -> Iterator[Fork]:
        both = (*self._ended.get(application_id, ()), *self._live.get(application_id, {}).values())
        return iter(sorted(both, key=lambda fork: fork.created_at, reverse=True))

    def _remove(self, fork: Fork) -> bool:
        live = self._live.get(fork.application_id, {})
        if live.get(fork.id) is not fork:
            return False
        del live[fork.id]
        return True
