"""Plivo's request signatures, version 3: what is signed, of which address, and how it is written. Pure.

`X-Plivo-Signature-V3` is one base64 HMAC-SHA256 or several with commas between; the key is the account's
auth token, the text is the address (with what a form posted), a dot, and `X-Plivo-Signature-V3-Nonce`.
Source: Plivo, "Validating requests"; the vendor's own `plivo.utils.validate_v3_signature`.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from hmac import digest
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

SIGNATURE_HEADERS = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
"""The account's own, and (for a subaccount's calls) the main account's."""
NONCE_HEADER = "x-plivo-signature-v3-nonce"
FORM = "application/x-www-form-urlencoded"
"""What posted fields are."""

Form = Mapping[str, Sequence[str]]
"""What was posted: every name's values."""

_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}
_ASKED_WITH = {"ws": "http", "wss": "https"}
_AS_WRITTEN = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


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
    return headers_signing(auth_token, [signed_text(method, url, form)])


def headers_signing(auth_token: str, texts: Sequence[str]) -> dict[str, str]:
    """A signature of each of `texts`, for receivers that may know the address in one form or another."""
    nonce = secrets.token_hex(16)
    signed = ",".join(signature(auth_token, text, nonce) for text in texts)
    return {SIGNATURE_HEADERS[0]: signed, NONCE_HEADER: nonce}


def as_asked(url: str) -> str:
    """The address as whoever is asked sees it: http for ws, without the scheme's own port, in ASCII."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    if not host.isascii():
        with suppress(UnicodeError):  # then it cannot be reached either
            host = host.encode("idna").decode()
    if ":" in host:
        host = f"[{host}]"
    if parts.port not in (None, _PORTS.get(parts.scheme)):
        host = f"{host}:{parts.port}"
    scheme = _ASKED_WITH.get(parts.scheme, parts.scheme)
    path, query = quote(parts.path or "/", safe=_AS_WRITTEN), quote(parts.query, safe=_AS_WRITTEN)
    return urlunsplit((scheme, host, path, query, ""))


def with_query(url: str, fields: Mapping[str, str]) -> str:
    """`url` with `fields` behind the query it has.

    What is not ASCII is percent-encoded before it is written: the vendor's own check of a signature breaks on
    a query that decodes to anything else.
    """
    parts = urlsplit(url)
    ascii_fields = {name: quote(value, safe=_AS_WRITTEN + " ") for name, value in fields.items()}
    query = "&".join(part for part in (parts.query, urlencode(ascii_fields)) if part)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
