from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from bridge.runtime.ws_frames import text_frame, whole_text, wire_size

pytestmark = pytest.mark.wire

PAYLOADS = st.integers(0, 70_000).map(lambda n: b"ab\x00\xff" * (n // 4) + b"z" * (n % 4))


@given(PAYLOADS)
def test_a_text_frame_is_what_websockets_would_send(payload: bytes) -> None:
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@given(PAYLOADS, st.sampled_from(list(Opcode)), st.booleans())
def test_only_a_whole_text_frame_is_recognised(payload: bytes, opcode: Opcode, fin: bool) -> None:
    if opcode >= Opcode.CLOSE:
        payload, fin = payload[:125], True
    frame = Frame(opcode, payload, fin)
    wire = frame.serialize(mask=True)
    assert wire_size(frame) == len(wire)
    expected = payload if opcode is Opcode.TEXT and fin and len(payload) < 65_536 else None
    assert whole_text(wire, 70_000) == expected
    assert whole_text(wire[:-1], 70_000) is None
    assert whole_text(wire + b"\x81", 70_000) is None
    assert whole_text(wire, len(payload) - 1) is None


@given(st.binary(max_size=40))
def test_whatever_is_recognised_websockets_reads_the_same(wire: bytes) -> None:
    text = whole_text(wire, 1000)
    if text is not None:
        protocol = ServerProtocol(state=State.OPEN)
        protocol.receive_data(wire)
        assert protocol.events_received() == [Frame(Opcode.TEXT, text)]
