"""How the bridge verifies the servers that it connects to."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

import certifi


def client_context(ca_file: Path | None = None, protocols: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """TLS 1.2 and later, the name and the chain verified.

    Trusted are the system's authorities, Mozilla's (the system may have none, as in small containers), and
    those in the PEM file `ca_file`. Raises OSError when that cannot be read or used. `protocols` are offered
    (RFC 7301).
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(certifi.where())
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def tls_failure(error: ssl.SSLError) -> str:
    """What went wrong, for users."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: certificate verify failed: {error.verify_message}".removesuffix(".")
    return f"TLS: {(error.reason or 'handshake failed').replace('_', ' ').lower()}"
