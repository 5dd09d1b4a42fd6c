"""Plivo accounts, each mapped to one application, and whether a request is signed by one of them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bridge.errors import NotAllowed
from bridge.facades.signatures import Nonces, is_signed
from bridge.legs.plivo_signature_wire import NONCE_HEADER, SIGNATURE_HEADERS, Form, signed_text
from bridge.secret import Secret


class Account(Protocol):
    """Credentials as they are configured."""

    @property
    def auth_id(self) -> str: ...

    @property
    def auth_token(self) -> Secret: ...

    @property
    def application(self) -> str:
        """Empty where there is one application only."""


class KnownApplications(Protocol):
    """What is needed of the applications."""

    def authenticate(self, token: str) -> str | None: ...

    def only(self) -> str: ...


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account and whose it is."""

    auth_id: str
    application_id: str
    auth_token: Secret


NOBODY = Secret("")


class PlivoAccounts:
    """Knows whose credentials are whose. `replace` changes them while the server runs."""

    def __init__(self, configured: Iterable[Account], applications: KnownApplications) -> None:
        """Raises ConfigError when an account's application cannot be told."""
        self._applications = applications
        self._tokens: dict[str, list[Secret]] = {}
        self._accounts: dict[str, KnownAccount] = {}
        self._nonces = Nonces()
        self.replace(configured)

    def replace(self, configured: Iterable[Account]) -> None:
        """From now on these accounts, and no others. Raises ConfigError, and then nothing changes."""
        tokens: dict[str, list[Secret]] = {}
        accounts: dict[str, KnownAccount] = {}
        for account in configured:
            application = account.application or self._applications.only()
            tokens.setdefault(application, []).append(account.auth_token)
            accounts[account.auth_id] = KnownAccount(account.auth_id, application, account.auth_token)
        self._tokens, self._accounts = tokens, accounts

    def authenticate(self, auth_id: str, authorization: str) -> KnownAccount:
        """The account `auth_id`, if these are its credentials: an `Authorization` header, Basic (RFC 7617).

        Raises NotAllowed. Takes as long for a wrong token or an unknown account as for a right one.
        """
        name, token = _basic(authorization)
        account = self._accounts.get(auth_id)
        right = (account.auth_token if account else NOBODY) == Secret(token)
        if account is None or name != auth_id or not right:
            raise NotAllowed("the auth_id and auth_token are missing or wrong")
        return account

    def account(self, auth_id: str) -> KnownAccount | None:
        """The account of that id, as it is configured now."""
        return self._accounts.get(auth_id)

    def account_of(self, application_id: str) -> KnownAccount | None:
        """The application's first account, for what it asked for by other ways."""
        return next(
            (account for account in self._accounts.values() if account.application_id == application_id), None
        )

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


def _basic(authorization: str) -> tuple[str, str]:
    """User and password; two empty texts when there are none that can be read."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


class Spendable:
    """A right signature that may or may not have been used before."""

    def __init__(self, nonces: Nonces, nonce: str) -> None:
        self._nonces = nonces
        self._nonce = nonce

    def spend(self) -> None:
        """Use it. Raises NotAllowed when it was used before."""
        if not self._nonces.spend(self._nonce):
            raise NotAllowed("this signature was used before")
