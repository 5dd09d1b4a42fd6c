"""The job that makes a recording's files: as it goes, over pauses, after kills."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from bridge.core.ports import Whom
from bridge.outputs.child_limits import ChildLimits
from bridge.outputs.children import Child
from bridge.outputs.follow_wire import (
    FINISH,
    Finished,
    FollowerMessage,
    FollowPlan,
    PicturePlan,
    Problem,
    Progress,
    Waiting,
    arguments_of,
    decode_message,
    encode_message,
    plan_of,
)
from bridge.outputs.record import FRAME_SAMPLES, Joined, Record, Talked
from tests.kit.logged import MemoryLog, burst, sound, write_log

pytestmark = pytest.mark.e2e

BEGAN = 1_700_000_000_000
ANN = "ann-1"
PLAN = FollowPlan("", ("mp4", "wav"), ("wav",))


class Following:
    """A follower in a child process, what it said and how it ended."""

    def __init__(self, plan: FollowPlan) -> None:
        self.said: asyncio.Queue[FollowerMessage] = asyncio.Queue()
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.child = Child(
            "follower",
            arguments_of(plan),
            on_message=lambda message: self.said.put_nowait(decode_message(message)),
            on_exit=self.exited.set_result,
            limits=ChildLimits(),
        )

    async def until(self, kind: type[FollowerMessage]) -> FollowerMessage:
        """The next message of a kind; others are passed over, but for a problem."""
        async with asyncio.timeout(20):
            while not isinstance(said := await self.said.get(), kind):
                assert not isinstance(said, Problem), said.text
            return said

    async def ended(self) -> int:
        async with asyncio.timeout(20):
            return await self.exited


Follow = Callable[[FollowPlan], "asyncio.Future[Following]"]


@pytest.fixture
async def follow() -> AsyncIterator[Callable[[FollowPlan], object]]:
    begun: list[Following] = []

    async def begin(plan: FollowPlan) -> Following:
        following = Following(plan)
        begun.append(following)
        await following.child.start()
        return following

    yield begin
    for following in begun:
        following.child.kill()
        if following.child.alive:
            await following.ended()


def plan(directory: Path, **more: object) -> FollowPlan:
    return FollowPlan(str(directory), PLAN.program, PLAN.participants, **more)  # type: ignore[arg-type]


def spoken(ticks: int, seed: int = 0) -> MemoryLog:
    noise = np.random.default_rng(seed).integers(-6_000, 6_000, ticks * FRAME_SAMPLES).astype(np.int16)
    records: list[Record] = [Joined(0, ANN, "Ann"), Talked(10, ANN, True), *sound("program", 0, noise)]
    return MemoryLog().stretch(BEGAN, ticks, [*records, *sound(ANN, 0, noise)])


def is_there(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size >= size


async def until_there(path: Path, size: int) -> None:
    """Until another process has written so much of a file."""
    while not is_there(path, size):  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # its own pace


def pcm_of(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16")[0]  # type: ignore[no-any-return]


def test_plans_and_messages_survive_the_way_to_the_child_and_back() -> None:
    for told in (
        FollowPlan("/x", ("hls-ts",), ("ogg",), ("wav",), picture=None, notes=("a",), follow=True),
        FollowPlan(
            "/x", picture=PicturePlan(360, 640, 15, 90_000, "#102030"), sound=False, channels=2,
            heard=Whom(only=("ann",)), seen=Whom(without=("bob",)), segment_s=15.0,
        ),
    ):  # fmt: skip
        assert plan_of(json.loads(json.dumps(arguments_of(told)))) == told
    assert decode_message(encode_message(Waiting(5, 1))) == Waiting(5, 1)


async def test_a_finished_log_becomes_files(tmp_path: Path, follow: Callable) -> None:  # type: ignore[type-arg]
    write_log(tmp_path, 0, spoken(130))
    following = await follow(plan(tmp_path))
    finished = await following.until(Finished)
    assert await following.ended() == 0
    assert finished.duration_ms == 2_600
    assert {file.name for file in finished.files} == {
        "files/program.mp4", "files/program.wav", "files/ann-1.wav",
        "files/thumbnail.jpg", "files/preview.webp",
    }  # fmt: skip
    assert all((tmp_path / file.name).stat().st_size == file.size for file in finished.files)
    assert json.loads((tmp_path / "manifest.json").read_text())["over"] is True


async def test_files_grow_with_the_log_over_a_pause(tmp_path: Path, follow: Callable) -> None:  # type: ignore[type-arg]
    log = spoken(300)
    paused = MemoryLog().stretch(BEGAN, 300, log._stretches[0][1][1:-1], "paused")
    write_log(tmp_path, 0, paused, ticks=75)
    following = await follow(plan(tmp_path, follow=True))
    # Nothing says that more comes, so the first second must be there by itself.
    async with asyncio.timeout(20):
        await until_there(tmp_path / "files" / "program.wav.part", 96_000)
    write_log(tmp_path, 0, paused)
    waiting = await following.until(Waiting)
    assert waiting == Waiting(6_000, 0)
    # In the pause every file is whole, to the last word, and in the manifest.
    assert len(pcm_of(tmp_path / "files" / "program.wav")) == 300 * FRAME_SAMPLES
    with av.open(str(tmp_path / "files" / "program.mp4")) as whole:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in whole.decode(whole.streams.audio[0])])
        assert whole.duration == 6_000_000
    assert np.abs(heard[299 * FRAME_SAMPLES : 300 * FRAME_SAMPLES]).max() > 0.05
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["over"] is False and manifest["duration_ms"] == 6_000
    for entry in manifest["files"]:
        content = (tmp_path / entry["name"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert len(list((tmp_path / "files").glob("*.part"))) == 3
    both = (
        MemoryLog().stretch(BEGAN, 150, [], "paused").stretch(BEGAN + 60_000, 60, sound(ANN, 5, burst(600)))
    )
    write_log(tmp_path, 1, both)
    finished = await following.until(Finished)
    assert finished.duration_ms == 7_200 and await following.ended() == 0
    assert not list((tmp_path / "files").glob("*.part"))
    ann = pcm_of(tmp_path / "files" / "ann-1.wav")
    assert (ann[305 * FRAME_SAMPLES : 306 * FRAME_SAMPLES] == burst(600)).all()


async def test_while_it_goes_on_it_says_what_is_known_so_far(tmp_path: Path, follow: Callable) -> None:  # type: ignore[type-arg]
    so_far, manifest = tmp_path / "manifest.so-far.json", tmp_path / "manifest.json"
    log = MemoryLog().stretch(BEGAN, 300, [Joined(2, ANN, "Ann")], "paused")
    log.stretch(BEGAN + 60_000, 200, sound(ANN, 5, burst(600)), "stopped")
    write_log(tmp_path, 0, log, ticks=100)
    following = await follow(plan(tmp_path, follow=True))
    async with asyncio.timeout(20):
        await until_there(so_far, 1)
    told = json.loads(so_far.read_text())
    assert told["over"] is False and told["files"] == [] and not manifest.exists()
    assert [stretch["ended_by"] for stretch in told["stretches"]] == [None]
    assert told["began_unix_ms"] == BEGAN and 0 < told["duration_ms"] <= 2_000
    assert told["participants"][0]["present"] == [
        {"from_ms": 40, "until_ms": None, "from_unix_ms": BEGAN + 40}
    ]
    write_log(tmp_path, 0, log)
    await following.until(Waiting)
    assert not so_far.exists() and json.loads(manifest.read_text())["over"] is False
    write_log(tmp_path, 1, log, ticks=100)
    async with asyncio.timeout(20):
        await until_there(so_far, 1)
    assert len(json.loads(so_far.read_text())["pauses"]) == 1
    write_log(tmp_path, 1, log)
    await following.until(Finished)
    assert not so_far.exists() and json.loads(manifest.read_text())["over"] is True


async def test_a_pause_can_be_the_end(tmp_path: Path, follow: Callable) -> None:  # type: ignore[type-arg]
    write_log(tmp_path, 0, MemoryLog().stretch(BEGAN, 60, [Joined(0, ANN, "Ann")], "paused"))
    following = await follow(plan(tmp_path, follow=True))
    await following.until(Waiting)
    assert following.child.send(FINISH)
    assert (await following.until(Finished)).duration_ms == 1_200
    assert await following.ended() == 0


async def test_a_stretch_without_an_end_is_over_when_another_one_begins(
    tmp_path: Path, follow: Callable
) -> None:  # type: ignore[type-arg]
    """The server died in the first one, and was begun again."""
    log = MemoryLog().stretch(BEGAN, 60, sound(ANN, 3, burst(600)), "")
    log.stretch(BEGAN + 90_000, 40, sound(ANN, 7, burst(800)))
    write_log(tmp_path, 0, log)
    following = await follow(plan(tmp_path, follow=True))
    write_log(tmp_path, 1, log)
    assert (await following.until(Finished)).duration_ms == 2_000
    ann = pcm_of(tmp_path / "files" / "ann-1.wav")
    assert (ann[67 * FRAME_SAMPLES : 68 * FRAME_SAMPLES] == burst(800)).all()


async def test_killed_and_begun_again_it_gives_the_same_files(tmp_path: Path, follow: Callable) -> None:  # type: ignore[type-arg]
    for directory in (tmp_path / "killed", tmp_path / "calm"):
        write_log(directory, 0, spoken(3_000))
    calm = await follow(plan(tmp_path / "calm"))
    wanted = await calm.until(Finished)
    doomed = await follow(plan(tmp_path / "killed"))
    async with asyncio.timeout(20):
        await until_there(tmp_path / "killed" / "files" / "program.wav.part", 1_000_000)
    os.kill(doomed.child.pid, signal.SIGKILL)
    assert await doomed.ended() != 0
    with av.open(str(tmp_path / "killed" / "files" / "program.mp4.part")) as cut:
        assert sum(frame.samples for frame in cut.decode(cut.streams.audio[0])) > 4 * 48_000
    with av.open(str(tmp_path / "killed" / "files" / "program.mp4.part")) as cut:
        assert sum(1 for _ in cut.decode(cut.streams.video[0])) >= 4
    assert not (tmp_path / "killed" / "manifest.json").exists()
    again = await follow(plan(tmp_path / "killed"))
    assert await again.until(Finished) == wanted
    entries = [
        json.loads((tmp_path / name / "manifest.json").read_text())["files"] for name in ("killed", "calm")
    ]
    assert entries[0] == entries[1]
    assert not list((tmp_path / "killed" / "files").glob("*.part"))


async def test_what_an_earlier_run_made_stays_until_there_is_more(tmp_path: Path, follow: Callable) -> None:  # type: ignore[type-arg]
    log = MemoryLog().stretch(BEGAN, 100, sound(ANN, 3, burst(600)), "stopped")
    log.stretch(BEGAN + 90_000, 200, sound(ANN, 7, burst(800)), "stopped")
    write_log(tmp_path, 0, log)
    await (await follow(plan(tmp_path, follow=True))).until(Finished)
    whole = tmp_path / "files" / "ann-1.wav"
    assert len(pcm_of(whole)) == 100 * FRAME_SAMPLES
    write_log(tmp_path, 1, log, ticks=100)
    again = await follow(plan(tmp_path, follow=True))
    async with asyncio.timeout(20):
        while is_there(whole, 1):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert is_there(tmp_path / "files" / "ann-1.wav.part", 2 * 200 * FRAME_SAMPLES)
    write_log(tmp_path, 1, log)
    await again.until(Finished)
    assert len(pcm_of(whole)) == 300 * FRAME_SAMPLES


async def test_progress_is_told(tmp_path: Path, follow: Callable) -> None:  # type: ignore[type-arg]
    write_log(tmp_path, 0, spoken(50 * 120))
    following = await follow(plan(tmp_path))
    progress = await following.until(Progress)
    assert 0 < progress.at_ms < 120_000 and progress.stretch == 0


async def test_what_goes_wrong_is_said_and_nothing_half_is_left(tmp_path: Path, follow: Callable) -> None:  # type: ignore[type-arg]
    write_log(tmp_path, 0, spoken(60))
    (tmp_path / "files").write_text("in the way")
    following = await follow(plan(tmp_path))
    async with asyncio.timeout(20):
        said = await following.said.get()
    assert isinstance(said, Problem) and "exists" in said.text and str(tmp_path) not in said.text
    assert await following.ended() == 1
    assert not (tmp_path / "manifest.json").exists()
