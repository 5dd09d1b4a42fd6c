"""Routes as the page of the API shows them: path parameters and bodies, which the endpoints read."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bridge.facades.plivo.rest_wire import DEFAULT_FORMAT, DEFAULT_TIMEOUT_S, FORMATS, TRACKS

_FLAG, _TEXT = {"type": "boolean", "default": False}, {"type": "string"}
_LIST = {"type": "array", "items": _TEXT}
PARAMETERS: Mapping[str, Mapping[str, object]] = {
    "service_url": {"type": "string", "format": "uri", "description": "ws or wss"},
    "bidirectional": _FLAG,
    "audio_track": {"type": "string", "enum": list(TRACKS), "default": "inbound"},
    "stream_timeout": {"type": "integer", "minimum": 1, "default": DEFAULT_TIMEOUT_S, "description": "s"},
    "status_callback_url": {"type": "string", "format": "uri"},
    "status_callback_method": {"type": "string", "enum": ["GET", "POST"], "default": "POST"},
    "content_type": {"type": "string", "enum": list(FORMATS), "default": DEFAULT_FORMAT},
    "extra_headers": {"type": "string", "description": "key=value pairs with commas between"},
    "name": _TEXT,
    "hears": _LIST,
    "heard_by": _LIST,
    "hangup_on_close": _FLAG,
    "redial": _FLAG,
    "say_stop": _FLAG,
    "bots": _FLAG,
    "capture": _FLAG,
}
"""As the API's page shows them (JSON schema)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page says of a route."""

    name: str
    summary: str
    status: int
    """When all is well."""
    reasons: Mapping[int, str]
    """Other statuses, and what they mean."""


def add_route(
    router: APIRouter, method: str, path: str, run: Callable[[Request], Awaitable[Response]], shown: Shown
) -> None:
    """With a slash at its end, as the vendor has it, and without."""
    router.add_api_route(
        path + "/",
        run,
        methods=[method],
        summary=shown.summary,
        status_code=shown.status,
        operation_id=shown.name,
        response_class=Response,
        response_model=None,
        responses={status: {"description": text} for status, text in shown.reasons.items()},
        openapi_extra=_read_by_endpoints(path, method),
    )
    router.add_route(path, run, methods=[method], include_in_schema=False)


def _read_by_endpoints(path: str, method: str) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", path)
    said: dict[str, Any] = {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    }
    if method == "POST":
        schema = {"type": "object", "required": ["service_url"], "properties": PARAMETERS}
        kinds = ("application/json", "application/x-www-form-urlencoded")
        said["requestBody"] = {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}
    return said
