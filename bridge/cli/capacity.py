"""The arguments of `mediabridge test --find-capacity`: how many calls at once a bot holds."""

from __future__ import annotations

import argparse
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from bridge.cli.kinds import MAX_CALLS, call_count
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.harness.bot_test import RunPlan
    from bridge.harness.exchange import ExchangeSettings

# The harness is imported by those who need it, so that `--help` is there at once.

_TEXT = """\
Twice as many calls in every step, from --calls on, until one fails, a threshold is not met, or the harness
itself is late; then numbers between the last that held and the first that did not, until they are 10 %
apart. All calls of a step are there at once for --hold (30 s). Exit codes: 0 as many held as were asked for
(--at-least, or --calls), 1 fewer did, 3 the harness itself was late before that was known.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """A group of its own in the help."""
    group = parser.add_argument_group("capacity", _TEXT)
    group.add_argument("--find-capacity", action="store_true", help="look for how many calls the bot holds")
    group.add_argument("--at-least", type=call_count, metavar="N", help="how many it has to (--calls)")


def check(options: argparse.Namespace) -> None:
    """Raises ConfigError for what does not go together."""
    if not options.find_capacity:
        if options.at_least is not None:
            raise ConfigError("--at-least goes with --find-capacity")
        return
    for name in ("arrivals", "capture", "replay"):
        if getattr(options, name):
            raise ConfigError(f"--{name} does not go with --find-capacity")


def run(options: argparse.Namespace, exchange: ExchangeSettings | None) -> Coroutine[Any, Any, int] | None:
    """The search that is asked for; None when there is none. `check` comes first. Raises ConfigError."""
    if not options.find_capacity:
        return None
    from bridge.harness.capacity import CapacitySearch
    from bridge.harness.capacity_command import find_capacity, step_plans
    from bridge.harness.run_command import plan_run

    def plan(calls: int, per_s: float, hold_s: float) -> RunPlan:
        return plan_run(
            options.url,
            calls=calls,
            ramp_per_s=per_s,
            hold_s=hold_s,
            wav=options.wav,
            scenario=options.scenario,
            codec=options.codec or "l16-16k",
            seed=options.seed,
            thresholds=options.threshold,
            exchange=exchange,
        )

    search = CapacitySearch(options.calls or 1, at_least=options.at_least, most=MAX_CALLS)
    steps = step_plans(plan, options.hold, options.ramp)
    steps(search.at_least)  # what cannot be had is told at once
    return find_capacity(search, steps, options.url, report=options.report)
