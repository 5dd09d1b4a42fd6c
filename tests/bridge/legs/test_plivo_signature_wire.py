"""What the bridge signs, the vendor's own code takes for right."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plivo.utils import validate_v3_signature

from bridge.facades.signatures import Nonces, is_signed
from bridge.legs.plivo_signature_wire import headers_signing, signed_text, signing_headers

pytestmark = pytest.mark.wire

TOKEN = "t0k3n"
plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
ascii_only = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12)
names = st.text("abcXYZ019_-.", min_size=1, max_size=8)


def valid(method: str, url: str, form: dict[str, str] | None = None) -> bool:
    headers = signing_headers(TOKEN, method, url, {name: [value] for name, value in (form or {}).items()})
    nonce, signatures = headers["x-plivo-signature-v3-nonce"], headers["x-plivo-signature-v3"]
    return bool(validate_v3_signature(method, url, nonce, TOKEN, signatures, form))


@pytest.mark.parametrize(
    "url",
    [
        "https://h.example/e",
        "https://h.example/e?x=1",
        "http://h.example:8080/a/b?b=2&a=1&a=0&c=",
        "https://h.example/?t=a%20b%26c",
    ],
)
def test_get_and_post_are_right_for_the_vendor(url: str) -> None:
    assert valid("GET", url)
    assert valid("POST", url, {"Event": "StartStream", "CallUUID": "c", "Name": "Zoë & co"})
    assert valid("POST", url)


@given(st.dictionaries(names, ascii_only, max_size=4), st.dictionaries(names, plain, max_size=4))
def test_any_form_and_any_query_are_right_for_the_vendor(query: dict[str, str], form: dict[str, str]) -> None:
    url = "https://h.example/e" + (f"?{urlencode(query)}" if query else "")
    assert valid("POST", url, form)
    assert valid("GET", url)


def test_our_own_check_takes_it_and_no_nonce_comes_twice() -> None:
    nonces = Nonces()
    for _ in range(3):
        headers = signing_headers(TOKEN, "POST", "https://h.example/e", {"a": ["1"]})
        assert is_signed([TOKEN], [signed_text("POST", "https://h.example/e", {"a": ["1"]})], headers)
        assert not is_signed([TOKEN], [signed_text("POST", "https://h.example/e", {"a": ["2"]})], headers)
        assert nonces.spend(headers["x-plivo-signature-v3-nonce"])


def test_one_header_holds_the_signatures_of_several_forms_of_an_address() -> None:
    texts = [signed_text("GET", url, {}) for url in ("https://bot.example/s?a=1", "http://bot.example/s?a=1")]
    signed = headers_signing(TOKEN, texts)
    assert signed["x-plivo-signature-v3"].count(",") == 1
    for url in ("https://bot.example/s?a=1", "http://bot.example/s?a=1"):
        nonce, given_signature = signed["x-plivo-signature-v3-nonce"], signed["x-plivo-signature-v3"]
        assert validate_v3_signature("GET", url, nonce, TOKEN, given_signature)
        assert is_signed([TOKEN], [signed_text("GET", url, {})], signed)
    assert not is_signed([TOKEN], [signed_text("GET", "http://bot.example/other", {})], signed)
