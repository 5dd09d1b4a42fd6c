"""From when to when a side spoke: the utterances of docs/turns.md, exactly."""

from __future__ import annotations

_CUT_SPAN_MS = 60
"""A cut is of the sound that ended no longer than this before it: the turn meter's own bound."""


class SpeechBands:
    """One side, told every 20 ms whether it sounds. A silence shorter than the pause is within an utterance.

    A cut always ends one: what sounds after it is another, however soon it comes.
    """

    __slots__ = ("_bands", "_cut", "_pause_ms", "_sounds")

    def __init__(self, pause_ms: int) -> None:
        self._pause_ms = pause_ms
        self._bands: list[tuple[int, int]] = []
        self._sounds = False
        self._cut = False
        """The last utterance was cut, so that nothing continues it."""

    def take(self, sounds: bool, at_ms: int) -> None:
        """The 20 ms that begin at `at_ms` sound, or do not. Times may not go back."""
        if sounds == self._sounds:
            return
        self._sounds = sounds
        bands = self._bands
        if not sounds:
            bands[-1] = (bands[-1][0], at_ms)
        elif not bands or self._cut or at_ms - bands[-1][1] >= self._pause_ms:
            bands.append((at_ms, at_ms))
            self._cut = False

    def cut(self, at_ms: int) -> None:
        """Whatever was queued is gone: what sounds, or has just ceased to, ends here."""
        if self._sounds:
            self._sounds = False
            self._bands[-1] = (self._bands[-1][0], at_ms)
            self._cut = True
        elif self._bands and at_ms - self._bands[-1][1] <= _CUT_SPAN_MS:
            self._cut = True

    def until(self, at_ms: int) -> list[tuple[int, int]]:
        """All utterances as (from, to) in ms; one that goes on ends at `at_ms`."""
        if not self._sounds:
            return list(self._bands)
        return [*self._bands[:-1], (self._bands[-1][0], at_ms)]
