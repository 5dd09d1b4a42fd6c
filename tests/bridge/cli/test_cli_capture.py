"""Captures on the command line: kept, shown, redacted, replayed, and refused in one line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.cli.main import main
from bridge.legs.capture_file_wire import CaptureWriter
from bridge.legs.capture_wire import VERSION, Frame, Head, Link, Media, Record, Tick
from tests.kit import bots

pytestmark = pytest.mark.e2e


def written(path: Path, place: str, records: list[Record], stream_id: str = "s") -> Path:
    head = Head(VERSION, place, stream_id, "c", "l16", 16_000, ("inbound",), 0, 10**12)  # type: ignore[arg-type]
    writer = CaptureWriter()
    pieces = [writer.begin(head), *map(writer.write, records), writer.end(10**9, "hangup")]
    path.write_bytes(b"".join(pieces))
    return path


def call(path: Path, *, wrong: bool = False) -> Path:
    """A call that streamed in and said nothing."""
    records: list[Record] = [Link(0, "opened")]
    for number in range(1, 51):
        at_ns = number * 20_000_000
        records.append(Media(at_ns - 9_000_000, "call", "inbound", bytes(640)))
        records.append(Tick(number, at_ns))
        records.append(Frame("own", b"\1\0" * 320 if wrong and number == 40 else b""))
    return written(path, "call", records)


async def test_a_call_is_kept_and_measured_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with bots.listening(bots.Bot) as url:
        code = await asyncio.to_thread(
            main, ["test", url, "--hold", "1s", "--capture", str(tmp_path / "kept")]
        )
    assert code in (0, 1, 3)  # a busy machine makes it invalid, and its replay as well
    live = capsys.readouterr().out.splitlines()
    file = tmp_path / "kept" / "call-0001.mbcapture"
    assert await asyncio.to_thread(main, ["test", "--replay", str(file)]) == code
    again = capsys.readouterr().out.splitlines()
    assert again[0].startswith("replay of call-0001.mbcapture: 1 call")
    assert again[1:] == live[1:]


def test_a_replay_through_the_mixer_tells_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same, wrong = call(tmp_path / "a.mbcapture"), call(tmp_path / "b.mbcapture", wrong=True)
    wav = tmp_path / "wav"
    assert main(["capture", "replay", str(same), "--verify", "--wav", str(wav)]) == 0
    assert "same: 50 frames (own 50)" in capsys.readouterr().out
    assert {file.name for file in wav.iterdir()} == {"a.mbcapture-own.wav", "a.mbcapture-mix.wav"}
    assert (wav / "a.mbcapture-own.wav").stat().st_size == 44 + 50 * 640
    assert main(["capture", "replay", str(wrong)]) == 0
    assert main(["capture", "replay", str(wrong), "--verify"]) == 1
    assert "differs: b.mbcapture: tick 40, own: 320 samples differ" in capsys.readouterr().out


def test_what_a_far_side_wrote_does_nothing_to_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "a.mbcapture", "call", [Link(0, "opened")], "\x1b[2Jgone\nx")
    assert main(["capture", "show", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "stream \ufffd[2Jgone\ufffdx" in shown


def test_a_redacted_copy_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, new = call(tmp_path / "a.mbcapture"), tmp_path / "b.mbcapture"
    assert main(["capture", "redact", str(file), "-o", str(new), "--names"]) == 0
    assert main(["capture", "redact", str(file), "-o", str(new)]) == 2
    assert "File exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["test"], "required: TARGET, or --replay FILE"),
        (["test", "--replay", "nothing"], "cannot read nothing"),
        (["test", "--replay", "README.md"], "README.md: this is no capture"),
        (["test", "--replay", "x", "--wav", "samples/caller_8k.wav"], "leave it out with --replay"),
        (["test", "--replay", "x", "--hold", "5"], "leave it out with --replay"),
        (["capture", "show", "README.md"], "this is no capture"),
        (["capture", "replay", "nothing"], "cannot read nothing"),
        (["test", "ws://x", "--capture", "README.md"], "cannot write captures to README.md"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
