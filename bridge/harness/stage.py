"""A scenario made ready for many calls: its sound is loaded once, and each call gets a person and a line."""

from __future__ import annotations

from pathlib import Path

from bridge.core.ports import AudioFormat
from bridge.harness.bot_test import Part
from bridge.harness.clips import load_clips
from bridge.harness.faults import FaultyLine
from bridge.harness.measured_call import MeasuredCall
from bridge.harness.person import Person
from bridge.harness.scenario import Scenario
from bridge.harness.sound import CODECS


class Stage:
    """`part` casts the caller of each call; the same `seed` and number give the same caller again."""

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        audio_format: AudioFormat,
        seed: int = 0,
        hold_s: float | None = None,
    ) -> None:
        """Loads sounds from `folder`, and blocks for it. Raises ScenarioError for what cannot be said.

        With `hold_s` each call lasts so long, and the scenario is begun anew until then.
        """
        self.scenario = scenario
        self.audio_format = CODECS[scenario.codec] if scenario.codec else audio_format
        """Of its calls: the scenario's own, or the one given."""
        self._clips = load_clips(scenario, folder, self.audio_format.rate_hz)
        self._seed = seed
        self._hold_ms = None if hold_s is None else round(hold_s * 1000)

    def part(self, number: int) -> Part:
        """The caller of one call."""
        seed = f"{self._seed}/{number}"
        person = Person(self.scenario, self._clips, seed, hold_ms=self._hold_ms)
        line = None
        if self.scenario.faults:
            line = FaultyLine(self.scenario.faults, self.audio_format, f"{self.scenario.seed}/{seed}")

        def attach(call: MeasuredCall) -> None:
            person.on_moment = call.notes.add
            person.failures = call.failures
            call.on_end = person.ended
            if line is not None:
                line.on_moment = call.notes.add

        return Part(person, self.scenario.name, line, attach)
