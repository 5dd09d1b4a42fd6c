"""Whoever holds a Plivo account of a running bridge: its stream API, by the vendor's client or without it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import plivo
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from tests.kit.running_bridge import PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN, RunningBridge

PLIVO = "https://api.plivo.com"


class _Elsewhere(HTTPAdapter):
    """Sends requests for the vendor's own server to another one."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = urlsplit(base)

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        assert request.url is not None
        asked = urlsplit(request.url)
        request.url = urlunsplit((self._base.scheme, self._base.netloc, asked.path, asked.query, ""))
        return super().send(request, *arguments, **options)


def vendor_client(
    bridge: RunningBridge, auth_id: str = PLIVO_AUTH_ID, auth_token: str = PLIVO_AUTH_TOKEN
) -> plivo.RestClient:
    """The vendor's client as it comes, for a bridge."""
    return elsewhere(bridge.base, auth_id, auth_token)


def elsewhere(base: str, auth_id: str, auth_token: str) -> plivo.RestClient:
    """The vendor's client; it has no option for a server of others, but its HTTP session has."""
    client = plivo.RestClient(auth_id, auth_token)
    client.session.mount(PLIVO, _Elsewhere(base))
    return client


class PlivoAccount:
    """Asks the stream API without the vendor's client, so that our extensions can be used too."""

    def __init__(
        self, bridge: RunningBridge, auth_id: str = PLIVO_AUTH_ID, auth_token: str = PLIVO_AUTH_TOKEN
    ) -> None:
        self._bridge = bridge
        self._auth = (auth_id, auth_token)

    async def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request below the account."""
        # Reading the authorities' certificates would take longer than all the rest; there is no TLS here.
        async with httpx.AsyncClient(
            base_url=self._bridge.base, timeout=10, auth=self._auth, verify=False
        ) as http:
            return await http.request(method, f"/v1/Account/{self._auth[0]}/{path}", **arguments)

    async def start(self, call: str, service_url: str, **parameters: object) -> str:
        """Start a stream; gives its id."""
        body = {"service_url": service_url, **parameters}
        response = await self.ask("POST", f"Call/{call}/Stream/", json=body)
        assert response.is_success, response.text
        return str(response.json()["stream_id"])

    async def look(self, call: str, stream: str) -> dict[str, Any]:
        """The stream as it is now, or as it ended."""
        response = await self.ask("GET", f"Call/{call}/Stream/{stream}/")
        assert response.is_success, response.text
        return dict(response.json())

    async def end(self, call: str, stream: str = "") -> int:
        """End one stream, or all of the call; gives the status."""
        response = await self.ask("DELETE", f"Call/{call}/Stream/" + (f"{stream}/" if stream else ""))
        return response.status_code

    async def hang_up(self, call: str) -> int:
        """End the call; gives the status."""
        return (await self.ask("DELETE", f"Call/{call}/")).status_code
