"""What a Plivo number is pointed at: `/{application}/{conference}/plivo/answer` gives the XML that streams.

The request must be signed by one of the application's accounts. The stream's address carries a token of its
own, good for that one call. `?content_type=…` picks the audio format, `?name=…` the caller's name, and
`?capture=true` has the call captured (docs/captures.md).
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs
from xml.sax.saxutils import escape, quoteattr

import msgspec
from fastapi import APIRouter, Request, Response

from bridge.directory import Directory
from bridge.errors import BadInput, Draining, NoSuchRoom, NotAllowed
from bridge.facades.plivo.accounts import PlivoAccounts
from bridge.facades.plivo.names import caller_name, clean, name_header
from bridge.facades.plivo.rest_wire import read_capture
from bridge.facades.plivo.stream_tokens import StreamTokens
from bridge.facades.plivo.streams import Switching
from bridge.request_body import whole_body

CONTENT_TYPES = ("audio/x-l16;rate=16000", "audio/x-l16;rate=8000", "audio/x-mulaw;rate=8000")
"""The first one is used where none is asked for."""
MAX_FORM_BYTES = 64 * 1024
MAX_FORM_FIELDS = 200


class Answers:
    """See the module's docstring."""

    def __init__(
        self,
        directory: Directory,
        switchboard: Switching,
        accounts: PlivoAccounts,
        stream_tokens: StreamTokens,
        public_base_url: str,
        captures: bool = False,
    ) -> None:
        self._directory = directory
        self._switchboard = switchboard
        self._accounts = accounts
        self._stream_tokens = stream_tokens
        self._public_base_url = public_base_url
        self._captures = captures

    def router(self) -> APIRouter:
        """The route, for GET and POST."""
        router = APIRouter(tags=["Plivo"])
        for method in ("GET", "POST"):
            router.add_api_route(
                "/{application_id}/{conference_id}/plivo/answer",
                self._endpoint(method),
                methods=[method],
                summary="Answer XML that streams a call into the conference",
                operation_id=f"plivo_answer_{method.lower()}",
                response_class=Response,
                responses={
                    200: {"content": {"application/xml": {}}, "description": "Plivo XML"},
                    401: {"description": "The signature is missing or wrong"},
                    404: {"description": "No such conference"},
                },
            )
        return router

    def _endpoint(self, method: str) -> Callable[..., object]:
        async def answer(application_id: str, conference_id: str, request: Request) -> Response:
            return await self._answer(application_id, conference_id, request, method)

        return answer

    async def _answer(
        self, application_id: str, conference_id: str, request: Request, method: str
    ) -> Response:
        try:
            form = await _form(request) if method == "POST" else {}
            query = request.url.query
            target = request.scope["raw_path"].decode("ascii", "replace") + (f"?{query}" if query else "")
            url = self._public_base_url and self._public_base_url + target
            granted = self._accounts.check(application_id, method, url, form, request.headers)
            conference = self._directory.conference(application_id, conference_id)
            if self._switchboard.draining:
                raise Draining()
            asked = {name: values[-1] for name, values in form.items()} | dict(request.query_params)
            content_type = asked.get("content_type", CONTENT_TYPES[0]).replace(" ", "")
            if content_type not in CONTENT_TYPES:
                return _error(400, f"content_type must be one of {', '.join(CONTENT_TYPES)}")
            capture = read_capture(asked.get("capture", ""), possible=self._captures)
            granted.spend()
        except BadInput as wrong:
            return _error(400, str(wrong))
        except NotAllowed as refused:
            return _error(401, str(refused))
        except NoSuchRoom:
            return _error(404, "no such conference")
        except Draining as refused:
            return _error(503, str(refused), {"Retry-After": str(refused.retry_after_s)})
        name = clean(asked.get("name", "")) or caller_name(asked)
        token = self._stream_tokens.make(conference.id, name)
        stream_url = (
            "ws"
            + self._public_base_url.removeprefix("http")
            + f"/{application_id}/{conference_id}/plivo?stream_token={token}"
            + ("&capture=true" if capture else "")
        )
        return Response(stream_xml(stream_url, content_type, name_header(name)), media_type="application/xml")


def stream_xml(url: str, content_type: str, extra_headers: str) -> str:
    """A `<Response>` that streams a call to `url` both ways for as long as the call lasts."""
    attributes = {
        "bidirectional": "true",
        "contentType": content_type,
        "keepCallAlive": "true",
        **({"extraHeaders": extra_headers} if extra_headers else {}),
    }
    written = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    stream = f"<Stream{written}>{escape(url)}</Stream>"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<Response>{stream}</Response>\n'


async def _form(request: Request) -> dict[str, list[str]]:
    """Every posted field; nothing when it is no form."""
    body = await whole_body(request, MAX_FORM_BYTES)
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise BadInput("what was posted is not a form") from None


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    body = msgspec.json.encode({"error": text, "status": status})
    return Response(body, status, headers, media_type="application/json")
