from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from bridge.runtime.ws_frames import (
    masked_text_frame,
    text_frame,
    unmasked_wire_size,
    whole_text,
    whole_unmasked_text,
    wire_size,
)

pytestmark = pytest.mark.wire

PAYLOADS = st.integers(0, 70_000).map(lambda n: b"ab\x00\xff" * (n // 4) + b"z" * (n % 4))


@given(PAYLOADS)
def test_a_text_frame_is_what_websockets_would_send(payload: bytes) -> None:
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@given(PAYLOADS)
def test_a_masked_text_frame_is_read_as_what_it_was(payload: bytes) -> None:
    protocol = ServerProtocol(state=State.OPEN, max_size=None)
    wire = masked_text_frame(payload)
    protocol.receive_data(wire)
    assert protocol.events_received() == [Frame(Opcode.TEXT, payload)]
    assert len(wire) == len(Frame(Opcode.TEXT, payload).serialize(mask=True))


@given(PAYLOADS, st.sampled_from(list(Opcode)), st.booleans(), st.booleans())
def test_only_a_whole_text_frame_is_recognised(
    payload: bytes, opcode: Opcode, fin: bool, masked: bool
) -> None:
    if opcode >= Opcode.CLOSE:
        payload, fin = payload[:125], True
    frame = Frame(opcode, payload, fin)
    wire = frame.serialize(mask=masked)
    size, whole = (wire_size, whole_text) if masked else (unmasked_wire_size, whole_unmasked_text)
    assert size(frame) == len(wire)
    expected = payload if opcode is Opcode.TEXT and fin and len(payload) < 65_536 else None
    assert whole(wire, 70_000) == expected
    assert whole(wire[:-1], 70_000) is None
    assert whole(wire + b"\x81", 70_000) is None
    assert whole(wire, len(payload) - 1) is None


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda rest: b"\x81" + rest))
def test_whatever_is_recognised_websockets_reads_the_same(wire: bytes) -> None:
    for whole, protocol in (
        (whole_text, ServerProtocol(state=State.OPEN)),
        (whole_unmasked_text, ClientProtocol(parse_uri("ws://h/"), state=State.OPEN)),
    ):
        text = whole(wire, 1000)
        if text is not None:
            protocol.receive_data(wire)
            assert protocol.events_received() == [Frame(Opcode.TEXT, text)]
