"""The server's life, in a process of its own: real sockets, real signals, real certificates."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.errors import ConfigError
from bridge.runtime import http_protocol
from bridge.runtime.http_protocol import MAX_HEAD_BYTES
from bridge.runtime.listeners import Tls, listen
from bridge.runtime.server import ServerSettings, open_listeners, serve
from bridge.runtime.stop_signals import StopSignals
from tests.kit.bare_server import Life

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[3]


class Served:
    """A `tests.kit.bare_server` under way."""

    def __init__(self, process: asyncio.subprocess.Process, urls: list[str]) -> None:
        self.process = process
        self.urls = urls

    @property
    def port(self) -> int:
        return int(self.urls[0].rpartition(":")[2])

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(10):
            return (await self.process.stdout.readline()).decode().strip()

    async def ends(self) -> int:
        async with asyncio.timeout(10):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def served(*arguments: str) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.kit.bare_server", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    server = Served(process, [])
    try:
        server.urls = (await server.line()).split()
        assert server.urls, "the server did not start"
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed one for 127.0.0.1, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


async def common_name(port: int) -> str:
    """Of the certificate that a new connection gets."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return str(x509.load_der_x509_certificate(shown).subject.rfc4514_string()).removeprefix("CN=")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_ends_an_idle_server_at_once_and_cleanly(number: signal.Signals) -> None:
    async with served() as server:
        began = time.monotonic()
        server.process.send_signal(number)
        assert [await server.line(), await server.line()] == ["drain", "close"]
        assert await server.ends() == 0
        assert time.monotonic() - began < 3


