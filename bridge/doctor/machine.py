"""Checks of the machine: Python, packages, libopus, clock, limits, folders."""

from __future__ import annotations

import importlib
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np

from bridge.config.tree import Config
from bridge.doctor.finding import Finding, Verdict
from mediacodecs.opus import OpusDecoder, OpusEncoder, OpusError, OpusSettings, OpusUnavailable, opus_version


def python(config: Config) -> Iterator[Finding]:
    """Which Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(Verdict.OK, "Python", version)


# What each distribution is imported as, where that is not its name.
_MODULES = {
    "pillow": "PIL",
    "prometheus-client": "prometheus_client",
    "python-multipart": "python_multipart",
    "pyyaml": "yaml",
}


def dependencies(config: Config) -> Iterator[Finding]:
    """Whether every package that is needed imports."""
    broken = []
    count = 0
    for line in metadata.requires("mediabridge") or ():
        if "extra ==" in line:
            continue
        name = "".join(letter if letter.isalnum() or letter in "-_" else " " for letter in line).split()[0]
        count += 1
        try:
            importlib.import_module(_MODULES.get(name, name))
        except Exception as wrong:
            broken.append(f"{name} ({wrong})")
    advice = "install them: pip install -c constraints.txt -e ."
    if broken:
        yield Finding(Verdict.FAIL, "dependencies", "cannot import " + ", ".join(broken), advice)
    else:
        yield Finding(Verdict.OK, "dependencies", f"{count} packages import")
    aiortc = metadata.version("aiortc")
    if not aiortc.startswith("1.16."):
        yield Finding(Verdict.FAIL, "aiortc", f"{aiortc}, but the bridge is made for 1.16", advice)


def libopus(config: Config) -> Iterator[Finding]:
    """Whether sound survives Opus."""
    try:
        version = opus_version()
        frame = np.zeros(960, np.int16)
        packet = OpusEncoder(48_000, OpusSettings()).encode(frame)
        if OpusDecoder(48_000).decode_into(packet, frame) != len(frame):
            raise ValueError("a frame did not come back whole")
    except (OpusUnavailable, OpusError, ValueError) as wrong:
        yield Finding(Verdict.FAIL, "libopus", str(wrong), "install it: apt-get install libopus0")
    else:
        yield Finding(Verdict.OK, "libopus", version)


def processors(config: Config) -> Iterator[Finding]:
    """How many processors there are."""
    count = len(os.sched_getaffinity(0))
    if count < 2:
        yield Finding(Verdict.WARN, "processors", "1", "with a second one, encoding runs beside the mixer")
    else:
        yield Finding(Verdict.OK, "processors", str(count))


def clock(config: Config) -> Iterator[Finding]:
    """Whether the clock is right, and sleeping exact."""
    if datetime.now(UTC).year < 2025:
        yield Finding(
            Verdict.FAIL, "clock", f"says {datetime.now(UTC):%Y-%m-%d}", "set it (signatures and TLS need it)"
        )
    worst = 0.0
    for _ in range(25):
        began = time.monotonic()
        time.sleep(0.005)
        worst = max(worst, time.monotonic() - began - 0.005)
    text = f"sleeps end up to {worst * 1000:.1f} ms late"
    if worst > 0.01:
        yield Finding(Verdict.WARN, "clock", text, "the machine is busy; sound will stutter when it stays so")
    else:
        yield Finding(Verdict.OK, "clock", text)


def open_files(config: Config) -> Iterator[Finding]:
    """How many files may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A WebRTC leg takes a UDP socket for each address; two addresses are common. Then come the WebSockets.
    wanted = 256 + 4 * config.limits.legs
    text = f"{soft} may be open ({config.limits.legs} legs want {wanted})"
    advice = f"raise the limit: ulimit -n {wanted}, or LimitNOFILE={wanted} in a systemd unit"
    if 0 <= soft < 256:
        yield Finding(Verdict.FAIL, "files", text, advice)
    elif 0 <= soft < wanted:
        yield Finding(Verdict.WARN, "files", text, advice + ", or lower limits.legs")
    else:
        yield Finding(Verdict.OK, "files", f"{soft} may be open")


def free_bytes(folder: Path) -> int:
    """How much a folder can take that may have to be made first.

    Raises OSError, which names the folder that is there, when nothing can be written to it.
    """
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as wrong:
        raise OSError(wrong.errno, wrong.strerror, str(folder)) from None
    return shutil.disk_usage(folder).free


def data_folder(config: Config) -> Iterator[Finding]:
    """Whether the state can be kept."""
    folder = config.data_dir.absolute()
    try:
        free = free_bytes(folder)
    except OSError as wrong:
        advice = f"make it writable for this user (uid {os.getuid()}), or choose another with --data"
        yield Finding(Verdict.FAIL, "data folder", f"{wrong.filename}: {wrong.strerror}", advice)
        return
    if free < 1 << 30:
        yield Finding(Verdict.WARN, "data folder", f"{folder}: {free >> 20} MiB free", "make room")
    else:
        yield Finding(Verdict.OK, "data folder", str(folder))
