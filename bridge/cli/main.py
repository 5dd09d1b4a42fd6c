"""The command line: `mediabridge serve | call | test | capture | doctor | demo`.

Exit codes: 0 all went well, 1 it did not work, 2 it was asked for wrongly (arguments, configuration),
3 a test's run is invalid, 130 interrupted. What goes wrong is one line on standard error; a traceback is a
bug.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Mapping, MutableMapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bridge.cli import capture as captures
from bridge.cli import test as bot_test
from bridge.cli.kinds import new_file, positive, socket_url, sound_file
from bridge.cli.test import CODECS
from bridge.errors import BridgeError, ConfigError

if TYPE_CHECKING:
    from bridge.config.tree import Config

# Everything else is imported by the command that needs it, so that `--help` is there at once.

log = logging.getLogger(__name__)

OK, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

_EXAMPLES = """\
examples:
  mediabridge serve                                  on http://127.0.0.1:8080, state in ./data
  mediabridge serve --config bridge.toml --port 443  settings from a file
  mediabridge demo                                   a server, a conference and a caller to try out
  mediabridge call ws://127.0.0.1:8080/APP/CONF/plivo?access_token=TOKEN --wav hello.wav --record heard.wav
  mediabridge test ws://127.0.0.1:9000 --calls 20    a voice bot, measured with 20 simulated calls
  mediabridge test --replay bad-call.mbcapture       a captured call, measured again
  mediabridge doctor --config bridge.toml            what keeps it from running here

Every setting can be a MEDIABRIDGE_… variable too: `limits.body_bytes` is MEDIABRIDGE_LIMITS_BODY_BYTES.
"""

_ENCRYPTION_VARIABLES = ("AWS_SERVER_SIDE_ENCRYPTION", "AWS_SSE_")
"""The clients of storages would take these along to what requests name, too: the settings say it instead."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code."""
    try:
        options = _parser().parse_args(arguments)
        code = int(options.command(options))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return FAILED
    except (BridgeError, BaseExceptionGroup) as wrong:
        said = _said(wrong)
        if said is None:
            raise
        return _complain(said)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
    return code


def _forget_output() -> None:
    """Whoever read it went away; Python must not complain about that when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _said(wrong: BaseException) -> BridgeError | None:
    """The error that was raised on purpose, also out of a task group; None when there is another one."""
    if isinstance(wrong, BridgeError):
        return wrong
    if isinstance(wrong, BaseExceptionGroup):
        found = [_said(inner) for inner in wrong.exceptions]
        return found[0] if None not in found else None
    return None


def _complain(wrong: BridgeError) -> int:
    from bridge.logs import redactor

    print(f"mediabridge: {redactor.redact(str(wrong))}", file=sys.stderr)
    return WRONG_USE if isinstance(wrong, ConfigError) else FAILED


# --- commands ---


def _serve(options: argparse.Namespace) -> int:
    config = _configure(options)
    from bridge.app import run

    return _run(run(config), _loop_of(config))


def _demo(options: argparse.Namespace) -> int:
    from bridge.demo import run_demo, settings_for_demo

    def serve(config: Config) -> Coroutine[Any, Any, int]:
        from bridge.app import run

        return run(config)

    config = _configure(options, settings_for_demo(os.environ))
    return _run(run_demo(config, serve), _loop_of(config))


def _call(options: argparse.Namespace) -> int:
    import uvloop

    from bridge import logs
    from bridge.harness.call_command import run_call

    logs.set_up("warning")
    call = run_call(
        options.url,
        wav=options.wav,
        codec=options.codec,
        record=options.record,
        loop=options.loop,
        seconds=options.seconds,
    )
    return _run(call, uvloop.new_event_loop)


def _test(options: argparse.Namespace) -> int:
    import uvloop

    from bridge import logs

    logs.set_up("warning")
    return _run(bot_test.run(options, os.environ), uvloop.new_event_loop)


def _capture(options: argparse.Namespace) -> int:
    return captures.run(options)


def _doctor(options: argparse.Namespace) -> int:
    from bridge.config.source import load
    from bridge.config.tree import Config
    from bridge.doctor.checks import check_all
    from bridge.doctor.finding import Finding, Verdict

    failed = 0

    def show(finding: Finding) -> None:
        nonlocal failed
        failed += finding.verdict is Verdict.FAIL
        print(f"{finding.verdict:<5} {finding.subject}: {finding.text}", flush=True)
        if finding.advice:
            print(f"      → {finding.advice}", flush=True)

    try:
        config = load(options.config, os.environ, _flags(options))
        show(Finding(Verdict.OK, "configuration", str(options.config or "defaults and environment")))
    except ConfigError as wrong:
        show(Finding(Verdict.FAIL, "configuration", str(wrong), "mend it; the rest is checked with defaults"))
        config = Config()
    for finding in check_all(config):
        show(finding)
    print(f"{failed} to mend" if failed else "ready to run")
    return FAILED if failed else OK


def _configure(options: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration, and log as it says."""
    from bridge import logs
    from bridge.config.source import load

    _leave_out_encryption(os.environ)
    config = load(options.config, os.environ if environment is None else environment, _flags(options))
    logs.set_up(config.log_level, config.log_format)
    logs.hide(config.secrets())
    log.debug("- %s", config)
    return config


