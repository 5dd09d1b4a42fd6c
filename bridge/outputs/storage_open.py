"""How places are opened: what each vendor's client is given, and nothing of this server's own besides.

The clients take whatever they are not told from the environment. What the operator has configured may rely on
that; a place that a request has named is told everything, so that nobody gets at what is the server's.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from obstore.store import AzureStore, GCSStore, S3Store

from bridge.outputs.storage_place import Place, ServiceAccount

Store = S3Store | GCSStore | AzureStore

_GCS_SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
_TOKEN_S: Final = 3600
_ENCRYPTIONS: Final = {"aes256": "AES256", "kms": "aws:kms"}


@dataclass(frozen=True, slots=True)
class Opening:
    """How to get to places."""

    ca_file: Path | None = None
    """Authorities that are trusted besides the public ones."""
    timeout_s: float = 60.0
    """Of one request."""
    proxy: str = ""
    """Every connection goes through it: the address of an HTTP proxy, with its credentials."""
    apart: bool = False
    """Take nothing from this server's environment, where the command line leaves no keys to encrypt with."""


def open_store(place: Place, opening: Opening) -> Store:
    """Nothing is asked yet. Raises obstore's BaseError, ValueError, OSError."""
    client: Any = {
        "timeout": timedelta(seconds=opening.timeout_s),
        "connect_timeout": timedelta(seconds=min(10.0, opening.timeout_s)),
    }
    if place.endpoint:
        parts = urlsplit(place.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("no such endpoint")
        client["allow_http"] = parts.scheme == "http"
    if opening.ca_file is not None:
        client["root_certificate"] = opening.ca_file.read_bytes()
    if opening.proxy:
        client["proxy_url"] = opening.proxy
    # Trying again is the queue's work, which outlives a restart.
    retry: Any = {"max_retries": 1, "retry_timeout": timedelta(seconds=opening.timeout_s)}
    given: dict[str, Any] = {"client_options": client, "retry_config": retry}
    match place.kind:
        case "s3":
            return _s3(place, opening, given)
        case "gcs":
            return _gcs(place, opening, given)
        case "azure":
            return _azure(place, opening, given)


def _s3(place: Place, opening: Opening, given: dict[str, Any]) -> S3Store:
    # One by one: not everything that is compatible deletes many at once.
    config: Any = {"region": place.region or "us-east-1", "disable_bulk_delete": True}
    if place.endpoint:
        config["endpoint"] = place.endpoint
    if place.encryption:
        config["server_side_encryption"] = _ENCRYPTIONS[place.encryption]
    if place.kms_key:
        config["sse_kms_key_id"] = place.kms_key
    if place.tags:
        config["disable_tagging"] = False
    if opening.apart:
        config |= {
            "virtual_hosted_style_request": False,
            "skip_signature": False,
            "request_payer": False,
            "s3_express": False,
        }
        if not place.encryption:  # with it, an empty key would be taken for one that there is not
            config |= {"sse_kms_key_id": "", "sse_customer_key_base64": ""}
    if place.access_key:
        keys = {
            "access_key_id": place.access_key,
            "secret_access_key": place.secret_key,
            "token": place.session_token or None,
            "expires_at": None,
        }
        # Given so, no session token from the environment joins them.
        given["credential_provider"] = lambda: keys
    return S3Store(place.bucket, config=config, **given)


def _gcs(place: Place, opening: Opening, given: dict[str, Any]) -> GCSStore:
    config: Any = {}
    if place.secret_key:
        config["service_account_key"] = place.secret_key
    if place.endpoint:
        config["base_url"] = place.endpoint
    if opening.apart:
        config["skip_signature"] = False
        given["credential_provider"] = SelfSigned(place.secret_key)
    return GCSStore(place.bucket, config=config, **given)


def _azure(place: Place, opening: Opening, given: dict[str, Any]) -> AzureStore:
    config: Any = {"account_name": place.access_key}
    if place.endpoint:
        config["endpoint"] = place.endpoint
    if opening.apart:
        config |= {"skip_signature": False, "use_emulator": False, "use_fabric_endpoint": False}
    if place.secret_key:
        key = {"access_key": place.secret_key, "expires_at": None}
        given["credential_provider"] = lambda: key
    return AzureStore(place.bucket, config=config, **given)


class SelfSigned:
    """Tokens for GCS that a service account signs for itself (Google's AIP-4111); called for each new one."""

    def __init__(self, key_file: str) -> None:
        """Raises ValueError for a key that is none."""
        self._account = msgspec.json.decode(key_file, type=ServiceAccount)
        try:
            key = load_pem_private_key(self._account.private_key.encode(), password=None)
        except Exception:  # whatever a broken key makes of the parser, and its text may hold parts of it
            raise ValueError("no private key") from None
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("no RSA key")
        self._key = key

    def __call__(self) -> dict[str, Any]:
        """A token, and until when it is good."""
        now = int(time.time())
        claims = {
            "iss": self._account.client_email,
            "sub": self._account.client_email,
            "scope": _GCS_SCOPE,
            "iat": now,
            "exp": now + _TOKEN_S,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": self._account.private_key_id}
        signed = b".".join(_text(msgspec.json.encode(part)) for part in (header, claims))
        signature = self._key.sign(signed, PKCS1v15(), hashes.SHA256())
        until = datetime.fromtimestamp(now + _TOKEN_S, UTC)
        return {"token": b".".join((signed, _text(signature))).decode(), "expires_at": until}


def _text(some: bytes) -> bytes:
    return base64.urlsafe_b64encode(some).rstrip(b"=")
