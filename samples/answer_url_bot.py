"""The bot of plivo_bot.py as Plivo finds it: behind an answer URL, hanging up by REST.

    python samples/answer_url_bot.py --port 9001
    mediabridge test --answer-url http://127.0.0.1:9001/answer --hangup-url http://127.0.0.1:9001/hangup

With PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN in the environment of both, requests have to be signed. The key # ends
the call: `DELETE …/Call/{call_uuid}/` at Plivo, or where the request for the XML says.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import os
from collections.abc import AsyncIterator
from html import escape

import httpx
import uvicorn
from plivo_bot import Conversation
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

AUTH_ID = os.environ.get("PLIVO_AUTH_ID", "MASIMULATEDCALLER000")
AUTH_TOKEN = os.environ.get("PLIVO_AUTH_TOKEN", "")
PLIVO = "https://api.plivo.com"
XML = (
    '<?xml version="1.0" encoding="utf-8"?><Response><Stream bidirectional="true" keepCallAlive="true" '
    'contentType="audio/x-l16;rate=16000">{url}</Stream></Response>'
)

desks: dict[str, str] = {}
"""Where the calls that go on are looked after, by their ids."""


class Line:
    """A socket as Conversation wants it; closing it hangs up the call."""

    def __init__(self, socket: WebSocket, call_uuid: str) -> None:
        self._socket = socket
        self._call_uuid = call_uuid

    def __aiter__(self) -> AsyncIterator[str]:
        return self._socket.iter_text()

    async def send(self, message: str) -> None:
        await self._socket.send_text(message)

    async def close(self) -> None:
        base = desks.get(self._call_uuid, PLIVO)
        async with httpx.AsyncClient(auth=(AUTH_ID, AUTH_TOKEN), timeout=10) as http:
            answer = await http.delete(f"{base}/v1/Account/{AUTH_ID}/Call/{self._call_uuid}/")
        print(f"hung up: {answer.status_code}", flush=True)


async def answer(request: Request) -> Response:
    form = await request.form()
    if not is_signed(request, form):
        return Response("the signature is missing or wrong", 403)
    call_uuid = str(form["CallUUID"])
    desks[call_uuid] = request.headers.get("X-Mediabridge-Rest-Url", PLIVO)
    url = str(request.url.replace(scheme="wss" if request.url.scheme == "https" else "ws", path="/stream"))
    return Response(XML.format(url=escape(f"{url}?call={call_uuid}")), media_type="application/xml")


async def hangup(request: Request) -> Response:
    form = await request.form()
    if not is_signed(request, form):
        return Response(status_code=403)
    desks.pop(str(form["CallUUID"]), None)
    print(f"ended: {form['HangupCauseName']}, {form['HangupSource']}, {form['Duration']} s", flush=True)
    return Response()


async def stream(socket: WebSocket) -> None:
    await socket.accept()
    await Conversation(Line(socket, socket.query_params.get("call", "")), greets=True).run()


def is_signed(request: Request, form: FormData) -> bool:
    """Plivo's third version, for addresses without a query."""
    if not AUTH_TOKEN:
        return True
    posted = "".join(f"{name}{form[name]}" for name in sorted(form))
    nonce = request.headers.get("X-Plivo-Signature-V3-Nonce", "")
    signed = hmac.digest(AUTH_TOKEN.encode(), f"{request.url}?{posted}.{nonce}".encode(), "sha256")
    return hmac.compare_digest(
        base64.b64encode(signed).decode(), request.headers.get("X-Plivo-Signature-V3", "")
    )


app = Starlette(
    routes=[
        Route("/answer", answer, methods=["POST"]),
        Route("/hangup", hangup, methods=["POST"]),
        WebSocketRoute("/stream", stream),
    ]
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a voice bot behind an answer URL")
    parser.add_argument("--port", type=int, default=9001)
    arguments = parser.parse_args()
    print(f"listening on http://127.0.0.1:{arguments.port}/answer", flush=True)
    uvicorn.run(app, port=arguments.port, log_level="warning", ws_per_message_deflate=False)
