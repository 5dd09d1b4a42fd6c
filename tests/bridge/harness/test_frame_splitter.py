"""Cutting messages out of a WebSocket's bytes: the library, given what is left, sees the same as ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from bridge.harness.frame_splitter import FrameSplitter

pytestmark = pytest.mark.unit

TEXT, BINARY, CONT = Opcode.TEXT, Opcode.BINARY, Opcode.CONT


def written(*frames: Frame) -> bytes:
    return b"".join(frame.serialize(mask=False) for frame in frames)


class Reader:
    """Messages in the order in which they are whole, with a library that gets what the splitter leaves."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bool]] = []
        self.cut_out = 0
        self.pings: list[bytes] = []
        self.library = ClientProtocol(parse_uri("ws://service.example/"), max_size=1 << 20)
        self.library.state = State.OPEN
        # What the handshake's parser would go on with.
        self.library.parser = super(ClientProtocol, self.library).parse()
        next(self.library.parser)
        self.splitter = FrameSplitter(self._message, self._rest)
        self._pieces: list[bytes] = []
        self._is_text = True

    def _message(self, message: bytes, is_text: bool) -> None:
        self.cut_out += 1
        self.messages.append((message, is_text))

    def _rest(self, received: bytes) -> None:
        self.library.receive_data(received)
        for event in self.library.events_received():
            assert isinstance(event, Frame)
            if event.opcode is Opcode.PING:
                self.pings.append(bytes(event.data))
            elif event.opcode in (TEXT, BINARY, CONT):
                if event.opcode is not CONT:
                    self._is_text = event.opcode is TEXT
                self._pieces.append(bytes(event.data))
                if event.fin:
                    self.messages.append((b"".join(self._pieces), self._is_text))
                    self._pieces.clear()


def read(stream: bytes, cuts: list[int]) -> Reader:
    reader = Reader()
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    for start, stop in zip(places, places[1:], strict=False):
        reader.splitter.feed(stream[start:stop])
    return reader


SIZES = st.sampled_from([0, 1, 125, 126, 127, 700, 65_535, 65_536, 70_000])


@st.composite
def messages(draw: st.DrawFn) -> tuple[list[Frame], list[tuple[bytes, bool]], list[bytes]]:
    """Frames, and the messages and pings in them."""
    frames: list[Frame] = []
    whole: list[tuple[bytes, bool]] = []
    pings: list[bytes] = []
    for number in range(draw(st.integers(1, 8))):
        is_text = draw(st.booleans())
        pieces = [bytes([65 + number]) * draw(SIZES) for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3])))]
        for at, piece in enumerate(pieces):
            opcode = CONT if at else TEXT if is_text else BINARY
            frames.append(Frame(opcode, piece, fin=at == len(pieces) - 1))
            if draw(st.integers(0, 4)) == 0:  # control frames come between fragments, too
                pings.append(b"ping %d" % len(pings))
                frames.append(Frame(Opcode.PING, pings[-1]))
        whole.append((b"".join(pieces), is_text))
    return frames, whole, pings


@given(messages(), st.lists(st.integers(0, 1 << 20), max_size=12))
def test_however_the_bytes_are_cut_the_same_messages_come_in_the_same_order(
    made: tuple[list[Frame], list[tuple[bytes, bool]], list[bytes]], cuts: list[int]
) -> None:
    frames, whole, pings = made
    reader = read(written(*frames), cuts)
    assert reader.messages == whole
    assert reader.pings == pings
    assert reader.library.state is State.OPEN


def test_what_services_usually_send_never_reaches_the_library() -> None:
    reader = read(written(*(Frame(TEXT, b"x" * size) for size in (5, 900, 65_535))), [3, 100, 40_000])
    assert reader.cut_out == 3
    assert reader.library.events_received() == []


def test_one_byte_at_a_time() -> None:
    stream = written(Frame(TEXT, b"hello"), Frame(Opcode.PING, b"p"), Frame(BINARY, b"y" * 200))
    reader = read(stream, list(range(len(stream))))
    assert reader.messages == [(b"hello", True), (b"y" * 200, False)]
    assert reader.pings == [b"p"]


@pytest.mark.parametrize(
    "broken",
    [
        Frame(TEXT, b"masked").serialize(mask=True),
        b"\xc1\x01x",  # a reserved bit
        b"\x83\x01x",  # an opcode that there is not
        written(Frame(CONT, b"of nothing")),
        written(Frame(TEXT, b"a", fin=False), Frame(TEXT, b"b")),
        b"\x81\x7f" + (1 << 62).to_bytes(8, "big"),  # larger than anything
        b"\x89\x7e\x01\x00" + bytes(256),  # a ping of more than 125 bytes
    ],
    ids=["masked", "reserved", "opcode", "continuation", "interrupted", "huge", "ping"],
)
def test_what_breaks_the_rules_is_left_to_the_library(broken: bytes) -> None:
    for cuts in ([], list(range(1, 40))):
        reader = read(written(Frame(TEXT, b"good")) + broken, cuts)
        assert reader.messages[0] == (b"good", True)
        assert reader.library.close_sent is not None and reader.library.close_sent.code in (1002, 1009)


def test_nothing_counts_after_a_close() -> None:
    closing = Frame(Opcode.CLOSE, Close(1000, "bye").serialize())
    reader = read(written(Frame(TEXT, b"good"), closing, Frame(TEXT, b"late")), [])
    assert reader.messages == [(b"good", True)]
    assert reader.library.close_rcvd == Close(1000, "bye")
    reader = Reader()
    reader.splitter.close()
    reader.splitter.feed(written(Frame(TEXT, b"the library's")))
    assert (reader.messages, reader.cut_out) == ([(b"the library's", True)], 0)
