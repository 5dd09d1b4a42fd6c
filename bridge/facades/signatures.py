"""Whether a request's signature is right, and fresh; `legs/plivo_signature_wire.py` says what is signed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hmac import compare_digest
from time import monotonic
from typing import Protocol

from bridge.legs.plivo_signature_wire import NONCE_HEADER, SIGNATURE_HEADERS, signature

MAX_SIGNATURES = 10
MAX_NONCE_CHARACTERS = 256


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
