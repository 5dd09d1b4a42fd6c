from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plivo.utils import validate_v3_signature

from bridge.facades.signatures import Nonces, is_signed
from bridge.legs.plivo_signature_wire import signature, signed_text

pytestmark = pytest.mark.wire

TOKEN = "auth-token"
NONCE = "12345678901234567890"


def headers(value: str, nonce: str = NONCE) -> dict[str, str]:
    return {"x-plivo-signature-v3": value, "x-plivo-signature-v3-nonce": nonce}


@pytest.mark.parametrize(
    ("method", "url", "form", "text"),
    [
        ("GET", "https://h/e", {}, "https://h/e"),
        ("GET", "https://h/e?b=2&a=1", {}, "https://h/e?a=1&b=2"),
        ("GET", "https://h:8443/e?a=2&a=1&c=", {}, "https://h:8443/e?a=1&a=2&c="),
        ("POST", "https://h/e", {}, "https://h/e"),
        ("POST", "https://h/e?x=1", {}, "https://h/e?x=1"),
        (
            "POST",
            "https://h/e",
            {"Event": ["StartStream"], "CallUUID": ["c"]},
            "https://h/e?CallUUIDcEventStartStream",
        ),
        ("POST", "https://h/e?x=1", {"A": ["1"]}, "https://h/e?x=1.A1"),
        ("POST", "https://h/e", {"A": ["2", "1"]}, "https://h/e?A1A2"),
    ],
)
def test_what_is_signed(method: str, url: str, form: dict[str, list[str]], text: str) -> None:
    assert signed_text(method, url, form) == text


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,6}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=8)
ASCII_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
"""The vendor's code cannot read anything else in a query."""


@given(
    st.sampled_from(["GET", "POST"]),
    st.dictionaries(NAMES, st.lists(ASCII_VALUES, min_size=1, max_size=2), max_size=4),
    st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=2), max_size=4),
)
def test_the_vendor_s_own_code_agrees(
    method: str, query: dict[str, list[str]], form: dict[str, list[str]]
) -> None:
    written = "&".join(f"{name}={quote(value)}" for name, values in query.items() for value in values)
    url = "https://bridge.example/a/b/plivo/answer" + (f"?{written}" if written else "")
    form = form if method == "POST" else {}
    ours = signature(TOKEN, signed_text(method, url, form), NONCE)
    posted = {name: values if len(values) > 1 else values[0] for name, values in form.items()}
    assert validate_v3_signature(method, url, NONCE, TOKEN, ours, posted)
    assert not validate_v3_signature(method, url, NONCE, "other-token", ours, dict(posted))


def test_one_right_signature_of_several_is_enough() -> None:
    right = signature(TOKEN, "https://h/e", NONCE)
    assert is_signed([TOKEN], ["https://h/e"], headers(f"wrong, {right}"))
    assert is_signed(["other", TOKEN], ["https://h/x", "https://h/e"], headers(right))
    main = {"x-plivo-signature-ma-v3": right, "x-plivo-signature-v3-nonce": NONCE}
    assert is_signed([TOKEN], ["https://h/e"], main)


@pytest.mark.parametrize(
    ("tokens", "given_headers"),
    [
        ([], headers(signature(TOKEN, "https://h/e", NONCE))),
        ([TOKEN], headers(signature("other", "https://h/e", NONCE))),
        ([TOKEN], headers(signature(TOKEN, "https://h/other", NONCE))),
        ([TOKEN], headers(signature(TOKEN, "https://h/e", NONCE), nonce="another")),
        ([TOKEN], headers(signature(TOKEN, "https://h/e", ""), nonce="")),
        ([TOKEN], {"x-plivo-signature-v3": signature(TOKEN, "https://h/e", NONCE)}),
        ([TOKEN], headers("")),
        ([TOKEN], headers("ü" * 44)),
        ([TOKEN], {}),
    ],
)
def test_nothing_else_is_taken_for_signed(tokens: list[str], given_headers: dict[str, str]) -> None:
    assert not is_signed(tokens, ["https://h/e"], given_headers)


def test_a_nonce_can_be_spent_once() -> None:
    now = 0.0
    nonces = Nonces(bound=3, expiry_s=10, now=lambda: now)
    assert nonces.spend("a")
    assert not nonces.spend("a")
    now = 9.9
    assert not nonces.spend("a")
    now = 10.1
    assert nonces.spend("a")


def test_nonces_are_bounded_and_the_oldest_go_first() -> None:
    nonces = Nonces(bound=3, now=lambda: 0.0)
    for nonce in "abcd":
        assert nonces.spend(nonce)
    assert len(nonces) == 3
    assert not nonces.spend("d")
    assert nonces.spend("a")
