"""What a search for capacity found out, in words: for a terminal, and for its page."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.harness.capacity_results import CapacityResult, CapacityStep
from bridge.harness.run_summary import printable


def headline(found: CapacityResult) -> str:
    """What was found out, in a few words."""
    if not found.held:
        return "Not known" if found.broke is None else f"Does not hold {_calls(found.broke)}"
    # Whatever lies above was not seen to break.
    return f"Holds {_calls(found.held)}" + (" or more" if found.broke is None else "")


def reasons(found: CapacityResult) -> list[str]:
    """Sentences: what broke, where the harness was late, why the search was over."""
    said = []
    if found.broke is not None:
        because = (s.because for s in found.steps if (s.calls, s.verdict) == (found.broke, "broke"))
        said.append(f"Broke at {_calls(found.broke)}: {next(because, 'its report says why.')}")
    if found.harness_late_at is not None:
        said.append(
            f"The harness itself was late at {_calls(found.harness_late_at)}: "
            "nothing is known of the bot there."
        )
    match found.ended:
        case "limit":
            said.append("Nothing broke up to the most calls that were to be tried.")
        case "interrupted":
            said.append("The search was ended before it was through.")
        case _:
            pass
    if found.at_least > 1:
        said.append(f"{_calls(found.at_least)} or more were asked for.")
    return said


def capacity_summary(found: CapacityResult) -> str:
    """Several lines for a terminal: a table of the steps, and what follows from them."""
    return "\n".join(map(printable, _lines(found)))


def _lines(found: CapacityResult) -> Iterator[str]:
    yield f"{found.target}: {len(found.steps)} steps in {found.duration_ms / 1000:.1f} s"
    columns = ("calls", "failed", "never", "p50", "p95", "max", "clear", "late")
    yield "".join(f"{column:>9}" for column in columns) + "  ms; response heard, to clear p95, harness late"
    for step in found.steps:
        yield f"{_row(step)}  {step.verdict}{f': {step.because}' if step.because else ''}"
    yield from reasons(found)
    verdict = ("PASSED" if found.passed else "FAILED") if found.valid else "INVALID"
    yield f"{verdict}: {headline(found).lower()}"


def _row(step: CapacityStep) -> str:
    counts = (step.calls, step.failed_calls, step.unanswered)
    times = (
        step.response_p50_ms, step.response_p95_ms, step.response_max_ms, step.barge_in_clear_p95_ms,
        step.late_ms,
    )  # fmt: skip
    shown = ["–" if value is None else f"{value:,.0f}" for value in times]
    return "".join(f"{text:>9}" for text in [*map(str, counts), *shown])


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"
