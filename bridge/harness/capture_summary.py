"""A capture in words and a strip of levels, for people."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from bridge.harness.capture_reading import Capture, read_capture
from bridge.harness.replay_run import replay_call
from bridge.harness.results import CallResult
from bridge.legs.capture_wire import FATES, Ack, Frame, Hole, Key, Link, Media, Message, Queued, Tick

PLACES = {
    "caller": "a simulated caller's call",
    "stream": "a stream to a service",
    "call": "a call that streamed in",
}
_STRIP = 100
_BARS = " ▁▂▃▄▅▆▇█"
_FLOOR_DBOV = -60


async def show(path: Path) -> str:
    """Everything worth knowing. Raises ConfigError and BadCapture."""
    capture = read_capture(path)
    result = await replay_call(capture)
    lines = [*_head(capture), *_counts(capture), *_strips(result), *_turns(result), *_end(capture)]
    # Ids and reasons are the far side's: a terminal must not obey them.
    return "\n".join("".join(sign if sign.isprintable() else "\ufffd" for sign in line) for line in lines)


def _head(capture: Capture) -> list[str]:
    head = capture.head
    began = datetime.fromtimestamp(head.began_unix_ms / 1000, UTC)
    about = ", ".join(f"{name} {text}" for name, text in head.about.items() if text)
    return [
        f"{capture.path}: {PLACES[head.place]}, {head.audio_format.title}, {', '.join(head.tracks)}",
        f"begun {began:%Y-%m-%d %H:%M:%S} UTC, lasting {_seconds(capture):.1f} s; {about}",
        f"stream {head.stream_id}, call {head.call_id}",
        f"redacted: {', '.join(head.redacted) or 'no; what was said and pressed can be read'}",
    ]


def _seconds(capture: Capture) -> float:
    last = max((getattr(record, "at_ns", 0) for record in capture.records), default=0)
    return (capture.end.at_ns if capture.end is not None else last) / 1e9


def _counts(capture: Capture) -> list[str]:
    counts: Counter[str] = Counter()
    for record in capture.records:
        match record:
            case Tick():
                counts["ticks"] += 1
            case Frame(row=row, payload=payload, fate=fate):
                counts[f"frames {row}"] += 1
                counts[f"frames {row} sounding"] += bool(payload)
                if fate:
                    counts[f"frames {row} {FATES[fate]}"] += 1
            case Media(side=side):
                counts[f"audio of the {side}"] += 1
            case Message():
                counts["other messages of the service"] += 1
            case Key(digit=digit):
                counts["keys"] += len(digit)
            case Ack(name=name):
                counts["clearedAudio" if name is None else "playedStream"] += 1
            case Queued():
                counts["put into the play queue"] += 1
            case Link(what=what) if what != "opened":
                counts[f"connection {what}"] += 1
            case Hole(records=records):
                counts["MISSING records"] += records
            case _:
                pass
    return [f"{name}: {count}" for name, count in sorted(counts.items()) if count]


def _strips(result: CallResult) -> list[str]:
    """Both sides, the loudest of each stretch."""
    count = max(len(result.caller_levels), 1)
    stretch = -(-count // _STRIP)
    said = [("caller", result.caller_levels), ("bot", result.bot_levels)]
    each = f"each character is {stretch * 20 / 1000:g} s"
    return [f"{name:7}{_strip(levels, stretch)}" for name, levels in said] + [each]


def _strip(levels: list[int], stretch: int) -> str:
    loudest = (max(levels[at : at + stretch]) for at in range(0, len(levels), stretch))
    top = len(_BARS) - 1
    return "".join(
        _BARS[max(0, min(top, round((level - _FLOOR_DBOV) / -_FLOOR_DBOV * top)))] for level in loudest
    ).rstrip()


def _turns(result: CallResult) -> list[str]:
    said = []
    if result.responses:
        delays = ", ".join("never" if one.heard_ms is None else f"{one.heard_ms}" for one in result.responses)
        said.append(f"response delays, heard, ms: {delays}")
    if result.barge_ins:
        found = ", ".join(
            "went on" if one.silence_ms is None else f"{one.silence_ms}" for one in result.barge_ins
        )
        said.append(f"barge-ins, to silence, ms: {found}")
    rules = {**result.violations, **result.conduct}
    if rules:
        said.append("rules broken: " + ", ".join(f"{name} × {times}" for name, times in rules.items()))
    return said


def _end(capture: Capture) -> list[str]:
    end = capture.end
    if end is None:
        return ["cut off: there is no end; what is before it is whole"]
    detail = f": {end.detail}" if end.detail else ""
    holes = f", {end.holes} records missing" if end.holes else ""
    return [f"ended: {end.reason}{detail}; {end.records} records{holes}, checksum right"]
