"""Requests to a bot's web server: signed for the vendor's own code, bounded, no secrets in errors."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from pathlib import Path

import pytest

from bridge.harness.account import Account
from bridge.harness.call_socket import CallFailed, open_socket
from bridge.harness.webhooks import REST_HEADER, WebhookFailed, Webhooks
from bridge.legs.plivo_answer_wire import MAX_BYTES, BadAnswer, read_answer
from tests.kit.answering_bots import AUTH_ID, AUTH_TOKEN, AnsweringBot, Asked, Reply
from tests.kit.certificates import Authority

pytestmark = pytest.mark.e2e

ACCOUNT = Account(AUTH_ID, AUTH_TOKEN)
FIELDS = {"CallUUID": "1", "From": "+49 89/ü", "Odd": "a&b=c+d"}


async def refused(reply: Reply, timeout_s: float = 5.0, path: str = "/answer?token=s3cret") -> str:
    async def xml(bot: AnsweringBot, asked: Asked) -> Reply:
        return reply

    async with AnsweringBot(xml=xml) as bot, Webhooks(ACCOUNT, timeout_s=timeout_s) as webhooks:
        with pytest.raises(WebhookFailed) as failed:
            await webhooks.ask("POST", bot.web_url + path, FIELDS)
    text = str(failed.value)
    assert "s3cret" not in text and bot.web_url + "/answer" in text
    return text.removeprefix(bot.web_url + "/answer ")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/answer", "/answer?b=2&a=1", "/caf%C3%A9/a%20b?x=%2F", "/a(b)'c!*~"])
async def test_requests_are_signed_as_the_vendor_signs(method: str, path: str) -> None:
    async with AnsweringBot() as bot, Webhooks(ACCOUNT, "http://127.0.0.1:1") as webhooks:
        fields = FIELDS if method == "POST" else {"CallUUID": "1", "From": "+49 89", "Odd": "a&b=c+d"}
        await webhooks.ask(method, bot.web_url + path, fields)
    (asked,) = bot.asked
    assert asked.signed
    assert set(fields.items()) <= set(asked.fields.items())
    assert asked.headers[REST_HEADER.lower()] == "http://127.0.0.1:1"


async def test_without_a_token_nothing_is_signed() -> None:
    async with AnsweringBot() as bot, Webhooks(Account()) as webhooks:
        await webhooks.ask("POST", bot.url, FIELDS)
    assert not any("signature" in name for name in bot.asked[0].headers)
    assert Account().signed_socket("wss://h/") == {}


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 500, 503])
async def test_what_is_no_success_is_told_by_its_status(status: int) -> None:
    assert await refused((status, "secret body")) == f"answered {status}"


async def test_redirections_are_not_followed() -> None:
    assert (
        await refused(b"HTTP/1.1 302 .\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        == "answered 302"
    )


async def test_what_is_slow_is_given_up() -> None:
    async def never(bot: AnsweringBot, asked: Asked) -> Reply:
        await asyncio.sleep(20)
        return ""

    began = time.monotonic()
    async with AnsweringBot(xml=never) as bot, Webhooks(ACCOUNT, timeout_s=0.3) as webhooks:
        with pytest.raises(WebhookFailed, match=r"did not answer within 0\.3 s"):
            await webhooks.ask("POST", bot.url, FIELDS)
    assert time.monotonic() - began < 3


async def test_a_trickle_is_given_up_as_well() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 .\r\nContent-Length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with server, Webhooks(ACCOUNT, timeout_s=0.5) as webhooks:
        with pytest.raises(WebhookFailed, match=r"did not answer within 0\.5 s"):
            await webhooks.ask("POST", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", FIELDS)


async def test_what_is_endless_is_cut_and_then_refused() -> None:
    async with AnsweringBot(xml=lambda bot, asked: "<Response>" + "<Wait/>" * 500_000) as bot:
        async with Webhooks(ACCOUNT) as webhooks:
            document = await webhooks.ask("POST", bot.url, FIELDS)
    assert len(document) == MAX_BYTES + 1
    with pytest.raises(BadAnswer, match="longer than 100 KB"):
        read_answer(document)


async def test_what_is_compressed_is_not_expanded() -> None:
    bomb = gzip.compress(b"<Response>" + b" " * 50_000_000)
    head = f"HTTP/1.1 200 .\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    async with AnsweringBot(xml=lambda bot, asked: head + bomb) as bot, Webhooks(ACCOUNT) as webhooks:
        document = await webhooks.ask("POST", bot.url, FIELDS)
    assert len(document) == len(bomb)
    with pytest.raises(BadAnswer, match="it is not XML"):
        read_answer(document)
    assert bot.asked[0].headers["accept-encoding"] == "identity"


async def test_what_is_not_http_or_ends_too_soon_is_told() -> None:
    assert await refused(b"SSH-2.0-OpenSSH_9.6\r\n\r\n") == "cannot be reached: what came back is not HTTP"
    short = b"HTTP/1.1 200 .\r\nContent-Length: 100\r\n\r\n<Resp"
    assert await refused(short) == "cannot be reached: what came back is not HTTP"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:9/?token=s3cret", "http://127.0.0.1:9/ cannot be reached: "),
        ("https://nobody.invalid/?token=s3cret", "https://nobody.invalid/ cannot be reached: "),
        ("ftp://h/?token=s3cret", "the address does not begin with https:// or http://"),
        ("http:///?token=s3cret", "the address does not begin with"),
        ("not an address s3cret", "the address does not begin with"),
    ],
)
async def test_addresses_that_lead_nowhere(url: str, text: str) -> None:
    async with Webhooks(ACCOUNT, timeout_s=5) as webhooks:
        with pytest.raises(WebhookFailed) as failed:
            await webhooks.ask("POST", url, FIELDS)
    assert str(failed.value).startswith(text) and "s3cret" not in str(failed.value)


async def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    async def unreached(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("the handshake fails")

    tls = Authority(tmp_path).server("127.0.0.1", self_signed=True)
    server = await asyncio.start_server(unreached, "127.0.0.1", 0, ssl=tls)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, Webhooks(ACCOUNT, timeout_s=5) as webhooks:
        with pytest.raises(WebhookFailed, match="cannot be reached: .*certificate verify failed"):
            await webhooks.ask("POST", url, FIELDS)


async def test_an_authority_of_one_s_own_is_trusted_by_requests_and_sockets_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    tls = authority.server("127.0.0.1")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        writer.close()

    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, Webhooks(ACCOUNT, timeout_s=5) as webhooks:
        assert await webhooks.ask("GET", url, {}) == b"ok"
        with pytest.raises(CallFailed, match="the service answered 200 ok"):
            await open_socket("wss" + url.removeprefix("https"), {})


async def test_nothing_of_an_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with AnsweringBot() as bot, Webhooks(ACCOUNT) as webhooks:
        await webhooks.ask("POST", bot.url + "?token=s3cret", FIELDS)
    assert "s3cret" not in caplog.text


def test_an_account_holds_its_token_back() -> None:
    assert AUTH_TOKEN not in repr(ACCOUNT)
