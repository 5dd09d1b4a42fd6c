"""A server is killed while it records: what it had said to be durable is there, and the log is closed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.outputs.adoption import Adopted, NotAdopted, adopt
from bridge.outputs.record import Ended
from bridge.outputs.record_reader import RecordReader, log_path
from tests.kit.coded_sound import heard_ticks, lost_ticks
from tests.kit.spoken_record import Notices, SpokenRecord

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[3]


@dataclass
class KilledServer:
    """Runs `tests.kit.recording_server` for a while, then kills it."""

    root: Path
    durable: int = 0
    said: int = 0
    scribe: int = 0

    def run(self, for_s: float, *, scribe_too: bool = False, freeze_scribe: bool = False) -> None:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.kit.recording_server", str(self.root)],
            stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert server.stdout is not None
        self.scribe = int(server.stdout.readline())
        while not self.durable:  # a busy machine takes its time to begin
            self.durable, self.said = map(int, server.stdout.readline().split())
        time.sleep(for_s)
        if freeze_scribe:
            os.kill(self.scribe, signal.SIGSTOP)
        if scribe_too:
            os.kill(self.scribe, signal.SIGKILL)
        server.kill()
        for line in server.stdout.read().splitlines():
            self.durable, self.said = map(int, line.split())
        server.wait()


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("scribe_too", [False, True])
def test_after_a_kill_all_that_was_durable_is_there_and_no_more_than_a_second_is_missing(
    tmp_path: Path, seed: int, scribe_too: bool
) -> None:
    killed = KilledServer(tmp_path)
    killed.run(random.Random(seed).uniform(0.3, 1.2), scribe_too=scribe_too)
    adopted = list(adopt(tmp_path))
    records = list(RecordReader(tmp_path / "r1").read(0))
    heard = heard_ticks(records)
    assert heard == list(range(len(heard)))
    assert len(heard) >= killed.durable > 0
    # The scribe writes what it is told at once; so of what was said only what was on its way is missing.
    assert len(heard) >= killed.said - (50 if scribe_too else 10)
    assert records[-1] == Ended(len(heard), "died") and lost_ticks(records) == []
    assert [type(one) for one in adopted] == [Adopted]


def test_a_frozen_scribe_of_a_dead_server_is_not_written_beside(tmp_path: Path) -> None:
    killed = KilledServer(tmp_path)
    killed.run(0.3, freeze_scribe=True)
    try:
        assert list(adopt(tmp_path, wait_s=0.2)) == [
            NotAdopted("r1", 0, "another process still writes the log")
        ]
    finally:
        os.kill(killed.scribe, signal.SIGCONT)  # it notices that its server is gone
    assert [type(one) for one in adopt(tmp_path)] == [Adopted]
    heard = heard_ticks(RecordReader(tmp_path / "r1").read(0))
    assert heard == list(range(len(heard))) and len(heard) >= killed.durable


# --- a disk of its own that really is full ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = shutil.which("mount")
    mounted = mount is not None and os.geteuid() == 0
    if mounted:
        made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)], check=False)
        mounted = made.returncode == 0
    if not mounted:
        pytest.skip("no file system may be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
async def notices() -> AsyncIterator[Notices]:
    yield Notices()


async def test_a_full_disk_is_told_others_go_on_and_all_is_there_when_there_is_room_again(
    tmp_path: Path, small_disk: Path, notices: Notices
) -> None:
    for name, place in (("r1", small_disk), ("r2", tmp_path)):
        (place / name).mkdir()
        (tmp_path / "root").mkdir(exist_ok=True)
        (tmp_path / "root" / name).symlink_to(place / name)
    root = tmp_path / "root"
    writer = notices.writer(root)
    await writer.start()
    (small_disk / "ballast").write_bytes(bytes(2_500_000))
    full, other = SpokenRecord(writer, root, "r1"), SpokenRecord(writer, root, "r2")
    full.say(40)  # 768 kB, where there is room for 500
    other.say(40)
    await notices.wait_for("r1", "the disk is full", 3.0)
    assert await other.end() == 0
    full.say(10)
    (small_disk / "ballast").unlink()
    await notices.wait_for("r1", "resumed")
    assert await full.end() == 0
    await writer.close(2.0)
    assert heard_ticks(full.records()) == list(range(500)) and lost_ticks(full.records()) == []
    assert heard_ticks(other.records()) == list(range(400))
    assert [name for name, _ in notices.said if name != "r1"] == []
    assert log_path(small_disk / "r1", 0).stat().st_size < 1_100_000
