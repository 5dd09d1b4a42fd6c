"""FFmpeg's ffprobe as an RTMP server that takes one stream, and tells of every packet in it afterwards."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.kit.needs import program

_ASK = "packet=codec_type,pts_time,dts_time,data"


@dataclass
class RtmpProbe:
    """`port` takes one connection; `packets` waits for its end."""

    port: int
    process: subprocess.Popen[str] = field(repr=False)

    def packets(self, within_s: float = 20.0) -> list[dict[str, Any]]:
        """As ffprobe tells them; `data` as bytes, of the script data only."""
        told, _ = self.process.communicate(timeout=within_s)
        packets: list[dict[str, Any]] = json.loads(told)["packets"]
        for packet in packets:
            if packet["codec_type"] == "data":
                packet["data"] = _bytes(packet["data"])
        return packets


@contextmanager
def rtmp_probe() -> Iterator[RtmpProbe]:
    """Listens inside."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            program("ffprobe", "ffmpeg"), "-v", "error", "-listen", "1", "-show_packets", "-show_data",
            "-show_entries", _ASK, "-of", "json", f"rtmp://127.0.0.1:{port}/live/key",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        _until_it_listens(port)
        yield RtmpProbe(port, process)
    finally:
        process.kill()
        process.wait()


def _until_it_listens(port: int) -> None:
    """Without a connection, for it takes only one."""
    wanted = f":{port:04X} "
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with open("/proc/net/tcp") as table:
            if any(wanted in line.split("00000000:0000")[0] for line in table if " 0A " in line):
                return
        time.sleep(0.02)
    raise RuntimeError("ffprobe does not listen")


def _bytes(dump: str) -> bytes:
    """From lines of `00000000: 0200 0a6f …  ..on…`."""
    pairs = [line[10:50] for line in dump.splitlines() if re.match("[0-9a-f]{8}: ", line)]
    return bytes.fromhex("".join(pairs).replace(" ", ""))
