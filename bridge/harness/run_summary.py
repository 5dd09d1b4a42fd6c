"""What came of a run, for a terminal: percentiles, what was asked, what went wrong, the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from bridge.harness.percentiles import percentile
from bridge.harness.results import CallResult, RunResult, Threshold
from bridge.harness.rules import RULES
from bridge.harness.run_totals import RunTotals, totals
from bridge.harness.thresholds import NEVER, QUANTITIES, Quantity, read_threshold

MAX_CALLS = 10
"""So many failed calls are told of."""
_SHOWN = (
    ("answer", "answer URL"),
    ("connect", "connect"),
    ("first_audio", "first audio, arrived"),
    ("first_heard", "first audio, heard"),
    ("response_arrived", "response, arrived"),
    ("response", "response, heard"),
    ("barge_in_clear", "barge-in to clear"),
    ("barge_in", "barge-in to silence"),
    ("gap_ms", "gaps in mid-speech"),
)
_PERCENTILES = (0.5, 0.9, 0.95, 0.99)


def summary(run: RunResult) -> str:
    """Several lines, without whatever a terminal would obey."""
    return "\n".join(map(printable, _lines(run)))


def printable(text: str) -> str:
    """The same with a sign in place of each control character: a bot's close reason may be anything."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def verdict(run: RunResult) -> str:
    """One line."""
    if not run.valid:
        return f"INVALID: {run.invalid_because}"
    if run.passed:
        return "PASSED"
    failed = sum(bool(call.failures) for call in run.calls)
    missed = sum(not threshold.passed for threshold in run.thresholds)
    reasons = [
        f"{failed} of {len(run.calls)} calls failed" if failed else "",
        f"{missed} of {len(run.thresholds)} thresholds were not met" if missed else "",
        "the run was interrupted" if run.interrupted else "",
    ]
    return "FAILED: " + ", ".join(reason for reason in reasons if reason)


def _lines(run: RunResult) -> Iterator[str]:
    yield f"{run.target}: {len(run.calls)} calls in {run.duration_ms / 1000:.1f} s"
    yield f"{'ms':<22}{'n':>6}{'min':>9}{'p50':>9}{'p90':>9}{'p95':>9}{'p99':>9}{'max':>9}{'never':>7}"
    for name, title in _SHOWN:
        values = [value for call in run.calls for value in QUANTITIES[name].read(call)]
        if values or name != "answer":
            yield _row(title, values)
    of_all = totals(run.calls)
    yield from _sums(run.calls, of_all)
    yield f"harness: {run.settings.get('harness lateness', 'not measured')}"
    broken = of_all.violations | of_all.conduct
    for name, times in sorted(broken.items(), key=lambda item: (not RULES[item[0]].fails, -item[1])):
        yield f"{'FAILED' if RULES[name].fails else 'noted ':<7} {name} × {times:,}: {RULES[name].text}"
    remarks = Counter(text for call in run.calls for text in call.remarks)
    for text, times in remarks.most_common(MAX_CALLS):
        yield f"noted   {text}" + (f" ({times} calls)" if times > 1 else "")
    for threshold in run.thresholds:
        yield f"{'met' if threshold.passed else 'FAILED':<7} {threshold.text}: {_found(threshold, run.calls)}"
    failed = [call for call in run.calls if call.failures]
    for call in failed[:MAX_CALLS]:
        more = f" (and {len(call.failures) - 1} more)" if len(call.failures) > 1 else ""
        yield f"call {call.number}: {call.failures[0]}{more}"
    if len(failed) > MAX_CALLS:
        yield f"… and {len(failed) - MAX_CALLS} more calls that failed"
    yield verdict(run)


def _sums(calls: Sequence[CallResult], of_all: RunTotals) -> Iterator[str]:
    means = f" (bot hung up {_counted(of_all.hang_ups)})" if of_all.hang_ups else ""
    yield f"ended: {_counted(of_all.ends)}{means}"
    turns = [call.turns for call in calls if call.turns is not None]
    shares = sorted(100 * one.overtalk_share for one in turns)
    worst = f"; p95 of calls {percentile(shares, 0.95):.1f} %" if shares else ""
    yield (
        f"turns of the callers {sum(one.caller.turns for one in turns)}, "
        f"of the bot {sum(one.bot.turns for one in turns)}; "
        f"overtalk {of_all.overtalk_ms / 1000:.1f} s, {100 * of_all.overtalk_share:.1f} % of all sound{worst}"
    )
    yield (
        f"gaps {of_all.gaps}, together {of_all.gap_ms / 1000:.1f} s; "
        f"underruns, which are shorter than a pause: {of_all.underruns}"
    )
    left = {"cleared": of_all.checkpoints_cleared, "not reached": of_all.checkpoints_unplayed}
    more = "".join(f", {name} {times}" for name, times in left.items() if times)
    yield (
        f"checkpoints {of_all.checkpoints}: acknowledged {of_all.checkpoints_played}{more}; "
        f"acknowledgement errors {of_all.acknowledgement_errors}"
    )
    yield f"from the bot {_size(of_all.bytes_in)}, to it {_size(of_all.bytes_out)}"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"


def _row(title: str, values: Sequence[float]) -> str:
    happened = sorted(value for value in values if value != NEVER)
    never = len(values) - len(happened)
    cells = [percentile(happened, share) for share in _PERCENTILES]
    row = [happened[0] if happened else None, *cells, happened[-1] if happened else None]
    shown = "".join(f"{'–' if value is None else f'{value:,.0f}':>9}" for value in row)
    return f"{title:<22}{len(happened):>6}{shown}{never or '':>7}".rstrip()


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {times}" for name, times in counts.items()) or "no call"


def _found(threshold: Threshold, calls: Sequence[CallResult]) -> str:
    what = read_threshold(threshold.text).what
    if threshold.value is not None:
        return f"{threshold.value:,g} {what.unit}".rstrip()
    due = isinstance(what, Quantity) and any(value for call in calls for value in what.read(call))
    return "so often it never happened" if due else "there was nothing to measure, so it is not met"
