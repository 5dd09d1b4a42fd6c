"""The WebSocket client over TLS."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from bridge.runtime.tls_out import client_context
from tests.kit.certificates import Authority
from tests.kit.dialled import (
    Phone,
    dial,
    dialler,
    echo,
    failure,
    raw_service,
    service,
)
from tests.kit.hostile_urls import SECRET

pytestmark = pytest.mark.e2e


async def test_tls_is_verified_against_the_url_s_name_and_not_the_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls, asked_for = authority.server("bot.example"), []
    tls.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    phone = Phone()
    async with service(echo, tls) as port:
        socket_ = await dial(dialler(ca_file=authority.file), f"wss://bot.example:{port}/", phone)
        for size in (10, 60_000):
            socket_.send_text(b"x" * size)
            async with asyncio.timeout(5):
                assert await phone.messages.get() == (b"x" * size, True)
        assert socket_.ask(b"m")
        assert await phone.next_marks(1) == [b"m"]
        socket_.close(4000)
        assert await phone.end() == (4000, "")
    assert asked_for == ["bot.example"]


async def test_tls_to_an_address_is_verified_against_the_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    dialling = dialler(ca_file=authority.file)
    async with service(echo, authority.server("bot.example", "127.0.0.1")) as port:
        (await dial(dialling, f"wss://2130706433:{port}/")).close()
    async with service(echo, authority.server("bot.example")) as port:
        failed = await failure(dialling, f"wss://127.0.0.1:{port}/")
    assert str(failed).startswith("TLS: certificate verify failed: IP address mismatch")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("name", "Hostname mismatch, certificate is not valid for 'bot.example'"),
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("unknown", "unable to get local issuer certificate"),
    ],
)
async def test_a_certificate_that_is_not_right_ends_the_attempt(
    tmp_path: Path, fault: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    tls = {
        "name": lambda: authority.server("other.example"),
        "expired": lambda: authority.server("bot.example", days=-2),
        "self-signed": lambda: authority.server("bot.example", self_signed=True),
        "unknown": lambda: Authority(tmp_path, "Stranger").server("bot.example"),
    }[fault]()
    greeted: list[ServerConnection] = []

    async def answer(connection: ServerConnection) -> None:
        greeted.append(connection)

    caplog.set_level(logging.CRITICAL, "websockets.server")  # it complains of our leaving
    async with service(answer, tls) as port:
        failed = await failure(dialler(ca_file=authority.file), f"wss://bot.example:{port}/?{SECRET}")
    assert str(failed) == f"TLS: certificate verify failed: {says}"
    assert failed.status is None and not greeted


async def test_tls_to_a_server_without_it_is_told() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_service(talk) as port:
        failed = await failure(dialler(), f"wss://bot.example:{port}/")
    assert str(failed).startswith("TLS: ")


def test_nothing_but_verified_and_current_tls_is_spoken() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


async def test_a_missing_ca_file_is_known_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        dialler(ca_file=tmp_path / "none.pem")
    (tmp_path / "empty.pem").write_text("nothing\n")
    with pytest.raises(OSError):
        dialler(ca_file=tmp_path / "empty.pem")


async def test_logs_show_neither_queries_nor_messages(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    phone = Phone()
    async with service(echo) as port:
        socket_ = await dial(
            dialler(), f"ws://bot.example:{port}/?token={SECRET}", phone, {"X-Signature": SECRET}
        )
        socket_.send_text(SECRET.encode())
        async with asyncio.timeout(5):
            await phone.messages.get()
        socket_.close(1000, "done")
        await phone.end()
    ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert not any(SECRET in record.getMessage() for record in ours)
