"""The HTTP client verifies whom it talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.certificates import Authority
from tests.kit.hostile_urls import SECRET
from tests.kit.http_sites import failure, http_out, site

pytestmark = pytest.mark.e2e


async def test_tls_is_verified_against_the_url_s_name_and_not_the_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls, asked_for = authority.server("hook.example"), []
    tls.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    async with site(tls=tls) as there, http_out(ca_file=authority.file) as out:
        assert (await out.request("GET", f"https://hook.example:{there.port}/")).body == b"ok"
        # The same address under a name the certificate is not for: no connection that is open is used for it.
        says = (
            "TLS: certificate verify failed: Hostname mismatch, certificate is not valid for 'other.example'"
        )
        assert await failure(out, f"https://other.example:{there.port}/") == says
        assert "IP address mismatch" in await failure(out, f"https://127.0.0.1:{there.port}/")
    assert asked_for == ["hook.example", "other.example", None]
    assert len(there.asked) == 1


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("unknown", "unable to get"),
    ],
)
async def test_a_certificate_that_is_not_right_ends_the_request(
    tmp_path: Path, fault: str, says: str
) -> None:
    authority = Authority(tmp_path)
    tls = {
        "expired": lambda: authority.server("hook.example", days=-2),
        "self-signed": lambda: authority.server("hook.example", self_signed=True),
        "unknown": lambda: Authority(tmp_path, "Stranger").server("hook.example"),
    }[fault]()
    async with site(tls=tls) as there, http_out(ca_file=authority.file) as out:
        failed = await failure(out, f"https://hook.example:{there.port}/?token={SECRET}")
    assert failed.startswith(f"TLS: certificate verify failed: {says}")
    assert not there.asked