def _leave_out_encryption(environment: MutableMapping[str, str]) -> None:
    for name in [name for name in environment if name.upper().startswith(_ENCRYPTION_VARIABLES)]:
        del environment[name]


def _flags(options: argparse.Namespace) -> dict[str, object]:
    names = ("host", "port", "data_dir", "log_level", "log_format")
    return {name: getattr(options, name, None) for name in names}


def _loop_of(config: Config) -> Callable[[], asyncio.AbstractEventLoop]:
    from bridge.runtime.loop import loop_factory

    ports = config.webrtc.udp_port_range
    return loop_factory((ports.low, ports.high) if ports else None)


def _run(main: Coroutine[Any, Any, int], new_loop: Callable[[], asyncio.AbstractEventLoop]) -> int:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        try:
            return runner.run(main)
        except (BridgeError, BaseExceptionGroup, KeyboardInterrupt) as wrong:
            if isinstance(wrong, KeyboardInterrupt) or _said(wrong) is not None:
                raise
            log.exception("x ended by an error")
        except Exception:
            # Logged, not left to the interpreter: the log hides secrets.
            log.exception("x ended by an error")
        return FAILED


# --- arguments ---


class _Parser(argparse.ArgumentParser):
    """Complains in one line, and looks up the end of its help only when somebody reads it."""

    _end: Callable[[], str] | None = None

    def describe_late(self, end: Callable[[], str]) -> None:
        self._end = end

    def format_help(self) -> str:
        if self._end is not None:
            self.epilog = self._end()
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        "mediabridge",
        description="Phone calls over WebSocket and people over WebRTC in one conference.",
        epilog=_EXAMPLES,
        formatter_class=raw,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"mediabridge {metadata.version('mediabridge')}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="run the server", allow_abbrev=False)
    _add_server_options(serve)
    serve.set_defaults(command=_serve)

    demo = commands.add_parser(
        "demo", help="run the server with a conference and a caller to try it out", allow_abbrev=False
    )
    _add_server_options(demo)
    demo.set_defaults(command=_demo)

    call = commands.add_parser("call", help="make a simulated phone call", allow_abbrev=False)
    _add_call_options(call)
    call.set_defaults(command=_call)

    test = commands.add_parser(
        "test",
        help="test a voice bot with simulated calls",
        description="Call a voice bot on Plivo's audio-stream protocol, measure how it talks, and judge it.",
        formatter_class=raw,
        allow_abbrev=False,
    )
    bot_test.add_options(test)
    test.describe_late(bot_test.describe)
    test.set_defaults(command=_test)

    capture = commands.add_parser(
        "capture", help="look into captures of calls, redact them, replay them", allow_abbrev=False
    )
    captures.add_commands(capture)
    capture.set_defaults(command=_capture)

    doctor = commands.add_parser("doctor", help="check whether it can run here", allow_abbrev=False)
    _add_server_options(doctor)
    doctor.set_defaults(command=_doctor)
    return parser


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="TCP port to listen on (8080); 0 takes a free one")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
    parser.add_argument("--data", dest="data_dir", metavar="DIR", help="where state is kept (data)")
    parser.add_argument("--log-level", help="error, warning, info, debug or trace (info)")
    parser.add_argument("--log-format", help="text or json (text)")


def _add_call_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", type=socket_url, help="ws:// or wss:// address of the service")
    parser.add_argument("--wav", type=sound_file, metavar="FILE", help="what the caller says (a sample)")
    parser.add_argument("--codec", choices=CODECS, default=CODECS[0], help=f"({CODECS[0]})")
    parser.add_argument("--record", type=new_file, metavar="OUT.wav", help="keep what the caller hears")
    parser.add_argument("--loop", action="store_true", help="say it again and again")
    parser.add_argument("--seconds", type=positive, metavar="N", help="hang up after that time")
