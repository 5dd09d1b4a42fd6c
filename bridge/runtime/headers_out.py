"""Which headers of others' making may go out with a request."""

from __future__ import annotations

import re
from collections.abc import Mapping

# RFC 9110 §5.1 and §5.5, and nothing beyond ASCII: the receivers do not agree on what that means.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
# They say how the message is to be read, which is for whoever writes it to say.
_FRAMING = re.compile(
    r"host|connection|content-length|transfer-encoding|accept-encoding|upgrade|te|trailer|expect|sec-websocket-.*",
    re.IGNORECASE,
)


def sendable(headers: Mapping[str, str]) -> bool:
    """Whether all of them can be sent without changing what the request is."""
    return all(
        _NAME.fullmatch(name) and not _FRAMING.fullmatch(name) and _VALUE.fullmatch(value)
        for name, value in headers.items()
    )
