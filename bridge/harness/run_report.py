"""Writes what came of a run: report.json, junit.xml, index.html and calls/*.wav in one folder."""

from __future__ import annotations

from pathlib import Path

from bridge.errors import ConfigError
from bridge.harness import capacity_html, report_html
from bridge.harness.capacity_results import CapacityResult
from bridge.harness.report_json import as_json
from bridge.harness.report_junit import as_junit
from bridge.harness.results import RunResult

JSON = "report.json"
JUNIT = "junit.xml"
PAGE = "index.html"
CALLS = "calls"


class ReportFolder:
    """A new or empty folder, or one that holds an earlier report, which is replaced."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when no report can be written there."""
        self.path = path
        try:
            if path.exists() and not path.is_dir():
                raise ConfigError(f"{path} is no folder")
            if path.is_dir() and any(path.iterdir()) and not (path / JSON).is_file():
                raise ConfigError(f"{path} is not empty, and holds no earlier report that could be replaced")
            (path / CALLS).mkdir(parents=True, exist_ok=True)
            for earlier in (*(path / CALLS).glob("call-*.wav"), path / JUNIT, path / PAGE):
                earlier.unlink(missing_ok=True)
            # There at once, so that a run that is killed leaves a folder that can be used again.
            (path / JSON).write_text("{}\n")
        except OSError as wrong:
            raise ConfigError(f"cannot write {path}: {wrong.strerror}") from None

    def wav_name(self, number: int) -> str:
        """Of one call's sound, relative to the folder."""
        return f"{CALLS}/call-{number:04}.wav"

    def write(self, result: RunResult | CapacityResult) -> None:
        """All of it but the sound, and the reports of a search's single steps. Raises OSError."""
        (self.path / JSON).write_bytes(as_json(result))
        (self.path / JUNIT).write_bytes(as_junit(result))
        if isinstance(result, CapacityResult):
            capacity_html.write(result, self.path / PAGE)
        else:
            report_html.write(result, self.path / PAGE)
