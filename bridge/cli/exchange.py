"""The arguments of `mediabridge test` for bots that have an answer URL, or hang up by REST."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.cli.kinds import port, web_url
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.harness.exchange import ExchangeSettings

AUTH_ID, AUTH_TOKEN = "PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN"
"""Variables of the environment, as the vendor's own SDKs call them."""
_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_ANSWER_ONLY = ("answer_method", "hangup_url", "fallback_url", "from_number", "to_number")
_REST = ("rest_host", "rest_port")
_ACCOUNT = ("auth_id", "auth_token_file")


def add_options(parser: argparse.ArgumentParser) -> None:
    """A group of its own in the help."""
    group = parser.add_argument_group(
        "answer URL and REST API",
        f"Requests are signed with the auth token in {AUTH_TOKEN}, or in a file; without one they are not.",
    )
    group.add_argument(
        "--answer-url", action="store_true", help="TARGET is the bot's answer URL, which gives XML"
    )
    group.add_argument("--answer-method", choices=("GET", "POST"), help="how it is asked (POST)")
    group.add_argument("--hangup-url", type=web_url, metavar="URL", help="told when a call has ended")
    group.add_argument(
        "--fallback-url", type=web_url, metavar="URL", help="asked when the answer URL gives nothing"
    )
    group.add_argument(
        "--from", dest="from_number", metavar="NUMBER", help="of every caller (each their own)"
    )
    group.add_argument("--to", dest="to_number", metavar="NUMBER", help="the number they call")
    group.add_argument("--auth-id", metavar="ID", help=f"the account's ({AUTH_ID}, or a simulated one)")
    group.add_argument(
        "--auth-token-file", type=Path, metavar="FILE", help=f"holds its auth token ({AUTH_TOKEN})"
    )
    group.add_argument("--rest-host", metavar="ADDRESS", help="where to listen for hang-ups (127.0.0.1)")
    group.add_argument(
        "--rest-port", type=port, metavar="N", help="TCP port for them (a free one, with --answer-url)"
    )


def read(options: argparse.Namespace, environment: Mapping[str, str]) -> ExchangeSettings | None:
    """None where calls go straight to a socket and nobody asks for REST. Raises ConfigError."""
    url = str(options.url)
    if options.answer_url != url.startswith("http"):
        if options.answer_url:
            raise ConfigError("with --answer-url, TARGET must begin with https:// or http://")
        raise ConfigError("TARGET must begin with ws:// or wss://, or be an answer URL: add --answer-url")
    if not options.answer_url:
        if option := next(_given(options, _ANSWER_ONLY), None):
            raise ConfigError(f"{option} goes with --answer-url")
    if options.answer_url and options.codec is not None:
        raise ConfigError("with --answer-url, the answer's <Stream> says the codec: leave --codec out")
    if not options.answer_url and next(_given(options, _REST), None) is None:
        if option := next(_given(options, _ACCOUNT), None):
            raise ConfigError(f"{option} goes with --answer-url, --rest-port or --rest-host")
        return None
    from bridge.harness.account import Account
    from bridge.harness.answer_course import AnswerSettings
    from bridge.harness.exchange import ExchangeSettings

    auth_id = options.auth_id or environment.get(AUTH_ID) or Account().auth_id
    if not _ID.fullmatch(auth_id):
        raise ConfigError("the auth id must be 1 to 64 letters and digits")
    answer = AnswerSettings(
        url,
        options.answer_method or "POST",
        options.fallback_url or "",
        options.hangup_url or "",
        options.from_number or "",
        options.to_number or AnswerSettings(url).to_number,
    )
    return ExchangeSettings(
        Account(auth_id, _token(options, environment)),
        answer if options.answer_url else None,
        options.rest_host or "127.0.0.1",
        options.rest_port or 0,
    )


def check_replay(options: argparse.Namespace) -> None:
    """Raises ConfigError for what makes no sense with `--replay`."""
    if option := next(_given(options, (*_ANSWER_ONLY, *_REST, *_ACCOUNT)), None):
        raise ConfigError(f"{option} does not go with --replay")


def _given(options: argparse.Namespace, names: Sequence[str]) -> Iterator[str]:
    """Those of some options that were said, as they are written."""
    for name in names:
        if getattr(options, name) is not None:
            yield "--" + name.removesuffix("_number").replace("_", "-")


def _token(options: argparse.Namespace, environment: Mapping[str, str]) -> str:
    if options.auth_token_file is None:
        return environment.get(AUTH_TOKEN, "")
    try:
        token = str(options.auth_token_file.read_text()).strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"cannot read {options.auth_token_file}") from None
    if not token:
        raise ConfigError(f"{options.auth_token_file} is empty")
    return token
