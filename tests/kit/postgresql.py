"""A PostgreSQL of one's own: started from the machine's binaries in a new folder, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESS_VARIABLE = "MEDIABRIDGE_TEST_POSTGRESQL"
INSTALLED = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, of the newest version there is."""
    found = sorted(INSTALLED.glob("*/bin/initdb"), key=lambda file: int(file.parents[1].name))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its address, while it runs. It is reached by a socket in a folder of its own, never by TCP."""
    state = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path may have 107 characters only
    try:
        user = _somebody_else()
        if user:
            shutil.chown(state, user)
        _run(folder / "initdb", "-D", state / "data", "-U", "bridge", "-A", "trust", "-N", user=user)
        options = f"-c listen_addresses='' -c unix_socket_directories='{state}' -c fsync=off"
        _run(
            folder / "pg_ctl", "-D", state / "data", "-w", "-t", "60", "-l", state / "log", "-o", options,
            "start", user=user,
        )  # fmt: skip
        try:
            yield f"postgresql://bridge@/postgres?host={state}"
        finally:
            _run(folder / "pg_ctl", "-D", state / "data", "-w", "-m", "immediate", "stop", user=user)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _somebody_else() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _run(program: Path, *arguments: str | Path, user: str | None) -> None:
    done = subprocess.run(
        [program, *arguments],
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        # to a file: the server keeps the stream of whoever started it open
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if program.name == "pg_ctl" else subprocess.PIPE,
        text=True,
        timeout=90,
    )
    if done.returncode:
        raise RuntimeError(f"{program.name} ended with {done.returncode}: {done.stderr or ''}")
