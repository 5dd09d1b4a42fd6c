"""Writes what came of a run: report.json, junit.xml, index.html and calls/*.wav in one folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from bridge.errors import ConfigError
from bridge.harness import report_html
from bridge.harness.report_json import as_json
from bridge.harness.results import CallResult, RunResult

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

    def write(self, run: RunResult) -> None:
        """All of it but the sound. Raises OSError."""
        (self.path / JSON).write_bytes(as_json(run))
        (self.path / JUNIT).write_bytes(as_junit(run))
        report_html.write(run, self.path / PAGE)


def as_junit(run: RunResult) -> bytes:
    """A suite with a case for every call and every threshold, and one for the harness's own punctuality."""
    suite = ElementTree.Element("testsuite", name=f"mediabridge test {run.target}")
    counts = {"failure": 0, "error": 0, "skipped": 0}
    cases = [*_call_cases(run.calls), *_threshold_cases(run), *_run_cases(run)]
    for case, kind, text in cases:
        if kind:
            counts[kind] += 1
            said = ElementTree.SubElement(case, kind, message=_clean(text.partition("\n")[0]))
            said.text = _clean(text)
        suite.append(case)
    suite.set("tests", str(len(cases)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(counts[kind]))
    suite.set("time", f"{run.duration_ms / 1000:.3f}")
    written: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return written


_Case = tuple[ElementTree.Element, str, str]
"""The element, what it holds (`failure`, `error`, `skipped` or nothing), and its text."""


def _call_cases(calls: list[CallResult]) -> Iterator[_Case]:
    for call in calls:
        case = _case(f"call {call.number}", call.scenario or "calls", call.duration_ms)
        if call.end == "cancelled":
            yield case, "skipped", "cancelled"
        else:
            yield case, "failure" if call.failures else "", "\n".join(call.failures)


def _threshold_cases(run: RunResult) -> Iterator[_Case]:
    for threshold in run.thresholds:
        found = "there was nothing to measure" if threshold.value is None else f"it was {threshold.value:g}"
        yield (
            _case(threshold.text, "thresholds", 0),
            "" if threshold.passed else "failure",
            f"{threshold.text}: {found}",
        )


def _run_cases(run: RunResult) -> Iterator[_Case]:
    yield _case("the harness kept time", "harness", 0), "" if run.valid else "error", run.invalid_because
    if run.interrupted:
        yield _case("the run was gone through", "harness", 0), "error", "it was interrupted"


def _case(name: str, group: str, duration_ms: int) -> ElementTree.Element:
    return ElementTree.Element(
        "testcase", name=_clean(name), classname=_clean(group), time=f"{duration_ms / 1000:.3f}"
    )


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot hold (§2.2): a bot's close reason may be anything."""
    return "".join(
        character if character in "\t\n" or " " <= character <= "\ud7ff" or "\ue000" <= character <= "\ufffd"
        or character > "\uffff" else "\ufffd"
        for character in text
    )  # fmt: skip
