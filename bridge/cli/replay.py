"""The arguments of `mediabridge test` about captures: calls that are kept, and calls that are made again."""

from __future__ import annotations

import argparse
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from bridge.errors import ConfigError

# The harness is imported by those who need it, so that `--help` is there at once.

_MEANINGLESS = ("wav", "scenario", "codec", "hold")


def add_options(parser: argparse.ArgumentParser) -> None:
    """A group of its own in the help."""
    group = parser.add_argument_group("captures", "docs/captures.md says what is in them.")
    group.add_argument(
        "--capture", type=Path, metavar="DIR", help="keep every call there, both sides, to be replayed"
    )
    group.add_argument(
        "--replay",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="callers say what was said in this capture; without TARGET, the captured call is measured "
        "again, bot and all; may be repeated",
    )


def run(options: argparse.Namespace) -> Coroutine[Any, Any, int] | None:
    """The run that `--replay` asks for; None where it does not. Raises ConfigError."""
    if not options.replay:
        if options.url is None:
            raise ConfigError("the following arguments are required: TARGET, or --replay FILE")
        return None
    for name in _MEANINGLESS:
        if getattr(options, name) is not None:
            raise ConfigError(f"the capture says what --{name} would: leave it out with --replay")
    from bridge.harness.replay_run import read_all, tell_replay
    from bridge.harness.replay_voice import plan_replay
    from bridge.harness.run_command import run_test

    captures = read_all(options.replay)
    if options.url is None:
        if options.capture is not None or options.calls is not None:
            raise ConfigError("--calls and --capture go with a TARGET")
        return tell_replay(captures, thresholds=options.threshold, report=options.report)
    if options.answer_url:
        raise ConfigError("--replay goes with a bot's ws:// or wss:// address")
    plan = plan_replay(
        options.url,
        captures,
        calls=options.calls,
        ramp_per_s=options.ramp,
        arrivals_per_s=options.arrivals,
        seed=options.seed,
        thresholds=options.threshold,
    )
    return run_test(plan, report=options.report, captures=options.capture)
