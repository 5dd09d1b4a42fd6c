from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from bridge.errors import BadInput, BodyTooLarge
from bridge.request_body import whole_body

pytestmark = pytest.mark.unit


def posting(*pieces: bytes, leaves: bool = False) -> tuple[Request, list[bytes]]:
    """A request, and those of its pieces that nobody has read yet."""
    left = list(pieces)

    async def receive() -> Any:
        if leaves and not left:
            return {"type": "http.disconnect"}
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": leaves or bool(left)}

    return Request({"type": "http", "method": "POST", "headers": []}, receive), left


@pytest.mark.parametrize("pieces", [(b"",), (b"abc", b"defg"), (b"", b"abcdefg")])
async def test_pieces_are_put_together(pieces: tuple[bytes, ...]) -> None:
    request, _ = posting(*pieces)
    assert await whole_body(request, 7) == b"".join(pieces)


async def test_what_is_too_large_is_not_read_to_its_end() -> None:
    request, left = posting(b"abcd", b"efgh", b"ijkl")
    with pytest.raises(BodyTooLarge, match="larger than 7 bytes"):
        await whole_body(request, 7)
    assert left == [b"ijkl"]


async def test_a_client_that_goes_away_is_told_from_one_that_is_done() -> None:
    request, _ = posting(b"abcd", leaves=True)
    with pytest.raises(BadInput, match="went away"):
        await whole_body(request, 7)
