"""Scenarios played tick by tick against a bot that says what a test has written down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from bridge.harness.clips import load_clips
from bridge.harness.person import Person
from bridge.harness.scenario import Scenario
from bridge.harness.scenario_file import parse_scenario
from bridge.harness.sound import Samples
from bridge.harness.voice import HeardEvent, Says
from tests.kit.tones import tone

RATE_HZ = 16_000
FRAME = RATE_HZ // 50


def scenario(steps: str, rest: str = "") -> Scenario:
    """From steps in YAML, without indentation."""
    return parse_scenario(
        "steps:\n" + "\n".join(f"  {line}" for line in steps.strip().split("\n")) + "\n" + rest
    )


def sound_file(folder: Path, name: str, seconds: float, *, lead_s: float = 0.0, tail_s: float = 0.0) -> None:
    """A tone of 300 Hz with silence around it."""
    words = tone(300, seconds, RATE_HZ).astype(np.int16)
    silence = [np.zeros(round(around * RATE_HZ), np.int16) for around in (lead_s, tail_s)]
    soundfile.write(folder / name, np.concatenate((silence[0], words, silence[1])), RATE_HZ)


@dataclass
class Rehearsal:
    """`talks`: when the bot is heard, in ms; `events`: what else comes, and when. What it led to is kept."""

    talks: Sequence[tuple[int, int]] = ()
    events: Iterable[tuple[int, HeardEvent]] = ()
    amplitude: float = 6000.0
    said: list[Says] = field(default_factory=list)
    person: Person = field(init=False)

    def play(self, of: Scenario, folder: Path, *, seed: str = "", limit_ms: int = 60_000) -> Rehearsal:
        """Until the person hangs up."""
        self.person = Person(of, load_clips(of, folder, RATE_HZ), seed)
        hum = tone(200, 0.02, RATE_HZ, self.amplitude).astype(np.int16)
        silence = np.zeros(FRAME, np.int16)
        for tick in range(limit_ms // 20):
            heard_ms = 20 * (tick + 1)
            talking = any(begins <= heard_ms < ends for begins, ends in self.talks)
            events = [event for at_ms, event in self.events if heard_ms - 20 < at_ms <= heard_ms]
            self.said.append(self.person.tick(hum if talking else silence, events))
            if self.said[-1].hangs_up:
                break
        return self

    @property
    def words(self) -> Samples:
        """All that was sent: int16 [n]."""
        return np.concatenate([says.frame for says in self.said])

    @property
    def spoke_ms(self) -> list[tuple[int, int]]:
        """When the person was not silent, to 20 ms."""
        loud = np.array([bool(np.abs(says.frame).max() > 200) for says in self.said])
        edges = np.flatnonzero(np.diff(np.concatenate(([False], loud, [False]))))
        return [(20 * int(begins), 20 * int(ends)) for begins, ends in edges.reshape(-1, 2)]

    @property
    def keys(self) -> list[tuple[int, str]]:
        return [(20 * tick, says.keys) for tick, says in enumerate(self.said) if says.keys]

    @property
    def ended_ms(self) -> int:
        assert self.said[-1].hangs_up
        return 20 * (len(self.said) - 1)
