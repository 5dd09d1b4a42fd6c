"""Redacted captures: nothing is left that can be understood, and who sounds when is what it was."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat
from bridge.errors import ConfigError
from bridge.harness.capture_reading import read_capture
from bridge.harness.capture_redaction import ALL, Redaction, redact
from bridge.harness.capture_summary import show
from bridge.harness.disguise import Disguise
from bridge.harness.replay_run import replay_call
from bridge.harness.rules import broken_by
from bridge.harness.sound import SAMPLE, decode, encode, load
from bridge.legs.capture_file_wire import CaptureWriter
from bridge.legs.capture_wire import (
    VERSION,
    Ack,
    Frame,
    Head,
    Key,
    Link,
    Media,
    Message,
    Note,
    Queued,
    Record,
    Tick,
)
from bridge.legs.plivo_play_wire import read_from_service
from bridge.legs.plivo_wire import WireError

pytestmark = pytest.mark.unit

HEAD = Head(
    VERSION, "caller", "stream-of-anna", "call-of-anna", "l16", 16_000, ("inbound",), 0, 10**12,
    about={"room": "annas-room", "participant": "anna", "scenario": "Anna asks for her balance"},
)  # fmt: skip


def written(path: Path, records: list[Record], head: Head = HEAD) -> Path:
    writer = CaptureWriter()
    pieces = [writer.begin(head), *map(writer.write, records)]
    pieces.append(
        writer.end(10**10, "bot closed", "1000 goodbye Anna", {"reason": "goodbye Anna", "code": 1000})
    )
    path.write_bytes(b"".join(pieces))
    return path


def conversation() -> list[Record]:
    """A caller who asks twice and is answered, once over her words, which are then obeyed."""
    speech = load(SAMPLE, 16_000)
    ear = np.roll(speech, 8_000)
    records: list[Record] = [Link(0, "opened")]
    for number in range(600):
        at_ns = 20_000_000 * (number + 1)
        if number in (100, 330, 480):
            answer = encode(ear[5_000 : 5_000 + 40_000], L16_16K)
            for piece in range(0, len(answer), 3_333 * 2):
                payload = answer[piece : piece + 3_333 * 2]
                records.append(Media(at_ns - 5_000_000, "service", "", payload, "audio/x-l16", 16_000, 9_000))
            mark = {"event": "checkpoint", "streamId": HEAD.stream_id, "name": f"for Anna {number}"}
            records.append(Message(at_ns - 4_000_000, json.dumps(mark).encode()))
        if number == 350:
            clear = {"event": "clearAudio", "streamId": HEAD.stream_id}
            records.append(Message(at_ns - 4_000_000, json.dumps(clear).encode()))
        if number == 200:
            for message in (
                {"event": "sendDTMF", "dtmf": "4711"},
                {"event": "say", "text": "for Anna only"},
                {"event": "playAudio", "media": {"payload": "Anna!"}},
                {"event": "checkpoint", "streamId": "somebody-else", "name": "x"},
            ):
                records.append(Message(at_ns - 3_000_000, json.dumps(message).encode()))
        asks = number < 90 or 340 <= number < 420
        said = speech[number * 320 % 30_000 :][:320] if asks else np.zeros(320, np.int16)
        records.append(Tick(number + 1, at_ns))
        records.append(Frame("inbound", said.tobytes() if said.any() else b""))
        if number == 250:
            records += [Key(at_ns, "inbound", "4711"), Ack(at_ns, "for Anna 100")]
            records += [Queued(at_ns, b"", None), Queued(at_ns, None, "for Anna 100")]
            records.append(Note(5_000, "step", "say: Anna's number"))
    return records


async def test_turn_figures_are_what_they_were(tmp_path: Path) -> None:
    file = written(tmp_path / "a.mbcapture", conversation())
    redact(file, tmp_path / "b.mbcapture", ALL)
    before, after = [
        await replay_call(read_capture(tmp_path / name)) for name in ("a.mbcapture", "b.mbcapture")
    ]
    assert before.turns is not None and before.turns.response_delay.n and before.turns.cuts
    assert after.turns == before.turns
    assert after.barge_ins == before.barge_ins
    assert [(one.asked_ms, one.heard_ms) for one in after.responses] == [
        (one.asked_ms, one.heard_ms) for one in before.responses
    ]
    assert after.violations == before.violations and after.gaps == before.gaps
    levels = np.abs(np.subtract(after.caller_levels, before.caller_levels))
    assert levels.max() <= 1


def test_nothing_is_left_that_is_anybodys(tmp_path: Path) -> None:
    file = written(tmp_path / "a.mbcapture", conversation())
    redact(file, tmp_path / "b.mbcapture", ALL)
    left = (tmp_path / "b.mbcapture").read_bytes()
    for secret in (b"Anna", b"anna", b"4711", b"somebody", b"balance"):
        assert secret in file.read_bytes() and secret not in left, secret
    assert (tmp_path / "b.mbcapture").stat().st_mode & 0o777 == 0o600
    capture = read_capture(tmp_path / "b.mbcapture")
    assert capture.head.redacted == ALL
    assert [record.digit for record in capture.records if isinstance(record, Key)] == ["****"]
    marks = [json.loads(r.message).get("name") for r in capture.records if isinstance(r, Message)]
    acked = [record.name for record in capture.records if isinstance(record, Ack)]
    assert acked[0] == marks[0] == "mark-1" and marks[-1] not in (None, "mark-1")


def test_only_what_is_asked_for_is_taken_out(tmp_path: Path) -> None:
    file = written(tmp_path / "a.mbcapture", conversation())
    redact(file, tmp_path / "b.mbcapture", ["digits"])
    before, after = (read_capture(tmp_path / name) for name in ("a.mbcapture", "b.mbcapture"))
    assert after.head.redacted == ("digits",) and after.head.stream_id == before.head.stream_id
    sound = [[r for r in one.records if isinstance(r, Frame | Media)] for one in (before, after)]
    assert sound[0] == sound[1]
    assert b"4711" not in (tmp_path / "b.mbcapture").read_bytes()
    redact(tmp_path / "b.mbcapture", tmp_path / "c.mbcapture", ["names"])
    assert read_capture(tmp_path / "c.mbcapture").head.redacted == ("digits", "names")


@pytest.mark.parametrize(
    "message",
    [
        b"Anna{",
        b'{"event":"Anna"}',
        b'{"event":"playedStream","name":"Anna"}',
        b'{"event":"clearedAudio","name":"Anna"}',
        b'{"event":"playAudio","media":{"payload":"Anna!"}}',
        b'{"event":"playAudio","media":"Anna"}',
        b'{"event":"checkpoint","text":"Anna"}',
    ],
)
def test_what_stands_in_for_a_message_breaks_the_same_rule(message: bytes) -> None:
    stands_in = Redaction(["digits"]).change(Message(0, message))
    assert isinstance(stands_in, Message) and b"Anna" not in stands_in.message
    broken = []
    for one in (message, stands_in.message):
        with pytest.raises(WireError) as why:
            read_from_service(one)
        broken.append(broken_by(one, why.value))
    assert broken[0] == broken[1]


async def test_a_bot_that_talks_on_a_one_way_stream_is_named_again(tmp_path: Path) -> None:
    head = msgspec.structs.replace(HEAD, about={"bidirectional": "false"})
    said = Message(50_000_000, json.dumps({"event": "playAudio", "media": {"payload": "QW5uYQ=="}}).encode())
    ticks = [Tick(number, 20_000_000 * number) for number in range(1, 4)]
    file = written(tmp_path / "a.mbcapture", [Link(0, "opened"), *ticks, said], head)
    redact(file, tmp_path / "b.mbcapture", ALL)
    assert b"QW5uYQ" not in (tmp_path / "b.mbcapture").read_bytes()
    redact(file, tmp_path / "c.mbcapture", ["digits"])
    assert b"QW5uYQ" in (tmp_path / "c.mbcapture").read_bytes()
    for name in ("a", "b", "c"):
        call = await replay_call(read_capture(tmp_path / f"{name}.mbcapture"))
        assert call.violations == {"one_way": 1} and call.first_heard_ms is None


def test_a_disk_that_is_full_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    file = written(tmp_path / "a.mbcapture", conversation())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size // 2, before[1]))
    try:
        with pytest.raises(ConfigError, match=r"cannot write .*b\.mbcapture: File too large"):
            redact(file, tmp_path / "b.mbcapture", ALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, was)
    assert not (tmp_path / "b.mbcapture").exists()


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    file = written(tmp_path / "a.mbcapture", [])
    with pytest.raises(ConfigError, match="File exists"):
        redact(file, file, ALL)
    with pytest.raises(ConfigError, match="cannot read"):
        redact(tmp_path / "none", tmp_path / "b.mbcapture", ALL)
    assert not (tmp_path / "b.mbcapture").exists()


@pytest.mark.parametrize("audio_format", [L16_16K, L16_8K, ULAW_8K], ids=lambda one: one.title)
def test_disguised_sound_has_the_same_energy_and_no_likeness(audio_format: AudioFormat) -> None:
    speech = load(SAMPLE, audio_format.rate_hz)[: audio_format.rate_hz * 3 + 17]
    payload = encode(speech, audio_format)
    covered = Disguise().cover(payload, audio_format)
    assert len(covered) == len(payload)
    one, other = (decode(each, audio_format).astype(np.float64) for each in (payload, covered))
    size = audio_format.frame_samples
    whole = len(one) // size * size
    powers = [np.square(each[:whole]).reshape(-1, size).mean(axis=1) for each in (one, other)]
    loud = powers[0] > 100**2
    assert np.abs(10 * np.log10(powers[1][loud] / powers[0][loud])).max() < 0.1
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05
    silence = encode(np.zeros(777, np.int16), audio_format)
    assert not decode(Disguise().cover(silence, audio_format), audio_format).any()
    assert Disguise().cover(b"", audio_format) == b""


async def test_a_summary_can_be_read_and_shows_no_digit(tmp_path: Path) -> None:
    file = written(tmp_path / "a.mbcapture", conversation())
    shown = await show(file)
    assert "a simulated caller's call, L16 16 kHz" in shown and "keys: 4" in shown
    assert "ended: bot closed" in shown and "response delays, heard, ms:" in shown
    assert "4711" not in shown and "▆" in shown
    data = file.read_bytes()
    file.write_bytes(data[:-3])
    assert "cut off: there is no end" in await show(file)
