"""Captures as bytes: all comes back, what was cut off is read as far as it goes, what is broken is named."""

from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.legs.capture_file_wire import (
    CHUNK_NS,
    MAGIC,
    MAX_RECORD_BYTES,
    CaptureBuffer,
    CaptureReader,
    CaptureWriter,
)
from bridge.legs.capture_wire import (
    VERSION,
    Ack,
    BadCapture,
    End,
    Frame,
    Head,
    Hole,
    Key,
    Link,
    Media,
    Message,
    Note,
    Queued,
    Rate,
    Record,
    Tick,
)

pytestmark = pytest.mark.wire

HEAD = Head(VERSION, "stream", "s", "c", "l16", 16_000, ("inbound",), 1_700_000_000_000, 5_000_000_000)
ns = st.integers(0, 2**53)
words = st.text(max_size=20)
sound = st.binary(max_size=700)
records = st.one_of(
    st.builds(Frame, words, sound, st.integers(0, 4)),
    st.builds(
        Media, ns, st.sampled_from(("call", "service")), words, sound, st.none() | words,
        st.none() | st.integers(0, 48_000) | words, st.integers(0, 10**6), st.booleans(),
    ),
    st.builds(Message, ns, sound, st.booleans()),
    st.builds(Key, ns, words, words),
    st.builds(Ack, ns, st.none() | words),
    st.builds(Queued, ns, st.none() | sound, st.none() | words),
    st.builds(Link, ns, st.sampled_from(("opened", "lost", "resumed", "emptied", "unsent"))),
    st.builds(Rate, st.integers(0, 48_000)),
    st.builds(Hole, ns, st.integers(1, 1000), st.integers(0, 1000)),
    st.builds(Note, st.integers(0, 10**9), words, words, st.booleans()),
)  # fmt: skip


def written(inside: list[Record], *, ended: bool = True, head: Head = HEAD) -> bytes:
    writer = CaptureWriter()
    pieces = [writer.begin(head), *map(writer.write, inside)]
    if ended:
        pieces.append(
            writer.end(7, "closed", "why", {"number": 1.5, "whole": 7, "word": "x", "nothing": None})
        )
    return b"".join(pieces)


def read(data: bytes, step: int | None = None) -> tuple[list[Record], CaptureReader]:
    reader = CaptureReader()
    found: list[Record] = []
    for at in range(0, len(data), step or max(len(data), 1)):
        found += reader.feed(data[at : at + (step or len(data))])
    return found, reader


@given(st.lists(records, max_size=12), st.integers(1, 50))
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_again_in_pieces_of_any_size(inside: list[Record], step: int) -> None:
    found, reader = read(written(inside), step)
    assert found[:-1] == [HEAD, *inside]
    assert reader.whole and isinstance(found[-1], End)
    assert found[-1].facts == {"number": 1.5, "whole": 7, "word": "x", "nothing": None}
    assert found[-1].holes == sum(record.records for record in inside if isinstance(record, Hole))


def test_a_file_cut_off_at_any_byte_gives_what_is_whole() -> None:
    inside: list[Record] = [Tick(1, 20), Frame("inbound", b"ab" * 5), Key(21, "inbound", "5"), Tick(2, 40)]
    data = written(inside)
    boundaries = []
    writer = CaptureWriter()
    at = len(writer.begin(HEAD))
    for record in inside:
        boundaries.append(at)
        at += len(writer.write(record))
    boundaries.append(at)
    for cut in range(len(data)):
        found, reader = read(data[:cut])
        count = sum(boundary <= cut for boundary in boundaries)
        assert found == [HEAD, *inside][:count], cut
        assert not reader.whole
    assert read(data)[1].whole


def test_one_changed_byte_is_never_taken_for_the_truth() -> None:
    inside: list[Record] = [Tick(1, 20), Frame("inbound", bytes(range(20))), Ack(30, "said")]
    data = written(inside)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x10
        try:
            found, reader = read(bytes(changed))
        except BadCapture:
            continue
        assert not reader.whole or found == read(data)[0], at


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"RIFF....WAVE", "this is no capture"),
        (MAGIC + struct.pack(">I", MAX_RECORD_BYTES + 1), "a record of 33554433 bytes, at byte 8"),
        (MAGIC + struct.pack(">I", 3) + b"\x93\x01\x02", "head cannot be read"),
        (MAGIC + CaptureWriter().write(Tick(1, 2)), "a record before the head"),
        (written([HEAD], ended=False), "a second head"),
        (written([Tick(2, 5), Tick(2, 6)], ended=False), "tick 2 after tick 2"),
        (written([]) + b"x", "something behind the end"),
        (written([], head=msgspec.structs.replace(HEAD, version=9)), "a capture of version 9"),
        (written([], head=msgspec.structs.replace(HEAD, encoding="flac")), "a format that is not known"),
        (written([], head=msgspec.structs.replace(HEAD, tracks=())), "a format that is not known"),
        (
            written([Tick(1, 2)], ended=False) + CaptureWriter().end(3, "forged"),
            "an end that does not fit what came before it",
        ),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(data: bytes, said: str) -> None:
    with pytest.raises(BadCapture, match=said):
        read(data)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_garbage_is_refused_or_read_never_worse(garbage: bytes) -> None:
    for data in (garbage, MAGIC + garbage, written([], ended=False) + garbage):
        try:
            read(data)
        except BadCapture as wrong:
            assert str(wrong)


def test_nothing_that_was_pressed_or_said_is_printed() -> None:
    shown = repr([Key(1, "inbound", "4711"), Message(2, b'{"event":"sendDTMF","dtmf":"4711"}')])
    assert "4711" not in shown


def test_records_without_room_are_a_hole_up_to_the_next_tick() -> None:
    buffer = CaptureBuffer(HEAD)
    buffer.put(Tick(1, 20), room=True)
    buffer.put(Frame("own", b"1"), room=True)
    buffer.put(Tick(2, 40), room=False)
    buffer.put(Frame("own", b"2"), room=True)  # whose tick is missing
    buffer.put(Key(45, "inbound", "1"), room=True)
    buffer.put(Tick(3, 60), room=True)
    buffer.put(Frame("own", b"3"), room=True)
    buffer.end("closed")
    found, reader = read(buffer.take())
    assert reader.whole
    assert found[1:-1] == [
        Tick(1, 20), Frame("own", b"1"), Hole(60, 3, 1), Tick(3, 60), Frame("own", b"3"),
    ]  # fmt: skip
    assert buffer.missing == found[-1].holes == 3  # type: ignore[union-attr]


def test_a_hole_that_lasts_to_the_end_is_told_too() -> None:
    buffer = CaptureBuffer(HEAD)
    buffer.put(Tick(1, 20), room=False)
    buffer.end("closed")
    found, reader = read(buffer.take())
    assert reader.whole and found[1] == Hole(20, 1, 0)


def test_a_buffer_is_due_after_a_while_even_when_little_is_said() -> None:
    buffer = CaptureBuffer(HEAD)
    buffer.take()
    buffer.put(Tick(1, CHUNK_NS - 1), room=True)
    assert not buffer.due
    buffer.put(Tick(2, CHUNK_NS), room=True)
    assert buffer.due
    buffer.take()
    assert not buffer.due
