"""The account that simulated calls belong to: what signs the harness's requests, and opens its desk."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest

from bridge.harness.call_ids import ACCOUNT_ID
from bridge.legs.plivo_signature_wire import as_asked, headers_signing, signed_text


@dataclass(frozen=True, slots=True)
class Account:
    """Without an `auth_token` nothing is signed, and the desk asks for none."""

    auth_id: str = ACCOUNT_ID
    auth_token: str = field(default="", repr=False)

    def signed(self, method: str, url: str, form: Mapping[str, str]) -> dict[str, str]:
        """Headers of a request to `url`, with what it posts."""
        if not self.auth_token:
            return {}
        posted = {name: [value] for name, value in form.items()}
        return headers_signing(self.auth_token, [signed_text(method, url, posted)])

    def signed_socket(self, url: str) -> dict[str, str]:
        """Headers of the handshake of a WebSocket.

        It is signed as a GET of an http address: the vendor's SDK for Node makes wss into https, and calls
        of the vendor's own were seen to be right only with http. Either is taken for right.
        """
        if not self.auth_token:
            return {}
        asked = as_asked(url)
        plain = "http" + asked.removeprefix("https").removeprefix("http")
        return headers_signing(
            self.auth_token, [signed_text("GET", one, {}) for one in dict.fromkeys((asked, plain))]
        )

    def admits(self, auth_id: str, authorization: str) -> bool:
        """Whether a request on account `auth_id` says so itself (RFC 7617)."""
        kind, _, written = authorization.partition(" ")
        if kind.lower() != "basic" or auth_id != self.auth_id:
            return False
        try:
            user, _, password = b64decode(written.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        right = not self.auth_token or compare_digest(password.encode(), self.auth_token.encode())
        return user == self.auth_id and right
