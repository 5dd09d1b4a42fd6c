"""Connects a simulated call to the service, and says plainly why that failed."""

from __future__ import annotations

from collections.abc import Mapping

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from bridge.errors import BridgeError

OPEN_TIMEOUT_S = 10.0
MAX_MESSAGE_BYTES = 16 * 1024 * 1024


class CallFailed(BridgeError):
    """The call did not come about; `status` is the service's HTTP answer, where there was one."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


async def open_socket(url: str, headers: Mapping[str, str], *, pings: bool = True) -> ClientConnection:
    """A connection to the service at `url`. Raises CallFailed, whose text holds no query.

    With `pings`, a service that answers none of them for 20 s has gone away.
    """
    try:
        return await connect(
            url,
            additional_headers=dict(headers),
            compression=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=2,
            max_size=MAX_MESSAGE_BYTES,
            ping_interval=20 if pings else None,
            proxy=None,
        )
    except InvalidStatus as refused:
        body = (refused.response.body or b"").decode(errors="replace").strip()[:300]
        status = refused.response.status_code
        raise CallFailed(f"the service answered {status} {body}".strip(), status) from None
    except (InvalidURI, InvalidHandshake, OSError, TimeoutError) as wrong:
        text = str(wrong) or type(wrong).__name__
        raise CallFailed(f"cannot connect: {text.replace(url, url.partition('?')[0])}") from None
