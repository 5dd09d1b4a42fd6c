"""`mediabridge call`: a simulated Plivo call that streams a file and records what comes back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import soundfile

from bridge.harness.measured_call import MeasuredCall
from bridge.harness.plivo_caller import PlivoCaller, new_call
from bridge.harness.recital import Recital
from bridge.harness.results import CallResult
from bridge.harness.rules import RULES
from bridge.harness.sound import CODECS, SAMPLE, Samples, load
from bridge.harness.speech import mean_square
from bridge.harness.stereo_wav import HeardWav, WavWriter
from bridge.harness.witness import Witness
from mediacodecs.levels import dbov

OK = 0
FAILED = 1
WRONG_USE = 2

SHOW_EVERY_S = 0.5
_METER = "▁▂▃▄▅▆▇█"


def _to_stderr(text: str) -> None:
    print(f"mediabridge: {text}", file=sys.stderr)


async def run_call(
    url: str,
    *,
    wav: Path | None = None,
    codec: str = "l16-16k",
    record: Path | None = None,
    loop: bool = False,
    seconds: float | None = None,
    progress: bool = True,
    complain: Callable[[str], None] = _to_stderr,
) -> int:
    """Make the call and give the exit code: 0 it went well, 1 it failed, 2 it could not be tried.

    Without `wav` a sample is said. Without `seconds` it lasts as long as the file, and until what is still
    being played has been heard; with `loop` it lasts until it is interrupted or the service ends it.
    `complain` is told what went wrong; with `progress`, levels and backlog are shown on standard error. A
    query string never is.
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
        sound = load(wav or SAMPLE, audio_format.rate_hz)
    except (OSError, ValueError) as wrong:
        return failed(str(wrong), WRONG_USE)
    meter = Meter()
    caller = PlivoCaller(url, call=new_call(audio_format), witnesses=[meter])
    caller.voice = Recital(sound, audio_format, lambda: caller.playout.waiting_ms, loop=loop, seconds=seconds)
    writer = WavWriter() if record is not None else None
    recording = None
    try:
        if record is not None and writer is not None:
            try:
                recording = HeardWav(record, audio_format.rate_hz, writer)
            except (OSError, soundfile.LibsndfileError) as wrong:
                return failed(f"cannot write {record}: {wrong}", WRONG_USE)
            caller.witnesses = (*caller.witnesses, recording)
        call = MeasuredCall(caller)
        async with asyncio.TaskGroup() as group:
            showing = group.create_task(_show(call, meter)) if progress else None
            result = await call.run()
            if showing is not None:
                showing.cancel()
    finally:
        if recording is not None:
            recording.close()
        if writer is not None:
            await asyncio.to_thread(writer.close)
    if writer is not None and (writer.lost or writer.problem):
        complain(f"not all of {record} could be written: {writer.problem or 'the disk is too slow'}")
    if progress and call.begun:
        _sum_up(caller, result)
    for name, times in result.violations.items():
        complain(f"{name} × {times:,}: {RULES[name].text}")
    match result.end:
        case "connect failed":
            return failed(result.end_detail)
        case "bot failed":
            return failed(f"the service ended the call with {result.end_detail}")
        case "connection lost":
            return failed(f"the connection was lost {result.end_detail}".rstrip())
        case _:
            return OK


def _sum_up(caller: PlivoCaller, result: CallResult) -> None:
    figures = caller.figures
    lines = [
        f"sent {figures.sent / 50:.1f} s, got {figures.played} playAudio, "
        f"longest backlog {caller.playout.longest_ms:.0f} ms, {figures.clears} clears"
    ]
    delays = sorted(one.heard_ms for one in result.responses if one.heard_ms is not None)
    if delays:
        median, most = delays[len(delays) // 2], delays[-1]
        lines.append(f"{len(delays)} answers, heard after {median:,} ms, and {most:,} ms at most")
    print("\n".join(lines), file=sys.stderr)


class Meter(Witness):
    """How loud both sides are."""

    def __init__(self) -> None:
        self._said = self._loudest = 0.0
        """Mean squares: of the last 20 ms said, and of the loudest heard lately."""

    def ticked(self, said: Samples, speech: Samples, heard: Samples, late_s: float) -> None:
        """Take in 20 ms."""
        self._said = mean_square(said)
        self._loudest = max(self._loudest, mean_square(heard))

    def read(self) -> tuple[float, float]:
        """What is said, and the loudest 20 ms heard since it was last read, in dBov."""
        powers = np.asarray((self._said, self._loudest), np.float32)
        self._loudest = 0.0
        said_db, heard_db = dbov(np.sqrt(powers))
        return float(said_db), float(heard_db)


async def _show(call: MeasuredCall, meter: Meter) -> None:
    """A line twice a second: over the last one on a terminal, and only every ten seconds elsewhere."""
    caller = call.caller
    on_terminal = sys.stderr.isatty()
    every = 1 if on_terminal else round(10 / SHOW_EVERY_S)
    shown = 0
    try:
        while True:
            await asyncio.sleep(SHOW_EVERY_S)
            shown += call.begun
            if not shown or shown % every:
                continue
            said_db, heard_db = meter.read()
            seconds = caller.figures.sent / 50 / len(caller.call.tracks)
            line = (
                f"{int(seconds) // 60:02}:{int(seconds) % 60:02}  says {_bar(said_db)}  "
                f"hears {_bar(heard_db)}  backlog {caller.playout.waiting_ms:4.0f} ms"
            )
            print(f"\r{line}" if on_terminal else line, end="" if on_terminal else "\n", file=sys.stderr)
            sys.stderr.flush()
    finally:
        if on_terminal and shown:
            print(file=sys.stderr)


def _bar(level_db: float) -> str:
    """Ten characters for -60…0 dBov."""
    eighths = round(max(0.0, min(1.0, (level_db + 60) / 60)) * 80)
    full, rest = divmod(eighths, 8)
    return (_METER[-1] * full + (_METER[rest - 1] if rest else "")).ljust(10, "·")
