"""`mediabridge capture show | redact | replay`: arguments, and what they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.kinds import new_file
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.replay import Replay

# The harness and the mixer are imported by those who need them, so that `--help` is there at once.

SAME, DIFFERENT = 0, 1


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Everything after `mediabridge capture`."""
    commands = parser.add_subparsers(metavar="WHAT", required=True)

    show = commands.add_parser("show", help="say what is in a capture", allow_abbrev=False)
    show.add_argument("file", type=Path, metavar="FILE")
    show.set_defaults(capture=_show)

    redact = commands.add_parser(
        "redact",
        help="write a capture anew without what others must not know",
        description="Without --audio, --digits or --names all three are taken out.",
        allow_abbrev=False,
    )
    redact.add_argument("file", type=Path, metavar="FILE")
    redact.add_argument("-o", "--output", type=new_file, required=True, metavar="NEW", help="must not exist")
    redact.add_argument("--audio", action="store_true", help="noise of the same level, so turns stay")
    redact.add_argument("--digits", action="store_true", help="every key becomes *")
    redact.add_argument("--names", action="store_true", help="ids, names of checkpoints, texts")
    redact.set_defaults(capture=_redact)

    replay = commands.add_parser(
        "replay",
        help="put captures of the server through the mixer again",
        description="Several captures of one server are put through together: a call and the stream on it.",
        allow_abbrev=False,
    )
    replay.add_argument("files", type=Path, nargs="+", metavar="FILE")
    replay.add_argument("--wav", type=Path, metavar="DIR", help="write what comes out, a file for each row")
    replay.add_argument("--verify", action="store_true", help="exit code 1 unless the same comes out")
    replay.add_argument(
        "--alone", action="store_true", help="nobody else was in the room: compare what was heard, too"
    )
    replay.set_defaults(capture=_replay)


def run(options: argparse.Namespace) -> int:
    """Do it; gives the exit code. Raises ConfigError and BadInput."""
    do: Callable[[argparse.Namespace], int] = options.capture
    return do(options)


def _show(options: argparse.Namespace) -> int:
    import asyncio

    from bridge.harness.capture_summary import show

    print(asyncio.run(show(options.file)))
    return SAME


def _redact(options: argparse.Namespace) -> int:
    from bridge.harness.capture_redaction import ALL, redact

    chosen = [one for one in ALL if getattr(options, one)]
    redact(options.file, options.output, chosen or ALL)
    return SAME


def _replay(options: argparse.Namespace) -> int:
    from bridge.harness.capture_reading import read_capture
    from bridge.replay import replay
    from mediacodecs.blas import use_one_thread

    use_one_thread()  # as the server
    captures = [read_capture(file) for file in options.files]
    done = replay(captures, alone=options.alone, keep_sound=options.wav is not None)
    for note in done.notes:
        print(note)
    print(done)
    if options.wav is not None:
        _write(done, options.wav)
    return DIFFERENT if options.verify and not done.same else SAME


def _write(done: Replay, folder: Path) -> None:
    from bridge.replay import write_sound

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in write_sound(done, folder):
            print(file)
    except OSError as wrong:
        raise ConfigError(f"cannot write {folder}: {wrong.strerror}") from None
