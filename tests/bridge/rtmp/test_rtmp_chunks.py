"""RTMP's chunks: what is written is read, in whatever pieces and headers it comes."""

from __future__ import annotations

import pytest

from bridge.errors import BadInput
from bridge.rtmp.chunks import PICTURE, SET_CHUNK_SIZE, SOUND, ChunkReader, ChunkWriter, Message

pytestmark = pytest.mark.unit

BODY = bytes(range(256)) * 3


def test_a_message_is_cut_into_chunks_and_put_together_again() -> None:
    written = ChunkWriter().write(Message(SOUND, BODY, 1234, 7), 4)
    assert written[:12].hex(" ") == "04 00 04 d2 00 03 00 08 07 00 00 00"
    assert written[12 + 128] == 0xC4
    assert ChunkReader().feed(written) == [Message(SOUND, BODY, 1234, 7)]


def test_it_may_come_byte_by_byte() -> None:
    reader = ChunkReader()
    written = ChunkWriter().write(Message(SOUND, BODY, 20_000_000, 1), 4)
    messages = [message for at in range(len(written)) for message in reader.feed(written[at : at + 1])]
    assert messages == [Message(SOUND, BODY, 20_000_000, 1)]


def test_late_times_stand_in_every_chunk() -> None:
    written = ChunkWriter().write(Message(SOUND, BODY, 0x01020304, 1), 4)
    assert written[1:4] == b"\xff\xff\xff" and written[12:16] == b"\x01\x02\x03\x04"
    assert written[16 + 128 :][:5] == b"\xc4\x01\x02\x03\x04"


def test_late_times_may_be_missing_where_a_message_goes_on() -> None:
    """So some servers write; after 4.7 hours every stream has late times."""
    written = ChunkWriter().write(Message(SOUND, BODY, 0x01020304, 1), 4)
    without = written.replace(b"\xc4\x01\x02\x03\x04", b"\xc4")
    assert len(without) == len(written) - 5 * 4
    after = ChunkWriter().write(Message(SOUND, BODY, 0x01020305, 1), 4)
    expected = [Message(SOUND, BODY, 0x01020304, 1), Message(SOUND, BODY, 0x01020305, 1)]
    assert ChunkReader().feed(without + after) == expected
    reader = ChunkReader()
    one_by_one = [message for byte in without + after for message in reader.feed(bytes((byte,)))]
    assert one_by_one == expected


def test_times_go_round_after_fifty_days() -> None:
    reader, writer = ChunkReader(), ChunkWriter()
    assert reader.feed(writer.write(Message(SOUND, b"a", (1 << 32) - 1, 1), 4))[0].at_ms == 0xFFFFFFFF
    assert reader.feed(b"\x44\x00\x00\x0b\x00\x00\x01\x08b")[0].at_ms == 10
    assert reader.feed(writer.write(Message(SOUND, b"c", (1 << 32) + 20, 1), 4))[0].at_ms == 20


def test_a_message_that_never_ends_is_left_out_when_another_begins() -> None:
    reader = ChunkReader()
    begun = ChunkWriter().write(Message(SOUND, BODY, 5, 1), 4)[: 12 + 128]
    assert reader.feed(begun + ChunkWriter().write(Message(9, b"b" * 200, 6, 1), 4)) == [
        Message(9, b"b" * 200, 6, 1)
    ]


def test_the_sizes_of_chunks_change_as_was_said() -> None:
    writer, reader = ChunkWriter(), ChunkReader()
    told = writer.write(Message(SET_CHUNK_SIZE, (4096).to_bytes(4)), 2)
    writer.chunk_bytes = 4096
    written = writer.write(Message(SOUND, BODY, 5, 1), 4)
    assert len(written) == 12 + len(BODY)
    assert reader.feed(told + written)[1] == Message(SOUND, BODY, 5, 1)


