"""Plivo's request signatures, version 3: what is signed, and whether a signature is right and fresh.

`X-Plivo-Signature-V3` is one base64 HMAC-SHA256 or several with commas between; the key is the account's
auth token, the text is the address (with what a form posted), a dot, and `X-Plivo-Signature-V3-Nonce`.
Source: Plivo, "Validating requests"; the vendor's own `plivo.utils.validate_v3_signature`.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest, digest
from time import monotonic
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

SIGNATURE_HEADERS = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
"""The account's own, and (for a subaccount's calls) the main account's."""
NONCE_HEADER = "x-plivo-signature-v3-nonce"
MAX_SIGNATURES = 10
MAX_NONCE_CHARACTERS = 256

Form = Mapping[str, Sequence[str]]
"""What was posted: every name's values."""


def signed_text(method: str, url: str, form: Form) -> str:
    """What is signed, but for the nonce. `url` is as the caller knows it, with its query.

    GET: the address, with the query's parameters sorted. POST: the same, then the form's names and values
    in order, without anything between them; `?` or `.` marks where they begin.
    """
    parts = urlsplit(url)
    address = f"{parts.scheme}://{parts.netloc}{parts.path}"
    query = parse_qs(parts.query, keep_blank_values=True)
    sorted_query = "&".join(f"{name}={value}" for name in sorted(query) for value in sorted(query[name]))
    if sorted_query:
        address += f"?{sorted_query}"
    if method != "POST" or not form:
        return address
    posted = "".join(f"{name}{value}" for name in sorted(form) for value in sorted(form[name]))
    return f"{address}{'.' if sorted_query else '?'}{posted}"


def signature(auth_token: str, text: str, nonce: str) -> str:
    """The signature of `text`, as it stands in the header."""
    return b64encode(digest(auth_token.encode(), f"{text}.{nonce}".encode(), sha256)).decode()


def signing_headers(auth_token: str, method: str, url: str, form: Form) -> dict[str, str]:
    """What a request of ours carries so that its receiver can check it; a nonce of its own each time."""
    nonce = secrets.token_hex(16)
    signed = signature(auth_token, signed_text(method, url, form), nonce)
    return {SIGNATURE_HEADERS[0]: signed, NONCE_HEADER: nonce}


def is_signed(auth_tokens: Iterable[str], texts: Iterable[str], headers: Mapping[str, str]) -> bool:
    """Whether one of `texts` was signed with one of `auth_tokens`; without tokens nothing is.

    `headers` have lower-case names. Takes as long for a wrong signature as for a right one.
    """
    nonce = headers.get(NONCE_HEADER, "")
    if not 0 < len(nonce) <= MAX_NONCE_CHARACTERS:
        return False
    given = [
        one.strip().encode("utf-8", "replace")
        for header in SIGNATURE_HEADERS
        for one in headers.get(header, "").split(",")[:MAX_SIGNATURES]
    ]
    texts = list(texts)
    right = False
    for auth_token in auth_tokens:
        for text in texts:
            expected = signature(auth_token, text, nonce).encode()
            for one in given:
                right |= compare_digest(expected, one)
    return right


class Clock(Protocol):
    """Seconds since some moment."""

    def __call__(self) -> float: ...


class Nonces:
    """Nonces of requests that were granted: the same request is not granted twice.

    Remembers `bound` of them for `expiry_s`; when there are more, the oldest are forgotten.
    """

    def __init__(self, bound: int = 100_000, expiry_s: float = 24 * 3600.0, now: Clock = monotonic) -> None:
        self._bound = bound
        self._expiry_s = expiry_s
        self._now = now
        self._used: dict[str, float] = {}

    def spend(self, nonce: str) -> bool:
        """True the first time."""
        now = self._now()
        self._forget(now)
        if nonce in self._used:
            return False
        self._used[nonce] = now + self._expiry_s
        return True

    def __len__(self) -> int:
        return len(self._used)

    def _forget(self, now: float) -> None:
        # All live equally long, so the order of arrival is the order of expiry.
        while self._used:
            oldest = next(iter(self._used))
            if self._used[oldest] > now and len(self._used) < self._bound:
                break
            del self._used[oldest]
