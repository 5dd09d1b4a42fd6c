from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.runtime.rtmp_connect import ConnectRewriter, tc_url_of

pytestmark = pytest.mark.unit

HANDSHAKE = bytes(3073)
REAL = "rtmps://media.example/app/inst"


def text(value: str) -> bytes:
    return b"\x02" + len(value).to_bytes(2) + value.encode()


def connect(tc_url: str, extra: str = "") -> bytes:
    """A `connect` as clients write it, in chunks of 128 bytes."""
    body = text("connect") + b"\x00" + bytes(8) + b"\x03"
    for name, value in (("app", "live"), ("tcUrl", tc_url), ("flashVer", "x" + extra)):
        body += len(name).to_bytes(2) + name.encode() + text(value)
    body += b"\x00\x00\x09"
    header = b"\x03" + bytes(3) + len(body).to_bytes(3) + b"\x14" + bytes(4)
    return header + b"\xc3".join(body[at : at + 128] for at in range(0, len(body), 128))


def fed(stream: bytes, sizes: list[int]) -> bytes:
    rewriter, out, at = ConnectRewriter(REAL), b"", 0
    for size in [*sizes, len(stream)]:
        out += rewriter.feed(stream[at : at + size])
        at += size
    return out


@given(sizes=st.lists(st.integers(1, 2000), max_size=60), local=st.text("abc/:.", max_size=300))
def test_the_address_is_put_right_however_the_bytes_come(sizes: list[int], local: str) -> None:
    after = random.Random(1).randbytes(500)
    assert fed(HANDSHAKE + connect(local) + after, sizes) == HANDSHAKE + connect(REAL) + after


@pytest.mark.parametrize("length", [0, 1, 100, 127, 128, 129, 700])
def test_messages_of_every_length_are_cut_into_chunks_anew(length: int) -> None:
    sent = HANDSHAKE + connect("rtmp://127.0.0.1:5/app", "y" * length)
    assert fed(sent, [3100]) == HANDSHAKE + connect(REAL, "y" * length)


@given(stream=st.binary(max_size=400), sizes=st.lists(st.integers(1, 100), max_size=10))
def test_what_is_no_connect_is_passed_or_held_and_never_changed(stream: bytes, sizes: list[int]) -> None:
    out = fed(HANDSHAKE + stream, [3073, *sizes])
    assert (HANDSHAKE + stream).startswith(out)


def test_what_has_no_address_in_it_passes_as_it_is() -> None:
    sent = HANDSHAKE + connect("rtmp://127.0.0.1:5/app").replace(b"tcUrl", b"other")
    assert fed(sent, []) == sent


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/live2/key", "rtmps://a.example/live2"),
        ("/app/inst/key?token=x/y", "rtmps://a.example/app/inst"),
        ("/stream", "rtmps://a.example/stream"),
        ("/stream?user=a/b", "rtmps://a.example/stream?user=a/b"),
    ],
)
def test_the_address_has_everything_but_the_streams_name(path: str, expected: str) -> None:
    assert tc_url_of("rtmps", "a.example", path) == expected
