"""Takes secrets out of text before anybody sees it.

What is hidden: query strings and fragments, `Bearer` and `Basic` values, values of names that say they are
secret, passwords in addresses, paths of RTMP addresses, pressed digits, long random-looking words, and every
registered secret.
Too much may be hidden, too little must not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = "***"
MAX_CHARACTERS = 16_000
"""A text is cut there first, so that a peer's huge message costs little."""

_HEADERS = r"authorization|(?:set-)?cookie|x-plivo-signature[\w-]*"
_NAMES = (
    r"[\w-]{0,40}(?:tokens?|password|secret)|passwd|credential|ice-pwd|(?:dtmf_)?digits?"
    r"|(?:api|access|secret|stream|account)[_-]?key"
    rf"|{_HEADERS}"
)
# What may stand between a name and its quoted value: `"name": "`, `name='`, `('name', b'`, also escaped.
_TO_QUOTED = r"(?:\\*[\"'])?\s*[:=,]\s*[\[(]?b?"
_ANY_CASE = re.IGNORECASE

_SUBSTITUTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    # the path of an RTMP address is the stream's key
    (re.compile(r"(\brtmps?://[^\s/\"'<>\\]{0,500}/)[^\s\"'<>\\]+", _ANY_CASE), rf"\1{HIDDEN}"),
    # /path?query, http://host?query: everything from the question mark on
    (re.compile(r"(/[^\s?\"'<>/]*)\?[^\s\"'<>]+"), rf"\1?{HIDDEN}"),
    # a page's link carries its token in the fragment
    (re.compile(r"(/join|https?://[^\s#\"'<>]{0,500})#[^\s\"'<>]+"), rf"\1#{HIDDEN}"),
    # a live stream's address may carry its token in the path
    (re.compile(r"(/hls/[^\s/\"']{1,200}/t/)[^\s/\"'?]+"), rf"\1{HIDDEN}"),
    # scheme://user:password@host
    (re.compile(r"\b(\w{1,30}://[^\s/:@\"']*):[^\s/@\"']+@"), rf"\1:{HIDDEN}@"),
    # a header's value runs to the end of the line
    (re.compile(rf"\b({_HEADERS})(\s*[:=]\s*)[^\s\"'\\][^\r\n\"'\\]*", _ANY_CASE), rf"\1\2{HIDDEN}"),
    (re.compile(r"\b(bearer|basic)(\s+)(?!auth|token)[\w+/.~=-]{3,}", _ANY_CASE), rf"\1\2{HIDDEN}"),
    # "name": "value", name='value', ("name", "value")
    (
        re.compile(rf"\b({_NAMES})({_TO_QUOTED})([\"'])(?:\\.|(?!\3)[^\\])+", _ANY_CASE | re.DOTALL),
        rf"\1\2\3{HIDDEN}",
    ),
    # the same inside a quoted text: \"name\": \"value\"
    (re.compile(rf"\b({_NAMES})({_TO_QUOTED}\\+[\"'])[^\"'\\]+", _ANY_CASE), rf"\1\2{HIDDEN}"),
    # name=value, name: value
    (
        re.compile(
            rf"\b({_NAMES})((?:\\*[\"'])?\s*[:=]\s*)(?!{re.escape(HIDDEN)})[^\s\"'\\,;&(){{}}\[\]]+",
            _ANY_CASE,
        ),
        rf"\1\2{HIDDEN}",
    ),
    # all digits at once: {"dtmf": "123#"}
    (re.compile(r"\b(dtmf\\*[\"']\s*:\s*\\*[\"'])[^\"'\\]+"), rf"\1{HIDDEN}"),
    # what looks like a token and has no name: 32 characters or more, letters of both cases and digits
    (
        re.compile(r"(?<![\w/+-])(?=[\w-]*[0-9])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{32,}(?![\w-])", re.ASCII),
        HIDDEN,
    ),
)


class Redactor:
    """`redact(text)` with the secrets registered so far."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def register(self, secrets: Iterable[str]) -> None:
        """Hide these words wherever they stand, also percent-encoded. Short ones only as whole words."""
        for secret in secrets:
            if secret:
                self._known.update({secret, quote(secret, safe="")})
        longest_first = sorted(self._known, key=len, reverse=True)
        parts = [
            re.escape(word) if len(word) >= 8 else rf"(?<!\w){re.escape(word)}(?!\w)"
            for word in longest_first
        ]
        self._pattern = re.compile("|".join(parts)) if parts else None

    def redact(self, text: str) -> str:
        """`text` without secrets, cut to `MAX_CHARACTERS`."""
        if len(text) > MAX_CHARACTERS:
            # The word at the cut goes too: half a secret would not be recognised.
            text = re.sub(r"[^\s\"']{0,500}\Z", "", text[:MAX_CHARACTERS]) + "…"
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        for pattern, replacement in _SUBSTITUTIONS:
            text = pattern.sub(replacement, text)
        return text
