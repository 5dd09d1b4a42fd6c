"""The HTTP client against real servers: through the gate on every hop, verified, bounded in size and time."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpcore
import pytest

from bridge.egress import EgressGate, EgressSettings
from bridge.errors import EgressRefused, HttpFailed
from bridge.runtime.http_out import HttpOut
from tests.kit.certificates import Authority
from tests.kit.hostile_urls import HOSTILE, OTHER_SCHEMES, SECRET, Names, RebindingNames

pytestmark = pytest.mark.e2e

HERE = {"hook.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Site:
    """Answers requests one by one with what `answer` makes of them, and keeps connections open."""

    answer: Callable[[str, str], bytes | Awaitable[bytes]] = lambda method, target: OK
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.asked.append((method, target, headers, body))
                answer = self.answer(method, target)
                writer.write(answer if isinstance(answer, bytes) else await answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def site(
    answer: Callable[[str, str], bytes | Awaitable[bytes]] | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    made = Site(answer) if answer is not None else Site()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.get_running_loop().create_task(made.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def http_out(
    names: Names | None = None,
    *,
    allow_private: bool = True,
    ca_file: Path | None = None,
    max_body: int = 10_000,
) -> AsyncIterator[HttpOut]:
    gate = EgressGate(EgressSettings(allow_private=allow_private), names or Names(HERE))
    out = HttpOut(gate, ca_file=ca_file, max_body_bytes=max_body)
    try:
        yield out
    finally:
        await out.close()


def redirect(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


async def failure(out: HttpOut, url: str, method: str = "GET", timeout_s: float = 5.0) -> str:
    with pytest.raises(HttpFailed) as failed:
        await out.request(method, url, timeout_s=timeout_s)
    assert SECRET not in str(failed.value)
    return str(failed.value)


# --- requests ---


async def test_a_request_arrives_as_it_was_given_and_the_answer_comes_back() -> None:
    answer = b"HTTP/1.1 418 Teapot\r\nContent-Length: 4\r\nX-Two: 1\r\nx-two: 2\r\n\r\n\x00\xffab"
    async with site(lambda method, target: answer) as there, http_out() as out:
        response = await out.request(
            "post",
            f"http://Hook.example:{there.port}/a%20b?t=1&ü#x",
            headers={"X-Signature": "s", "Content-Type": "application/json"},
            content=b"{}",
        )
    assert (response.status, response.body, response.headers["x-two"]) == (418, b"\x00\xffab", "2")
    [(method, target, headers, body)] = there.asked
    assert (method, target, body) == ("POST", "/a%20b?t=1&%C3%BC", b"{}")
    assert headers == {
        "host": f"hook.example:{there.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "mediabridge",
        "content-length": "2",
        "content-type": "application/json",
        "x-signature": "s",
    }


async def test_an_empty_post_says_so_and_a_get_has_no_length() -> None:
    async with site() as there, http_out() as out:
        await out.request("POST", f"http://hook.example:{there.port}/")
        await out.request("GET", f"http://hook.example:{there.port}/")
    assert [headers.get("content-length") for _, _, headers, _ in there.asked] == ["0", None]


async def test_a_kept_connection_is_used_again_for_the_same_name_and_for_no_other() -> None:
    names = Names(HERE)
    async with site() as there, http_out(names) as out:
        for host in ("hook.example", "hook.example", "other.example", "hook.example"):
            await out.request("GET", f"http://{host}:{there.port}/")
    assert there.connections == 2
    assert names.asked == ["hook.example", "other.example"]
    assert [headers["host"].split(":")[0] for _, _, headers, _ in there.asked] == [
        "hook.example", "hook.example", "other.example", "hook.example",
    ]  # fmt: skip


async def test_many_requests_go_side_by_side() -> None:
    both = asyncio.Barrier(20)

    async def wait() -> bytes:
        await both.wait()
        return OK

    async with site(lambda method, target: wait()) as there, http_out() as out:
        url = f"http://hook.example:{there.port}/"
        answers = await asyncio.gather(*(out.request("GET", url) for _ in range(20)))
    assert [answer.status for answer in answers] == [200] * 20


async def test_the_environment_s_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as there, site() as proxy, http_out() as out:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await out.request("GET", f"http://hook.example:{there.port}/")).status == 200
    assert there.asked and not proxy.asked


# --- the gate ---


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


# --- redirects ---


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


# --- TLS ---


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


# --- what is no answer ---


async def test_an_answer_larger_than_the_bound_is_not_read_to_its_end() -> None:
    endless = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x" * 10_000)
                await writer.drain()
        except ConnectionError:
            endless.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with http_out() as out, asyncio.timeout(5):
        url = f"http://hook.example:{server.sockets[0].getsockname()[1]}/"
        assert await failure(out, url) == "the answer is larger than 10000 bytes"
        await endless.wait()
    server.close()


async def test_a_compressed_answer_is_not_unpacked() -> None:
    packed = gzip.compress(b"\0" * 1_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with site(lambda method, target: head + packed) as there, http_out() as out:
        assert (await out.request("GET", f"http://hook.example:{there.port}/")).body == packed


@pytest.mark.parametrize("drip", [False, True])
async def test_a_server_that_never_finishes_is_given_up_at_the_deadline(drip: bool) -> None:
    async def wait() -> bytes:
        await asyncio.Event().wait()
        return OK

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with site(lambda method, target: wait()) as there, http_out() as out, asyncio.timeout(5):
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1] if drip else there.port
        says = "no answer within 0.2 s"
        assert await failure(out, f"http://hook.example:{port}/?{SECRET}", timeout_s=0.2) == says
        server.close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "the answer is not HTTP, or was not finished"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "the answer is not HTTP, or was not finished"),
        (b"", "the answer is not HTTP, or was not finished"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "the answer is not HTTP, or was not finished"),
    ],
)
async def test_what_is_not_an_answer_is_told(answer: bytes, says: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with http_out() as out:
        assert await failure(out, f"http://hook.example:{server.sockets[0].getsockname()[1]}/") == says
    server.close()


async def test_nobody_there_and_no_such_host_are_told() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with http_out() as out:
        assert await failure(out, f"http://hook.example:{port}/") == "connection refused"
        assert await failure(out, "http://nobody.example/") == "no such host"


async def test_the_next_address_is_tried() -> None:
    async with site() as there, http_out(Names({"hook.example": ["127.0.0.9", "127.0.0.1"]})) as out:
        assert (await out.request("GET", f"http://hook.example:{there.port}/")).status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("content-length", "9"),
        ("Connection", "close"),
        ("X", "a\r\nY: b"),
        ("X Y", "a"),
        ("X", "ü\n"),
    ],
)
async def test_headers_that_would_change_the_request_are_not_sent(name: str, value: str) -> None:
    async with site() as there, http_out() as out:
        with pytest.raises(HttpFailed, match="cannot be sent"):
            await out.request("GET", f"http://hook.example:{there.port}/", headers={name: value})
    assert not there.asked


async def test_a_request_that_is_cancelled_leaves_nothing_behind() -> None:
    waiting, asked = asyncio.Event(), asyncio.Event()

    async def wait() -> bytes:
        asked.set()
        await waiting.wait()
        return OK

    async with site(lambda method, target: wait()) as there, http_out() as out, asyncio.timeout(5):
        url = f"http://hook.example:{there.port}/"
        for _ in range(3):
            attempt = asyncio.create_task(out.request("GET", url))
            await asked.wait()
            asked.clear()
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
        waiting.set()
        assert (await out.request("GET", url)).status == 200
        assert there.connections == 4
