"""Plivo accounts, each mapped to one application, and whether a request is signed by one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from bridge.errors import NotAllowed
from bridge.facades.signatures import NONCE_HEADER, SIGNATURE_HEADERS, Form, Nonces, is_signed, signed_text
from bridge.secret import Secret


class Account(Protocol):
    """Credentials as they are configured."""

    @property
    def auth_token(self) -> Secret: ...

    @property
    def application(self) -> str:
        """Empty where there is one application only."""


class KnownApplications(Protocol):
    """What is needed of the applications."""

    def authenticate(self, token: str) -> str | None: ...

    def only(self) -> str: ...


class PlivoAccounts:
    """Knows whose credentials are whose. `replace` changes them while the server runs."""

    def __init__(self, configured: Iterable[Account], applications: KnownApplications) -> None:
        """Raises ConfigError when an account's application cannot be told."""
        self._applications = applications
        self._tokens: dict[str, list[Secret]] = {}
        self._nonces = Nonces()
        self.replace(configured)

    def replace(self, configured: Iterable[Account]) -> None:
        """From now on these accounts, and no others. Raises ConfigError, and then nothing changes."""
        tokens: dict[str, list[Secret]] = {}
        for account in configured:
            application = account.application or self._applications.only()
            tokens.setdefault(application, []).append(account.auth_token)
        self._tokens = tokens

    def check(
        self, application_id: str, method: str, url: str, form: Form, headers: Mapping[str, str]
    ) -> Spendable:
        """What a signed request is worth: spend it when everything else about it is right.

        `url` is the public address of what was asked for; empty when it is not known. Raises NotAllowed when
        the signature is missing or wrong, or when the bridge has nothing to check it with: that is never
        taken for a right one.
        """
        if not any(headers.get(name) for name in SIGNATURE_HEADERS):
            raise NotAllowed("the request is not signed")
        tokens = [token.reveal() for token in self._tokens.get(application_id, ())]
        if not tokens or not url:
            raise NotAllowed("signatures cannot be checked here: no credentials or no public address are set")
        # A stream's upgrade is signed with http or https in all SDKs seen; ws and wss would say the same.
        texts = {
            signed_text(method, variant, form) for variant in (url, "ws" + url.removeprefix("http"))
        }  # fmt: skip
        if not is_signed(tokens, texts, headers):
            raise NotAllowed("the signature is wrong")
        return Spendable(self._nonces, headers[NONCE_HEADER])


class Spendable:
    """A right signature that may or may not have been used before."""

    def __init__(self, nonces: Nonces, nonce: str) -> None:
        self._nonces = nonces
        self._nonce = nonce

    def spend(self) -> None:
        """Use it. Raises NotAllowed when it was used before."""
        if not self._nonces.spend(self._nonce):
            raise NotAllowed("this signature was used before")
