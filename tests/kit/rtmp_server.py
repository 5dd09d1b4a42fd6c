"""nginx with its RTMP module, started by the tests on a port of this machine."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.kit.needs import missing, program

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")

_CONFIG = """\
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
rtmp {{
    server {{
        listen 127.0.0.1:{port};
        chunk_size 4096;
        ping 5s;
        ping_timeout 5s;
        application live {{
            live on;
            sync 100ms;
            record all;
            record_path {folder}/recorded;
            record_unique on;
        }}
        application refusing {{
            live on;
            deny publish all;
        }}
    }}
}}
"""


@dataclass
class RtmpServer:
    """A running one; what was published is in `recorded`, as FLV, one file for each connection."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def url(self, key: str, application: str = "live") -> str:
        """Where to publish and to play."""
        return f"rtmp://127.0.0.1:{self.port}/{application}/{key}"

    def recorded(self, key: str) -> list[Path]:
        """What was published under `key`, the oldest first."""
        return sorted((self.folder / "recorded").glob(f"{key}-*.flv"), key=lambda path: path.stat().st_mtime)

    def freeze(self) -> None:
        """It takes connections, by the kernel's grace, and does nothing with them."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """At once, as a crash."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """On the same port."""
        self.process = _start(self.folder, self.port)


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    nginx = program("nginx", "nginx libnginx-mod-rtmp")
    if not MODULE.exists():
        missing("nginx has no RTMP module: apt-get install libnginx-mod-rtmp")
    process = subprocess.Popen(
        [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(200):
        with socket.socket() as knocking:
            if knocking.connect_ex(("127.0.0.1", port)) == 0:
                return process
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"nginx did not start: {(folder / 'error.log').read_text()[-2000:]}")


@contextmanager
def rtmp_server(folder: Path) -> Iterator[RtmpServer]:
    """Ready inside, gone outside."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    (folder / "recorded").mkdir()
    (folder / "recorded").chmod(0o777)
    (folder / "nginx.conf").write_text(_CONFIG.format(module=MODULE, folder=folder, port=port))
    server = RtmpServer(port, folder, _start(folder, port))
    try:
        yield server
    finally:
        server.stop()
