"""Answers that hold a resource, or nothing; `errors` makes those that refuse."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

NOT_KEPT = {"Cache-Control": "no-store"}
"""Some hold a token, or an address with a key in it."""


def ok(resource: Any = None) -> Response:
    """200, with or without a body."""
    if resource is None:
        return Response(status_code=200, headers=NOT_KEPT)
    return Response(msgspec.json.encode(resource), headers=NOT_KEPT, media_type="application/json")
