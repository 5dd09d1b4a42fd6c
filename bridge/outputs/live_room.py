"""A room's live encoder: the program of a room coded once per setting, for any number of outputs.

Runs in a child process, knows neither link nor clock: commands in, events out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from bridge.core.ports import PTIME_MS
from bridge.outputs.hls_output import HlsOutput
from bridge.outputs.live_codings import Coding, Painter, PictureCoding, SoundCoding
from bridge.outputs.live_stretches import SLICE_TICKS, stretches, tick_at
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
    PictureSpec,
    Remove,
    SoundSpec,
)
from bridge.outputs.push_notes import Mark
from bridge.outputs.push_output import PushOutput
from bridge.outputs.record import FRAME_SAMPLES, PROGRAM, Begun, Lost, Sound
from bridge.outputs.scene import Scene, View
from bridge.outputs.webvtt import Cue

_LONGEST_TICKS = 500
"""More at once is not caught up with, but taken for a hole."""

_JOIN_S = 4.5

NOTHING = Coding()


class Output(Protocol):
    """What gets coded sound and pictures and brings them out: HLS, RTMP."""

    sound: SoundSpec
    picture: PictureSpec | None

    def begin(self, sound: SoundCoding, picture: PictureCoding | None) -> None:
        """Who codes from now on; called first, and again after each `cut`."""

    def take(self, sound: Coding, picture: Coding, now: int) -> None:
        """What was coded up to `now` (samples). Must not wait for anybody."""

    def caption(self, cue: Cue) -> None: ...

    def cut(self) -> None:
        """Time jumps: nothing follows from what was taken so far."""

    def close(self, why: str = "") -> None:
        """Finish; tells `Closed`."""


class LiveRoom:
    """Give it every command in order."""

    def __init__(
        self, painter: Callable[[PictureSpec], Painter], tell: Callable[[Event], None], title: str = ""
    ) -> None:
        """`title`: what stands above the picture."""
        self._painter, self._tell = painter, tell
        self._outputs: dict[str, Output] = {}
        self._sounds: dict[SoundSpec, SoundCoding] = {}
        self._pictures: dict[PictureSpec, PictureCoding] = {}
        self._painters: dict[PictureSpec, Painter] = {}
        self._scene = Scene(title)
        self._views: deque[tuple[int, View]] = deque([(0, self._scene.view)])
        """From which tick on what is to be seen; the first one is what was seen last."""
        self._begun: Begun | None = None
        self._origin_ms: float | None = None
        self._shift = 0
        self._at = 0
        self._levels = Levels(0, {})
        self._waiting: list[AddHls | AddPush] = []
        self._ending: list[PushOutput] = []

    @property
    def figures(self) -> tuple[int, int, int]:
        """Sound encoders, picture encoders, outputs."""
        return len(self._sounds), len(self._pictures), len(self._outputs)

    def command(self, command: Command) -> None:
        """Do it now."""
        match command:
            case Passed():
                self._pass(command)
            case Caption():
                at, until = (tick_at(tick + self._shift) for tick in (command.tick, command.until))
                for output in self._outputs.values():
                    output.caption(Cue(at, until, command.text, command.speaker))
            case Marked():
                self._mark(command)
            case Levels():
                self._levels = command
                for output in self._outputs.values():
                    self._tell_levels(output)
            case AddHls() | AddPush():
                self._add(command)
            case Remove():
                self._remove(command.output)

    def close(self) -> None:
        """Finish everything; connections are waited for, each no longer than it may take."""
        for name in [*self._outputs]:
            self._remove(name)
        for push in self._ending:
            push.join(_JOIN_S)

    def _add(self, order: AddHls | AddPush) -> None:
        if self._origin_ms is None:  # nobody knows yet what time it is
            self._waiting.append(order)
            return
        if isinstance(order, AddPush):
            self._drop(order.output)
        elif order.output in self._outputs:
            return
        output: Output | None = None
        try:
            if isinstance(order, AddPush):
                output = PushOutput(order, self._tell)
            else:
                output = HlsOutput(order, self._origin_ms, self._tell)
            self._begin(output)
        except Exception as error:  # one that cannot be ends no other; its text could quote what is secret
            if output is not None:
                self._release(output)
            known = isinstance(error, ValueError)
            why = str(error) if known else f"it could not be begun ({type(error).__name__})"
            self._tell(Closed(order.output, why))
            return
        self._outputs[order.output] = output
        self._tell_levels(output)

    def _mark(self, marked: Marked) -> None:
        output = self._outputs.get(marked.output)
        if isinstance(output, PushOutput) and self._origin_ms is not None:
            at, at_ms = self._moment(marked.tick, self._origin_ms)
            output.mark(Mark(at, at_ms, marked.payload, marked.duration_s))

    def _tell_levels(self, output: Output) -> None:
        if isinstance(output, PushOutput) and self._origin_ms is not None:
            at, at_ms = self._moment(self._levels.tick, self._origin_ms)
            output.levels(at, at_ms, self._levels.levels)

    def _moment(self, tick: int, origin_ms: float) -> tuple[int, float]:
        """On the stream's clock and on the wall's; what is past is now."""
        tick = max(tick + self._shift, self._at)
        return tick_at(tick), origin_ms + tick * PTIME_MS

    def _remove(self, name: str) -> None:
        output = self._outputs.pop(name, None)
        if output is None:
            self._waiting = [order for order in self._waiting if order.output != name]
            self._tell(Closed(name))
            return
        output.take(*self._release(output), tick_at(self._at))
        output.close()
        if isinstance(output, PushOutput):
            self._ending = [push for push in self._ending if not push.over] + [output]

    def _drop(self, name: str) -> None:
        """Without a word: its connection is gone, or another one takes its place."""
        output = self._outputs.get(name)
        if isinstance(output, PushOutput):
            del self._outputs[name]
            self._release(output)
            output.abandon()

    def _release(self, output: Output) -> tuple[Coding, Coding]:
        """What nobody else needs is not coded any more; gives what was left of it."""
        others = [*self._outputs.values()]
        last_sound = last_picture = NOTHING
        if not any(other.sound == output.sound for other in others):
            sound = self._sounds.pop(output.sound, None)
            last_sound = NOTHING if sound is None else sound.flush()
        spec = output.picture
        if spec is not None and not any(other.picture == spec for other in others):
            picture = self._pictures.pop(spec, None)
            last_picture = NOTHING if picture is None else picture.flush()
            self._painters.pop(spec, None)
        return last_sound, last_picture

    def _begin(self, output: Output) -> None:
        if output.sound not in self._sounds:
            self._sounds[output.sound] = SoundCoding(output.sound, self._at)
        picture = output.picture
        if picture is not None and picture not in self._pictures:
            if picture not in self._painters:
                self._painters[picture] = self._painter(picture)
            self._pictures[picture] = PictureCoding(picture, self._at, self._painters[picture])
        output.begin(self._sounds[output.sound], None if picture is None else self._pictures[picture])

    def _pass(self, passed: Passed) -> None:
        sounds: list[Sound] = []
        holes: list[tuple[int, int]] = []
        for record in passed.records:
            match record:
                case Begun():
                    self._start(record, passed.since)
                case Sound():
                    if record.track == PROGRAM:
                        sounds.append(record)
                case Lost():
                    holes.append((record.tick + self._shift, record.until + self._shift))
                case _:
                    if self._scene.take(record):
                        self._views.append((record.tick + self._shift, self._scene.view))
        if self._origin_ms is None:
            return
        for name in [name for name, output in self._outputs.items() if _is_over(output)]:
            self._drop(name)
        for order in self._waiting:
            self._add(order)
        self._waiting.clear()
        since, until = passed.since + self._shift, passed.until + self._shift
        if since > self._at:
            holes.append((self._at, since))
        if until - self._at > _LONGEST_TICKS:
            holes.append((self._at, until - SLICE_TICKS))
        for begin, end, jumps in stretches(self._at, until, holes):
            if jumps:
                self._jump(end)
            else:
                self._code(begin, end, sounds)

    def _start(self, begun: Begun, since: int) -> None:
        self._scene.take(begun)
        if self._origin_ms is None:
            self._origin_ms, self._at = float(begun.began_ms), since
        elif begun != self._begun:
            # A new stretch counts from 0 again; the stream's time goes on, never back.
            passed = round((begun.began_ms - self._origin_ms) / PTIME_MS)
            self._shift = max(passed, self._at)
        self._begun = begun
        self._views.append((since + self._shift, self._scene.view))

    def _view_at(self, tick: int) -> View:
        while len(self._views) > 1 and self._views[1][0] <= tick:
            self._views.popleft()
        return self._views[0][1]

    def _code(self, begin: int, end: int, sounds: list[Sound]) -> None:
        pcm = np.zeros((end - begin) * FRAME_SAMPLES, np.int16)
        for sound in sounds:
            given = np.frombuffer(sound.pcm, "<i2")
            at = (sound.tick + self._shift - begin) * FRAME_SAMPLES
            skipped, at = max(0, -at), max(0, at)
            given = given[skipped : skipped + max(0, len(pcm) - at)]
            pcm[at : at + len(given)] = given
        coded = {spec: coding.encode(pcm) for spec, coding in self._sounds.items()}
        drawn = {spec: coding.encode(end, self._view_at) for spec, coding in self._pictures.items()}
        self._at = end
        self._view_at(end - 1)  # also without pictures: what nobody will see any more is forgotten
        for output in self._outputs.values():
            picture = NOTHING if output.picture is None else drawn[output.picture]
            output.take(coded[output.sound], picture, tick_at(end))

    def _jump(self, end: int) -> None:
        """A hole: what was is finished; encoders cannot go on after their end, so others take over."""
        coded = {spec: coding.flush() for spec, coding in self._sounds.items()}
        drawn = {spec: coding.flush() for spec, coding in self._pictures.items()}
        self._sounds.clear()
        self._pictures.clear()
        now, self._at = tick_at(self._at), end
        for output in self._outputs.values():
            output.take(
                coded[output.sound], NOTHING if output.picture is None else drawn[output.picture], now
            )
            output.cut()
            self._begin(output)


def _is_over(output: Output) -> bool:
    """Its connection ended by itself."""
    return isinstance(output, PushOutput) and output.over
