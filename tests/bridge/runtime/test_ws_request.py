from __future__ import annotations

import ipaddress

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from bridge.runtime.ws_request import read_request

pytestmark = pytest.mark.unit

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def asked(peer: str, *, secure: bool = False, **headers: str) -> tuple[str, str]:
    fields = Headers([(name.replace("_", "-"), value) for name, value in headers.items()])
    request = read_request(Request("/x", fields), peer, secure, PROXIES)
    return request.peer, request.scheme


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:5555", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:5555", "2001:db8::1"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("", "203.0.113.9", ""),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy_s(
    peer: str, forwarded_for: str, client: str
) -> None:
    assert asked(peer, X_Forwarded_For=forwarded_for)[0] == client


@pytest.mark.parametrize(
    ("peer", "secure", "proto", "scheme"),
    [
        ("10.0.0.1", False, "https", "wss"),
        ("10.0.0.1", True, "http", "ws"),
        ("10.0.0.1", False, "https, http", "ws"),
        ("10.0.0.1", False, "gopher", "ws"),
        ("198.51.100.7", False, "https", "ws"),
        ("198.51.100.7", True, "http", "wss"),
    ],
)
def test_the_scheme_is_believed_from_trusted_proxies_only(
    peer: str, secure: bool, proto: str, scheme: str
) -> None:
    assert asked(peer, secure=secure, X_Forwarded_Proto=proto)[1] == scheme


def test_repeated_headers_are_one_list() -> None:
    fields = Headers([("A", "1"), ("a", "2")])
    assert read_request(Request("/x", fields), "1.1.1.1", False, ()).headers == {"a": "1, 2"}


def test_no_secret_is_in_the_repr() -> None:
    request = read_request(
        Request("/x?access_token=t0ken", Headers([("Authorization", "Bearer t0ken")])), "1.1.1.1", False, ()
    )
    assert "t0ken" not in repr(request)
    assert request.bearer == "t0ken"
