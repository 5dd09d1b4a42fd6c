"""The arguments of `mediabridge test`, what its help says, and the run they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from bridge.cli import capacity, exchange, replay
from bridge.cli.kinds import bot_url, call_count, duration, rate, seed, sound_file, threshold

# The harness is imported by those who need it, so that `--help` is there at once.

CODECS = ("l16-16k", "l16-8k", "mulaw-8k")

EXAMPLES = """\
examples:
  mediabridge test ws://127.0.0.1:9000
  mediabridge test wss://bot.example.com/stream --calls 50 --arrivals 2/s --hold 60 --report out \\
      --threshold 'response_p95<800ms' --threshold 'barge_in_clear_p95<300ms' --threshold 'gaps<1'
  mediabridge test ws://127.0.0.1:9000 --find-capacity --at-least 50 --threshold 'response_p95<1s'
  mediabridge test --answer-url https://bot.example.com/answer --hangup-url https://bot.example.com/hangup

Each caller says the file, waits for the answer (10 s at most), and hangs up; with --hold it begins again
until the time is over. All times are taken at the caller's ear, after playout; docs/turns.md defines them.

A call has failed when it could not be made or was lost, when the bot was never heard or left a turn without
an answer, or when it broke a rule of the protocol that costs sound. Thresholds are about the whole run:
NAME_STATISTIC<LIMIT, or >, <=, >=, ==; without a statistic every value has to meet the limit.

{thresholds}

exit codes:
  0  passed
  1  failed: a call failed, or a threshold was not met (nothing to measure is not met)
  2  asked for wrongly
  3  invalid, and never passed: the harness itself was late, by more than 100 ms once, or by more than 20 ms
     for more than 1 % of its ticks. Make fewer calls on this machine, or use a faster one.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Everything after `mediabridge test`."""
    parser.add_argument(
        "url",
        metavar="TARGET",
        nargs="?",
        type=bot_url,
        help="ws:// or wss:// address of the bot, or its answer URL",
    )
    parser.add_argument("--calls", type=call_count, metavar="N", help="how many (1)")
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("--ramp", type=rate, metavar="R/s", help="begin so many a second, evenly (5/s)")
    begin.add_argument(
        "--arrivals", type=rate, metavar="R/s", help="begin them at random, so many on average"
    )
    parser.add_argument("--hold", type=duration, metavar="S", help="how long each call lasts: 60, 60s, 5min")
    parser.add_argument("--wav", type=sound_file, metavar="FILE", help="what callers say (a sample)")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="what they do (docs/scenarios.md)")
    parser.add_argument("--codec", choices=CODECS, help=f"({CODECS[0]})")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="for all that is random (0)")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write report.json, junit.xml, index.html, calls/*.wav there",
    )
    parser.add_argument(
        "--threshold", type=threshold, action="append", default=[], metavar="T",
        help="what the run must meet, such as response_p95<800ms; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--schema", action=_PrintSchema, choices=("scenario", "report"),
        help="print the JSON Schema of scenarios or of report.json, and end",
    )  # fmt: skip
    capacity.add_options(parser)
    exchange.add_options(parser)
    replay.add_options(parser)


class _PrintSchema(argparse.Action):
    """Ends the program, as `--help` does."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, values: object, option: str | None = None
    ) -> None:
        import json

        from bridge.harness.report_json import report_schema
        from bridge.harness.scenario_schema import scenario_schema

        schema = scenario_schema() if values == "scenario" else report_schema()
        print(json.dumps(schema, indent=1, ensure_ascii=False))
        parser.exit()


def describe() -> str:
    """The end of the help: examples, thresholds, exit codes."""
    from bridge.harness import thresholds

    return EXAMPLES.format(thresholds=thresholds.describe())


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> Coroutine[Any, Any, int]:
    """The run that `options` ask for; gives its exit code. Raises ConfigError when it cannot be had."""
    capacity.check(options)
    if options.replay:
        exchange.check_replay(options)
    replayed = replay.run(options)
    if replayed is not None:
        return replayed
    settings = exchange.read(options, environment)
    search = capacity.run(options, settings)
    if search is not None:
        return search
    from bridge.harness.run_command import plan_run, run_test

    plan = plan_run(
        options.url,
        calls=options.calls or 1,
        ramp_per_s=options.ramp,
        arrivals_per_s=options.arrivals,
        hold_s=options.hold,
        wav=options.wav,
        scenario=options.scenario,
        codec=options.codec or CODECS[0],
        seed=options.seed,
        thresholds=options.threshold,
        exchange=settings,
    )
    return run_test(plan, report=options.report, captures=options.capture)
