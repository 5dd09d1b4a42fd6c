"""junit.xml: a result as the test cases that CI systems show.

Shaped by the two schemas that there are of it: Jenkins' (xunit plugin, junit-10.xsd) and Apache Ant's (as
written down by Windy Road), but for the `system-out` of single cases, which the latter does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from bridge.harness.capacity_results import CapacityResult, CapacityStep
from bridge.harness.capacity_words import capacity_summary
from bridge.harness.report_figures import figures
from bridge.harness.results import CallResult, RunResult
from bridge.harness.rules import RULES
from bridge.harness.run_summary import summary
from bridge.harness.run_totals import acknowledgement_errors

_UNJUDGED = "not judged: the harness itself was late"


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. `kind`: `failure`, `error`, `skipped`, or empty for one that passed."""

    name: str
    group: str
    duration_ms: float = 0.0
    kind: str = ""
    type: str = ""
    """What went wrong, as a name."""
    text: str = ""
    """The same in words; its first line is the message."""
    said: str = ""
    """What else there is to know."""


def as_junit(result: RunResult | CapacityResult) -> bytes:
    """A suite: a case for every call (or step) and every threshold, and for what can spoil all of them."""
    if isinstance(result, CapacityResult):
        cases, told = list(_capacity_cases(result)), capacity_summary(result)
        properties = {"held": str(result.held), "broke": str(result.broke or "")}
    else:
        cases, told = [*_call_cases(result), *_threshold_cases(result), *_run_cases(result)], summary(result)
        properties = dict(_figures(result))
    counts = {kind: sum(case.kind == kind for case in cases) for kind in ("failure", "error", "skipped")}
    number = {"tests": len(cases), "failures": counts["failure"], "errors": counts["error"]}
    attributes = {name: str(count) for name, count in number.items()}
    attributes["time"] = _seconds(result.duration_ms)
    suites = Element("testsuites", {"name": "mediabridge test", **attributes})
    suite = SubElement(suites, "testsuite", {
        "name": _token(f"mediabridge test {result.target}"), "package": "mediabridge", "id": "0",
        "timestamp": _moment(result.started_at), "hostname": "localhost", "skipped": str(counts["skipped"]),
        **attributes,
    })  # fmt: skip
    listed = SubElement(suite, "properties")
    given = {"target": result.target, "seed": str(result.seed), **result.settings, **properties}
    for name, value in given.items():
        SubElement(listed, "property", name=_token(name), value=_clean(value))
    suite.extend(map(_element, cases))
    SubElement(suite, "system-out").text = _clean(told)
    SubElement(suite, "system-err")
    written: bytes = tostring(suites, encoding="utf-8", xml_declaration=True)
    return written


def _element(case: Case) -> Element:
    element = Element(
        "testcase", name=_token(case.name), classname=_token(case.group), time=_seconds(case.duration_ms)
    )
    if case.kind:
        said = SubElement(element, case.kind, type=_clean(case.type))
        said.set("message", _clean(case.text.partition("\n")[0]))
        said.text = _clean(case.text)
    if case.said:
        SubElement(element, "system-out").text = _clean(case.said)
    return element


def _call_cases(run: RunResult) -> Iterator[Case]:
    for call in run.calls:
        kind, type_, text = "", "", ""
        if call.end == "cancelled":
            kind, type_, text = "skipped", "cancelled", "cancelled"
        elif not run.valid:
            kind, type_, text = "skipped", "invalid", _UNJUDGED
        elif call.failures:
            name = call.failures[0].partition(":")[0].partition(" (")[0]
            kind, text = "failure", "\n".join(call.failures)
            type_ = name if name in RULES or name == call.end else "expectation"
        said = "\n".join(_lines(call))
        yield Case(f"call {call.number}", call.scenario or "calls", call.duration_ms, kind, type_, text, said)


def _threshold_cases(run: RunResult) -> Iterator[Case]:
    for threshold in run.thresholds:
        found = "there was nothing to measure" if threshold.value is None else f"it was {threshold.value:g}"
        text = f"{threshold.text}: {found}"
        if not run.valid:
            yield Case(threshold.text, "thresholds", 0, "skipped", "invalid", _UNJUDGED, text)
        else:
            kind = "" if threshold.passed else "failure"
            yield Case(threshold.text, "thresholds", 0, kind, "threshold", text, "" if kind else text)


