"""One report of many runs: the calls of a whole test session, counted through."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from bridge.harness.results import CallResult, RunResult, Threshold
from bridge.harness.run_report import ReportFolder


class SessionReport(ReportFolder):
    """A folder that runs are added to; `finish` writes the report."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when no report can be written there."""
        super().__init__(path)
        self._began = time.time()
        self._kept = 0
        self._calls: list[CallResult] = []
        self._thresholds: list[Threshold] = []
        self._targets: list[str] = []
        self._invalid: list[str] = []
        self._interrupted = False

    def wav_name(self, number: int) -> str:
        """Of the next call's sound, whatever its number within its own run is."""
        self._kept += 1
        return super().wav_name(self._kept)

    def add(self, run: RunResult, *, called: str = "") -> None:
        """The calls of one run, which was `called` so: a test, for example."""
        for call in run.calls:
            name = f"{called}: {call.scenario}" if called and call.scenario else called or call.scenario
            self._calls.append(replace(call, number=len(self._calls) + 1, scenario=name))
        self._thresholds += run.thresholds
        if run.target not in self._targets:
            self._targets.append(run.target)
        if not run.valid:
            self._invalid.append(f"{called}: {run.invalid_because}" if called else run.invalid_because)
        self._interrupted |= run.interrupted

    def finish(self) -> RunResult:
        """All of them as one run, after it has been written. Raises OSError."""
        run = RunResult(
            target=", ".join(self._targets) or "no bot",
            started_at=self._began,
            duration_ms=round((time.time() - self._began) * 1000),
            calls=self._calls,
            thresholds=self._thresholds,
            valid=not self._invalid,
            invalid_because=" ".join(self._invalid),
            interrupted=self._interrupted,
            settings={"calls": str(len(self._calls)), "made by": "a test session"},
        )
        self.write(run)
        return run
