"""Messages between server and child, however the bytes come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.outputs.child_frames import MAX_MESSAGE, BadFrame, FrameCutter, FrameKind, head

pytestmark = pytest.mark.unit


@given(
    st.lists(st.tuples(st.sampled_from(FrameKind), st.binary(max_size=50)), max_size=12),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_messages_come_whole_and_in_order(messages: list[tuple[FrameKind, bytes]], pieces: list[int]) -> None:
    stream = b"".join(head(kind, len(payload)) + payload for kind, payload in messages)
    cutter, found = FrameCutter(), []
    while stream:
        for length in pieces:
            found += cutter.feed(stream[:length])
            stream = stream[length:]
    assert found == messages


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(BadFrame):
        head(FrameKind.MESSAGE, MAX_MESSAGE + 1)
    with pytest.raises(BadFrame):
        FrameCutter().feed(b"\xff" * 5)
    with pytest.raises(BadFrame):
        FrameCutter().feed(b"\x01\x00\x00\x00\x09")