def _run_cases(run: RunResult) -> Iterator[Case]:
    yield Case(
        "the harness kept time", "harness", 0, "" if run.valid else "error", "invalid", run.invalid_because
    )
    if run.interrupted:
        yield Case("the run was gone through", "harness", 0, "error", "interrupted", "it was interrupted")


def _capacity_cases(found: CapacityResult) -> Iterator[Case]:
    for step in found.steps:
        yield Case(f"{step.calls} calls at once", "steps", step.duration_ms, *_judged(step, found.at_least))
    name, told = f"{found.at_least} calls or more are held", f"{found.held} were"
    if found.passed:
        yield Case(name, "capacity", said=told)
    elif found.valid:
        yield Case(name, "capacity", 0, "failure", "capacity", told)
    else:
        yield Case(name, "capacity", 0, "error", "invalid", f"{told}, and what more would do is not known")
    if found.ended == "interrupted":
        yield Case("the search was gone through", "harness", 0, "error", "interrupted", "it was interrupted")


def _judged(step: CapacityStep, at_least: int) -> tuple[str, str, str]:
    if step.verdict == "held":
        return "", "", ""
    if step.verdict == "broke" and step.calls <= at_least:
        return "failure", "broke", step.because
    # A search goes on until something breaks: above what was asked for that is no failure.
    return "skipped", step.verdict, f"{step.verdict}: {step.because}"


def _figures(run: RunResult) -> Iterator[tuple[str, str]]:
    for figure in figures(run):
        for of, value in (("p50", figure.p50), ("p95", figure.p95), ("max", figure.max)):
            if value is not None:
                unit = "_ms" if figure.unit == "ms" and not figure.key.endswith("_ms") else ""
                yield f"{figure.key}_{of}{unit}", f"{value:g}"


def _lines(call: CallResult) -> Iterator[str]:
    yield f"call id {call.call_id}, ended: {call.end}{f' ({call.end_detail})' if call.end_detail else ''}"
    yield (
        f"connect {_ms(call.connect_ms)}, first audio arrived {_ms(call.first_audio_ms)}, "
        f"heard {_ms(call.first_heard_ms)}"
    )
    if call.responses:
        yield f"responses heard after {_listed(one.heard_ms for one in call.responses)}"
    if call.barge_ins:
        yield f"barge-ins cleared after {_listed(one.clear_ms for one in call.barge_ins)}"
        yield f"barge-ins silent after {_listed(one.silence_ms for one in call.barge_ins)}"
    if call.turns is not None:
        yield f"overtalk {call.turns.overtalk_ms} ms, {100 * call.turns.overtalk_share:.1f} %"
        yield f"gaps {call.gaps}, together {call.gap_ms} ms; underruns {call.turns.underruns}"
    yield (
        f"checkpoints {call.checkpoints}, acknowledged {call.checkpoints_played}, cleared "
        f"{call.checkpoints_cleared}; acknowledgement errors {acknowledgement_errors(call.violations)}"
    )
    yield f"bytes from the bot {call.bytes_in}, to it {call.bytes_out}; harness late {call.late_ms:g} ms"
    for name, times in (call.violations | call.conduct).items():
        yield f"{name} × {times:,}"
    yield from call.remarks
    if call.wav:
        yield f"sound: {call.wav}"


def _listed(delays: Iterable[float | None]) -> str:
    return ", ".join(map(_ms, delays))


def _ms(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} ms"


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.3f}"


def _moment(unix_s: float) -> str:
    """As Apache Ant writes it: to the second, in UTC, without saying so."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _token(text: str) -> str:
    """One line with single spaces, and never nothing (`xs:token`)."""
    return " ".join(_clean(text).split()) or "-"


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot hold (§2.2): a bot's close reason may be anything."""
    return "".join(
        character if character in "\t\n" or " " <= character <= "\ud7ff" or "\ue000" <= character <= "\ufffd"
        or character > "\uffff" else "\ufffd"
        for character in text
    )  # fmt: skip
