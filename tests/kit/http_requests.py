"""Requests as a small server of a test reads them."""

from __future__ import annotations

import asyncio
from typing import NamedTuple


class HttpRequest(NamedTuple):
    """One request; names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


async def next_request(reader: asyncio.StreamReader) -> HttpRequest:
    """Raises IncompleteReadError when the client is done."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return HttpRequest(method, target, headers, body)
