"""The HTTP client goes through the gate on every hop, and keeps secrets from where it is redirected to."""

from __future__ import annotations

from pathlib import Path

import httpcore
import pytest

from bridge.errors import EgressRefused, HttpFailed
from tests.kit.certificates import Authority
from tests.kit.hostile_urls import HOSTILE, OTHER_SCHEMES, Names, RebindingNames
from tests.kit.http_sites import OK, failure, http_out, redirect, site

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_hostile_url_is_never_connected_to(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []

    async def connect_tcp(self: object, host: str, *rest: object) -> None:
        connected.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
    async with http_out(Names(), allow_private=False) as strict, http_out(Names()) as loose:
        tried = [(strict, hostile) for hostile in HOSTILE] + [(loose, one) for one in HOSTILE if one.never]
        for out, hostile in tried:
            with pytest.raises(EgressRefused) as refused:
                await out.request("GET", f"{scheme}://{hostile.rest}")
            assert hostile.says in str(refused.value) and not connected, hostile
        for url in (*OTHER_SCHEMES, "ws://bot.example/"):
            with pytest.raises(EgressRefused):
                await loose.request("GET", url)
        assert not connected
        with pytest.raises(HttpFailed):
            await strict.request("GET", f"{scheme}://bot.example/")
    assert connected == ["93.184.216.34", "2606:2800:220:1::1"]


@pytest.fixture
def public_site(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Connections to 93.184.216.34 end up on this machine; what all of them were to is noted."""
    connected: list[str] = []
    connect_tcp = httpcore.AnyIOBackend.connect_tcp

    async def connect(self: httpcore.AnyIOBackend, host: str, *rest: object) -> httpcore.AsyncNetworkStream:
        connected.append(host)
        assert host == "93.184.216.34"
        return await connect_tcp(self, "127.0.0.1", *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    return connected


async def test_a_hostile_redirect_is_never_followed(public_site: list[str]) -> None:
    # What would not survive a header, or is an address of the first host itself, is left out.
    written = [one.rest for one in HOSTILE if one.rest.isascii() and one.rest.isprintable()]
    locations = [f"http://{rest}" for rest in written if rest[:1] not in ("", "/", "?")]
    assert len(locations) > 100
    locations += ["ftp://bot.example/", "//127.0.0.1/", "//private.example/x", "file:///etc/passwd"]
    left = list(locations)
    async with site(lambda method, target: redirect(left.pop(0))) as there:
        async with http_out(Names(), allow_private=False) as out:
            for location in locations:
                with pytest.raises(EgressRefused):
                    await out.request("GET", f"http://bot.example:{there.port}/")
                    pytest.fail(location)
    assert len(there.asked) == len(locations) and set(public_site) == {"93.184.216.34"}


async def test_a_name_that_means_something_else_the_second_time_is_judged_when_it_is_dialled(
    public_site: list[str],
) -> None:
    names = RebindingNames("bot.example", ["93.184.216.34"], ["127.0.0.1"])
    async with site() as there, http_out(names, allow_private=False) as out:
        url = f"http://bot.example:{there.port}/"
        assert (await out.request("GET", url)).status == 200
        assert (names.asked, public_site) == (["bot.example"], ["93.184.216.34"])
        assert (await out.request("GET", url)).status == 200  # on the connection that is there already
    async with site() as there, http_out(names, allow_private=False) as out:
        with pytest.raises(EgressRefused):
            await out.request("GET", f"http://bot.example:{there.port}/")
        assert not there.connections


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", b""), (302, "POST", "GET", b""), (303, "PUT", "GET", b""),
        (302, "HEAD", "HEAD", b""), (307, "POST", "POST", b"x"), (308, "PUT", "PUT", b"x"),
        (302, "GET", "GET", b""),
    ],
)  # fmt: skip
async def test_redirects_are_followed_as_browsers_do(
    status: int, method: str, then: str, body: bytes
) -> None:
    def answer(method: str, target: str) -> bytes:
        return redirect("../there?x=1", status) if target == "/a/b" else OK[:-2] if method == "HEAD" else OK

    async with site(answer) as there, http_out() as out:
        response = await out.request(
            method,
            f"http://hook.example:{there.port}/a/b",
            headers={"X-Signature": "s"},
            content=b"x" if method in ("POST", "PUT") else b"",
        )
    assert response.status == 200
    method, target, headers, content = there.asked[1]
    assert (method, target, content, headers["x-signature"]) == (then, "/there?x=1", body, "s")


async def test_secrets_in_headers_stay_with_the_host_they_are_for() -> None:
    async with site() as other:
        away = f"http://other.example:{other.port}/"
        async with site(lambda method, target: redirect(away, 307)) as there, http_out() as out:
            await out.request(
                "POST",
                f"http://hook.example:{there.port}/",
                headers={"Authorization": "Bearer x", "X-Signature": "s", "Content-Type": "text/plain"},
                content=b"x",
            )
    [(_, _, headers, body)] = other.asked
    assert body == b"x" and headers["content-type"] == "text/plain"
    assert not {"authorization", "x-signature"} & set(headers)
    assert headers["host"] == f"other.example:{other.port}"


async def test_redirects_come_to_an_end() -> None:
    async with site(lambda method, target: redirect(f"{target}x")) as there, http_out() as out:
        assert await failure(out, f"http://hook.example:{there.port}/") == "redirected more than 5 times"
    assert len(there.asked) == 6


async def test_a_redirect_without_an_address_is_an_answer() -> None:
    async with site(lambda method, target: b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n") as there:
        async with http_out() as out:
            assert (await out.request("GET", f"http://hook.example:{there.port}/")).status == 302


async def test_a_redirect_out_of_tls_is_not_followed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with site() as plain:
        away = f"http://hook.example:{plain.port}/"
        async with site(lambda method, target: redirect(away), authority.server("hook.example")) as there:
            async with http_out(ca_file=authority.file) as out:
                assert (
                    await failure(out, f"https://hook.example:{there.port}/")
                    == "redirected from https to http"
                )
    assert not plain.asked
