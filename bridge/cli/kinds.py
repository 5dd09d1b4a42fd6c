"""What the arguments of the command line are, read from text. Each raises ArgumentTypeError."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.harness.thresholds import Asked

# The harness is imported by those who need it, so that `--help` is there at once.

MAX_CALLS = 10_000


def threshold(written: str) -> Asked:
    """`response_p95<800ms`."""
    from bridge.harness.thresholds import read_threshold

    try:
        return read_threshold(written)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def rate(written: str) -> float:
    """`5/s`, as calls a second."""
    from bridge.harness.arrivals import read_rate

    try:
        return read_rate(written)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def call_count(written: str) -> int:
    """A whole number from 1 on."""
    number = int(written) if written.isdecimal() else 0
    if not 0 < number <= MAX_CALLS:
        raise argparse.ArgumentTypeError(f"{written} is no whole number from 1 to {MAX_CALLS}")
    return number


def seed(written: str) -> int:
    """A whole number from 0 on."""
    if not written.isdecimal() or len(written) > 18:
        raise argparse.ArgumentTypeError(f"{written} is no whole number")
    return int(written)


def duration(written: str) -> float:
    """`60`, `60s` or `5min`, in seconds."""
    number = written.removesuffix("min").removesuffix("s").strip()
    return positive(number) * (60 if written.endswith("min") else 1)


def socket_url(written: str) -> str:
    """A WebSocket's address."""
    return _address(written, ("ws", "wss"), "it must begin with ws:// or wss:// and name a host")


def web_url(written: str) -> str:
    """A web server's address."""
    return _address(written, ("http", "https"), "it must begin with https:// or http:// and name a host")


def bot_url(written: str) -> str:
    """Either of them."""
    known = ("ws", "wss", "http", "https")
    return _address(written, known, "it must begin with ws:// or wss:// (or https://) and name a host")


def _address(written: str, schemes: tuple[str, ...], otherwise: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(written)
        _ = parts.port
    except ValueError:
        raise argparse.ArgumentTypeError("that is no address") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise argparse.ArgumentTypeError(otherwise)
    return written


def port(written: str) -> int:
    """A TCP port; 0 for a free one."""
    number = int(written) if written.isdecimal() and len(written) < 6 else -1
    if not 0 <= number < 65_536:
        raise argparse.ArgumentTypeError(f"{written} is no port from 0 to 65535")
    return number


def sound_file(written: str) -> Path:
    """A file that can be read."""
    if not os.path.isfile(written) or not os.access(written, os.R_OK):
        raise argparse.ArgumentTypeError(f"cannot read {written}")
    return Path(written)


def new_file(written: str) -> Path:
    """A file that can be written."""
    folder = os.path.dirname(written) or "."
    if os.path.isdir(written) or not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write {written}")
    return Path(written)


def positive(written: str) -> float:
    """A number above 0."""
    try:
        seconds = float(written)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{written} is no number above 0")
    return seconds
