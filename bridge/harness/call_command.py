"""`mediabridge call`: a simulated Plivo call that streams a file and records what comes back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import soundfile

from bridge.harness.plivo_caller import CallEnd, CallFailed, PlivoCaller, new_call
from bridge.harness.sound import CODECS, Samples, load
from mediacodecs.levels import dbov, rms

OK = 0
FAILED = 1
WRONG_USE = 2

TAIL_S = 1.0
"""How long to listen on once everything has been said."""
MAX_TAIL_S = 60.0
"""At most so long for what is then still waiting to be played."""
SHOW_EVERY_S = 0.5
GOOD_CODES = (1000, 1001, 1005)
"""What a service closes with when nothing is wrong."""
_METER = "▁▂▃▄▅▆▇█"


def _to_stderr(text: str) -> None:
    print(f"mediabridge: {text}", file=sys.stderr)


async def run_call(
    url: str,
    *,
    wav: Path,
    codec: str = "l16-16k",
    record: Path | None = None,
    loop: bool = False,
    seconds: float | None = None,
    progress: bool = True,
    complain: Callable[[str], None] = _to_stderr,
) -> int:
    """Make the call and give the exit code: 0 it went well, 1 it failed, 2 it could not be tried.

    Without `seconds` it lasts as long as the file, and until what is still being played has been heard; with
    `loop` it lasts until it is interrupted or the service ends it. `complain` is told what went wrong; with
    `progress`, levels and backlog are shown on standard error. A query string never is.
    """

    def failed(text: str, code: int = FAILED) -> int:
        complain(text)
        return code

    if urlsplit(url).scheme not in ("ws", "wss"):
        return failed("the address must begin with ws:// or wss://", WRONG_USE)
    audio_format = CODECS.get(codec)
    if audio_format is None:
        return failed(f"there is no codec {codec}; choose one of {', '.join(CODECS)}", WRONG_USE)
    try:
        sound = load(wav, audio_format.rate_hz)
    except (OSError, ValueError) as wrong:
        return failed(str(wrong), WRONG_USE)
    with ExitStack() as files:
        heard = Meter()
        hear: Callable[[Samples], None] = heard.feed
        if record is not None:
            try:
                recording = files.enter_context(
                    soundfile.SoundFile(record, "w", audio_format.rate_hz, 1, "PCM_16", format="WAV")
                )
            except (OSError, soundfile.LibsndfileError) as wrong:
                return failed(f"cannot write {record}: {wrong}", WRONG_USE)

            def hear(frame: Samples) -> None:
                heard.feed(frame)
                recording.write(frame)

        caller = PlivoCaller(url, sound, new_call(audio_format), loop_sound=loop, on_heard=hear)
        try:
            await caller.dial()
        except CallFailed as refused:
            return failed(str(refused))
        try:
            async with asyncio.TaskGroup() as group:
                showing = group.create_task(_show(caller, heard)) if progress else None
                end = await _last(caller, seconds)
                if showing is not None:
                    showing.cancel()
        finally:
            await caller.hang_up()
    if progress:
        _sum_up(caller)
    figures = caller.figures
    if figures.wrong_format or figures.not_understood:
        complain(
            f"{figures.wrong_format} playAudio in another format than the stream's and "
            f"{figures.not_understood} messages that make no sense were dropped"
        )
    if end is not None and end.by_service and end.code not in GOOD_CODES:
        return failed(f"the service ended the call with {end.code} {end.reason}".rstrip())
    return OK


async def _last(caller: PlivoCaller, seconds: float | None) -> CallEnd | None:
    """Returns when the call is long enough (None), or when it is over."""
    over = asyncio.ensure_future(caller.ended())
    long_enough = asyncio.ensure_future(_enough(caller, seconds))
    try:
        await asyncio.wait((over, long_enough), return_when=asyncio.FIRST_COMPLETED)
        return over.result() if over.done() else None
    finally:
        over.cancel()
        long_enough.cancel()


async def _enough(caller: PlivoCaller, seconds: float | None) -> None:
    if seconds is not None:
        await asyncio.sleep(seconds)
        return
    await caller.finished()
    await asyncio.sleep(TAIL_S)
    # Once: a service that never stops sending would keep the queue from ever being empty.
    await asyncio.sleep(min(caller.playout.waiting_ms / 1000, MAX_TAIL_S))


def _sum_up(caller: PlivoCaller) -> None:
    figures = caller.figures
    print(
        f"sent {figures.sent / 50:.1f} s, got {figures.played} playAudio, "
        f"longest backlog {caller.playout.longest_ms:.0f} ms, {figures.clears} clears",
        file=sys.stderr,
    )


class Meter:
    """The level of what was heard lately."""

    def __init__(self) -> None:
        self._peak_db = -127.0

    def feed(self, frame: Samples) -> None:
        """Take in 20 ms: int16 [n]."""
        self._peak_db = max(self._peak_db, _level(frame))

    def read(self) -> float:
        """The loudest 20 ms since it was last read, in dBov."""
        level, self._peak_db = self._peak_db, -127.0
        return level


async def _show(caller: PlivoCaller, heard: Meter) -> None:
    """A line twice a second: over the last one on a terminal, and only every ten seconds elsewhere."""
    on_terminal = sys.stderr.isatty()
    every = 1 if on_terminal else round(10 / SHOW_EVERY_S)
    shown = 0
    try:
        while True:
            await asyncio.sleep(SHOW_EVERY_S)
            shown += 1
            if shown % every:
                continue
            seconds = caller.figures.sent / 50 / len(caller.call.tracks)
            line = (
                f"{int(seconds) // 60:02}:{int(seconds) % 60:02}  says {_bar(_level(caller.said))}  "
                f"hears {_bar(heard.read())}  backlog {caller.playout.waiting_ms:4.0f} ms"
            )
            print(f"\r{line}" if on_terminal else line, end="" if on_terminal else "\n", file=sys.stderr)
            sys.stderr.flush()
    finally:
        if on_terminal and shown:
            print(file=sys.stderr)


def _level(frame: Samples) -> float:
    return float(dbov(rms(frame.astype(np.float32))))


def _bar(level_db: float) -> str:
    """Ten characters for -60…0 dBov."""
    eighths = round(max(0.0, min(1.0, (level_db + 60) / 60)) * 80)
    full, rest = divmod(eighths, 8)
    return (_METER[-1] * full + (_METER[rest - 1] if rest else "")).ljust(10, "·")
