"""The command line's way to bots with an answer URL."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli import exchange as cli_exchange
from bridge.cli.main import main
from bridge.cli.test import add_options
from bridge.errors import ConfigError
from bridge.harness.exchange import ExchangeSettings
from tests.kit.answering_bots import AUTH_ID, AUTH_TOKEN, AnsweringBot

pytestmark = pytest.mark.e2e

ANSWER, SOCKET = "https://bot.example/answer", "ws://127.0.0.1:9000"


def read(*arguments: str, **environment: str) -> ExchangeSettings | None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return cli_exchange.read(parser.parse_args(arguments), environment)


def test_a_socket_s_address_needs_nothing_more() -> None:
    assert read(SOCKET, PLIVO_AUTH_TOKEN="t0k3n") is None


def test_an_answer_url_is_asked_as_the_vendor_would() -> None:
    settings = read(ANSWER, "--answer-url")
    assert settings is not None and settings.answer is not None
    assert (settings.account.auth_id, settings.account.auth_token) == ("MASIMULATEDCALLER000", "")
    assert (settings.answer.url, settings.answer.method, settings.answer.hangup_url) == (ANSWER, "POST", "")
    assert (settings.rest_host, settings.rest_port) == ("127.0.0.1", 0)


def test_every_option_is_handed_on(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t0k3n\n")
    settings = read(
        "--answer-url", ANSWER, "--answer-method", "GET", "--hangup-url", "https://bot.example/bye",
        "--fallback-url", "https://bot.example/b", "--from", "49123", "--to", "49456", "--auth-id", "MA1",
        "--auth-token-file", str(token), "--rest-host", "0.0.0.0", "--rest-port", "8999",
        PLIVO_AUTH_ID="MA2", PLIVO_AUTH_TOKEN="other",
    )  # fmt: skip
    assert settings is not None and settings.answer is not None
    answer, account = settings.answer, settings.account
    assert (answer.method, answer.hangup_url, answer.fallback_url) == (
        "GET", "https://bot.example/bye", "https://bot.example/b",
    )  # fmt: skip
    assert (answer.from_number, answer.to_number) == ("49123", "49456")
    assert (account.auth_id, account.auth_token) == ("MA1", "t0k3n")
    assert (settings.rest_host, settings.rest_port) == ("0.0.0.0", 8999)
    assert "t0k3n" not in repr(settings)


def test_the_account_comes_from_the_variables_of_the_vendor_s_own_sdks() -> None:
    settings = read(ANSWER, "--answer-url", PLIVO_AUTH_ID=AUTH_ID, PLIVO_AUTH_TOKEN=AUTH_TOKEN)
    assert settings is not None
    assert (settings.account.auth_id, settings.account.auth_token) == (AUTH_ID, AUTH_TOKEN)


def test_a_bot_at_a_socket_can_have_the_desk_too() -> None:
    settings = read(SOCKET, "--rest-port", "0")
    assert settings is not None and settings.answer is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((ANSWER,), "TARGET must begin with ws:// or wss://, or be an answer URL: add --answer-url"),
        ((SOCKET, "--answer-url"), "with --answer-url, TARGET must begin with https:// or http://"),
        ((SOCKET, "--hangup-url", ANSWER), "--hangup-url goes with --answer-url"),
        ((SOCKET, "--from", "1"), "--from goes with --answer-url"),
        ((SOCKET, "--answer-method", "GET"), "--answer-method goes with --answer-url"),
        ((SOCKET, "--auth-id", "MA1"), "--auth-id goes with --answer-url, --rest-port or --rest-host"),
        ((SOCKET, "--auth-token-file", "nowhere"), "--auth-token-file goes with --answer-url, --rest-port"),
        ((ANSWER, "--answer-url", "--codec", "l16-8k"), "the answer's <Stream> says the codec"),
        ((ANSWER, "--answer-url", "--auth-id", "a/b"), "the auth id must be 1 to 64 letters and digits"),
        ((ANSWER, "--answer-url", "--auth-token-file", "nowhere"), "cannot read nowhere"),
        ((ANSWER, "--answer-url", "--auth-token-file", os.devnull), f"{os.devnull} is empty"),
    ],
)
def test_what_does_not_go_together_is_told(arguments: tuple[str, ...], text: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        read(*arguments)
    assert text in str(wrong.value)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("ftp://h/x",), "it must begin with ws:// or wss:// (or https://) and name a host"),
        (
            (ANSWER, "--answer-url", "--hangup-url", "ws://h"),
            "argument --hangup-url: it must begin with https://",
        ),
        ((SOCKET, "--rest-port", "65536"), "argument --rest-port: 65536 is no port from 0 to 65535"),
        ((SOCKET, "--answer-url"), "with --answer-url, TARGET must begin with https:// or http://"),
        (("--replay", "x", "--rest-port", "0"), "--rest-port does not go with --replay"),
        ((SOCKET, "--replay", "x", "--auth-id", "MA1"), "--auth-id does not go with --replay"),
        ((SOCKET, "--rest-host", "192.0.2.1"), "cannot listen on 192.0.2.1 port 0"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(["test", *arguments])
    except SystemExit as exited:
        code = exited.code
    said = capsys.readouterr().err
    assert code == 2 and text in said and said.count("\n") == 1


async def test_the_command_tests_a_bot_by_its_answer_url(tmp_path: Path) -> None:
    async with AnsweringBot() as bot, asyncio.timeout(40):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge", "test", "--answer-url", bot.url + "?token=s3cret",
            "--hangup-url", bot.web_url + "/hangup", "--hold", "1s", "--report", str(tmp_path / "report"),
            env={**os.environ, "PLIVO_AUTH_ID": AUTH_ID, "PLIVO_AUTH_TOKEN": AUTH_TOKEN},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
    assert b"ended: caller hung up 1" in out
    assert b"the bot can hang up its calls at http://127.0.0.1:" in err
    assert all(asked.signed for asked in bot.asked) and len(bot.at("/hangup")) == 1
    written = b"".join(file.read_bytes() for file in (tmp_path / "report").iterdir() if file.is_file())
    for secret in (b"s3cret", AUTH_TOKEN.encode()):
        assert secret not in out + err + written