async def test_while_calls_are_live_it_answers_on_and_ends_with_the_last_of_them(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.touch()
    async with served("--live", str(live)) as server, httpx.AsyncClient() as http:
        assert (await http.get(server.urls[0])).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert await server.line() == "drain"
        async with httpx.AsyncClient() as newcomer:
            assert (await newcomer.get(server.urls[0])).status_code == 503
        assert (await http.get(server.urls[0])).status_code == 503
        live.unlink()
        assert await server.line() == "close"
        assert await server.ends() == 0


async def test_the_drain_ends_after_its_time_though_calls_are_live(tmp_path: Path) -> None:
    async with served("--live", str(tmp_path), "--drain", "0.3") as server:
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert [await server.line(), await server.line()] == ["drain", "close"]
        assert 0.3 <= time.monotonic() - began < 3
        assert await server.ends() == 0


@pytest.mark.parametrize("live", [True, False])
async def test_the_drain_is_spoken_of_only_when_somebody_is_live(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, live: bool
) -> None:
    life = Life(live=tmp_path if live else None, stuck=False)
    settings = ServerSettings(port=0, drain_seconds=0.2)
    listeners = open_listeners(settings)
    signals = StopSignals(life.reload)
    signals.stop()
    with caplog.at_level("INFO", logger="bridge"):
        await serve(life.app, settings, listeners, life, signals=signals)
    assert ("draining" in caplog.text) is live
    assert ("still live" in caplog.text) is live


async def test_a_second_signal_ends_the_drain_now(tmp_path: Path) -> None:
    async with served("--live", str(tmp_path), "--drain", "3600") as server:
        server.process.send_signal(signal.SIGTERM)
        assert await server.line() == "drain"
        server.process.send_signal(signal.SIGTERM)
        assert await server.line() == "close"
        assert await server.ends() == 0


async def test_a_second_signal_does_not_wait_for_what_hangs_while_closing() -> None:
    async with served("--stuck") as server:
        server.process.send_signal(signal.SIGTERM)
        assert [await server.line(), await server.line()] == ["drain", "close"]
        began = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert await server.ends() == 0
        assert time.monotonic() - began < 2


async def test_a_third_signal_kills(tmp_path: Path) -> None:
    async with served("--live", str(tmp_path), "--stuck", "--drain", "3600") as server:
        for expected in ("drain", "close"):
            server.process.send_signal(signal.SIGTERM)
            assert await server.line() == expected
        server.process.send_signal(signal.SIGTERM)
        assert await server.ends() == -signal.SIGTERM


async def test_sighup_exchanges_the_certificate_and_keeps_connections(tmp_path: Path) -> None:
    old, key = certificate(tmp_path, "old")
    async with served("--certificate", str(old), "--key", str(key)) as server:
        assert server.urls[0].startswith("https://")
        async with httpx.AsyncClient(verify=False) as http:
            kept = await http.get(server.urls[0])
            assert (kept.status_code, kept.text) == (200, "https 127.0.0.1")
            connection = kept.extensions["network_stream"].get_extra_info("client_addr")
            new, new_key = certificate(tmp_path, "new")
            new.replace(old)
            new_key.replace(key)
            server.process.send_signal(signal.SIGHUP)
            assert await server.line() == "reload"
            assert await common_name(server.port) == "new"
            again = await http.get(server.urls[0])
            assert again.extensions["network_stream"].get_extra_info("client_addr") == connection


async def test_a_bad_certificate_at_sighup_changes_nothing(tmp_path: Path) -> None:
    old, key = certificate(tmp_path, "old")
    async with served("--certificate", str(old), "--key", str(key)) as server:
        other, _ = certificate(tmp_path, "other")
        other.replace(old)  # its key stays away
        server.process.send_signal(signal.SIGHUP)
        assert await common_name(server.port) == "old"
        server.process.send_signal(signal.SIGTERM)
        assert await server.line() == "drain"  # and nothing was reloaded before


async def test_metrics_can_have_a_listener_of_their_own() -> None:
    async with served("--metrics") as server, httpx.AsyncClient() as http:
        assert len(server.urls) == 2
        for url in server.urls:
            assert (await http.get(url)).status_code == 200


async def test_forwarded_addresses_are_believed_from_trusted_proxies_only() -> None:
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    async with httpx.AsyncClient(headers=headers) as http:
        async with served() as server:
            assert (await http.get(server.urls[0])).text == "http 127.0.0.1"
        async with served("--trusted", "127.0.0.0/8") as server:
            assert (await http.get(server.urls[0])).text == "https 203.0.113.9"


async def test_an_endless_head_is_answered_with_431_and_the_next_client_is_served() -> None:
    async with served() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nx: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(MAX_HEAD_BYTES // 1024 + 1):
                writer.write(b"y" * 1024)
                await writer.drain()
        async with asyncio.timeout(5):
            assert (await reader.read(100)).startswith(b"HTTP/1.1 431 ")
        writer.close()
        async with httpx.AsyncClient() as http:
            answer = await http.post(server.urls[0], content=b"z" * (4 * MAX_HEAD_BYTES))
        assert answer.status_code == 200 and "server" not in answer.headers and "date" in answer.headers


async def test_a_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.1)
    life = Life(live=None, stuck=False)
    listeners = open_listeners(ServerSettings(port=0))
    signals = StopSignals(life.reload)
    serving = asyncio.create_task(serve(life.app, ServerSettings(), listeners, life, signals=signals))
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*listeners.main.sockets[0].getsockname())
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n")
        assert await reader.read() == b""
        writer.close()
        # A complete one keeps its connection for longer than that.
        async with httpx.AsyncClient() as http:
            sources = []
            for pause in (0.2, 0):
                answer = await http.get(listeners.main.addresses[0])
                sources.append(answer.extensions["network_stream"].get_extra_info("client_addr"))
                await asyncio.sleep(pause)  # the first one is longer than the time-out
        assert sources[0] == sources[1]
        signals.stop()
        await serving


def test_a_port_in_use_is_said_in_words() -> None:
    first = listen("127.0.0.1", 0)
    port = first.sockets[0].getsockname()[1]
    with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: the port is in use"):
        listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match="the port is in use"):
        open_listeners(ServerSettings(port=0, metrics_port=port))
    first.close()
    listen("127.0.0.1", port).close()


@pytest.mark.parametrize(
    ("host", "why"), [("no-such-host.invalid", "no such host"), ("192.0.2.1", "does not have that address")]
)
def test_an_address_that_cannot_be_listened_on_is_said_in_words(host: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        listen(host, 0)


def test_certificates_that_cannot_be_used_are_said_in_words(tmp_path: Path) -> None:
    one, one_key = certificate(tmp_path, "one")
    _, other_key = certificate(tmp_path, "other")
    with pytest.raises(ConfigError, match="other.key is not the key of .*one.pem"):
        Tls(one, other_key)
    with pytest.raises(ConfigError, match="cannot read .*nowhere"):
        Tls(tmp_path / "nowhere", one_key)
    with pytest.raises(ConfigError, match="PEM without a password"):
        Tls(one_key, one_key)
    key = serialization.load_pem_private_key(one_key.read_bytes(), None)
    one_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hush"),
        )
    )
    with pytest.raises(ConfigError, match="PEM without a password"):
        Tls(one, one_key)