def test_shorter_headers_go_on_from_the_ones_before() -> None:
    reader = ChunkReader()
    full = b"\x05\x00\x00\x64\x00\x00\x02\x08\x01\x00\x00\x00ab"
    without_stream = b"\x45\x00\x00\x0a\x00\x00\x03\x09cde"
    only_time = b"\x85\x00\x00\x0bfgh"
    nothing = b"\xc5ijk"
    assert reader.feed(full + without_stream + only_time + nothing) == [
        Message(8, b"ab", 100, 1),
        Message(9, b"cde", 110, 1),
        Message(9, b"fgh", 121, 1),
        Message(9, b"ijk", 132, 1),
    ]


def test_high_numbers_of_chunk_streams_are_read() -> None:
    reader = ChunkReader()
    assert reader.feed(b"\x00\x10" + b"\x00\x00\x01\x00\x00\x01\x08\x01\x00\x00\x00a") == [
        Message(8, b"a", 1, 1)
    ]
    assert reader.feed(b"\x01\x10\x01" + b"\x00\x00\x02\x00\x00\x01\x08\x01\x00\x00\x00b") == [
        Message(8, b"b", 2, 1)
    ]


def test_messages_of_different_chunk_streams_may_be_woven() -> None:
    first = ChunkWriter().write(Message(8, b"a" * 200, 1, 1), 4)
    second = ChunkWriter().write(Message(9, b"b" * 200, 2, 1), 6)
    woven = first[:140] + second[:140] + first[140:] + second[140:]
    assert [message.kind for message in ChunkReader().feed(woven)] == [8, 9]


@pytest.mark.parametrize(
    "written",
    [
        b"\x05\x00\x00\x00\xff\xff\xff\x08\x01\x00\x00\x00",
        b"\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x02\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00",
    ],
)
def test_what_cannot_be_is_refused(written: bytes) -> None:
    with pytest.raises(BadInput):
        ChunkReader().feed(written)


def test_nobody_opens_chunk_streams_without_end() -> None:
    reader = ChunkReader()
    with pytest.raises(BadInput):
        for number in range(64, 400):
            head = b"\x01" + (number - 64).to_bytes(2, "little")
            reader.feed(head + b"\x00\x00\x00\x00\x00\x01\x08\x00\x00\x00\x00a")


def test_messages_that_never_end_are_not_kept_without_end() -> None:
    reader = ChunkReader()
    size = (1 << 20).to_bytes(3)
    reader.feed(b"\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00" + (1 << 19).to_bytes(4))
    with pytest.raises(BadInput, match="do not end"):
        for number in range(3, 60):
            head = bytes((number,)) + b"\x00\x00\x00" + size + b"\x08\x00\x00\x00\x00"
            reader.feed(head + bytes(1 << 19))


def test_what_nobody_wants_is_not_held_until_its_chunk_is_whole() -> None:
    reader, writer = ChunkReader(passed_over=(PICTURE,)), ChunkWriter()
    reader.feed(writer.write(Message(SET_CHUNK_SIZE, (0x7FFFFFFF).to_bytes(4)), 2))
    writer.chunk_bytes = 0xFFFFFF
    picture = writer.write(Message(PICTURE, bytes(3 << 20), 1, 1), 6)
    for at in range(0, len(picture), 1 << 16):
        assert reader.feed(picture[at : at + (1 << 16)]) == []
        assert len(reader._held) == 0
    sound = Message(SOUND, b"a" * 500, 1, 1)
    assert reader.feed(writer.write(sound, 4)) == [sound]


def test_kinds_that_nobody_wants_are_passed_over_however_long_they_are() -> None:
    reader = ChunkReader(passed_over=(PICTURE,))
    writer = ChunkWriter()
    long = writer.write(Message(PICTURE, bytes(3 << 20), 1, 1), 6)
    first = writer.write(Message(SOUND, b"a" * 200, 1, 1), 4)
    second = writer.write(Message(SOUND, b"b" * 200, 2, 1), 4)
    cut = 12 + 128 + 129 * 1550  # between two chunks
    pieces = [long[:cut], first[:140], long[cut:-5], long[-5:], first[140:], second]
    messages = [message for piece in pieces for message in reader.feed(piece)]
    assert [message.body for message in messages] == [b"a" * 200, b"b" * 200]
    assert len(reader._held) == 0
