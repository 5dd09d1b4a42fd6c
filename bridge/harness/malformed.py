"""Messages that make no sense, each in a way of its own. Pure."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable

from bridge.harness.line import Outgoing

_NONSENSE = "is anybody there?"
_LONG = 256 * 1024
_DEEP = 500


def malformed(kind: str, usual: bytes) -> Outgoing:
    """One of `scenario_faults.MALFORMED`, made of a message that would be well."""
    return _WAYS[kind](usual)


def _json(text: str) -> Callable[[bytes], Outgoing]:
    return lambda usual: Outgoing(text.encode())


def _payload(written: bytes) -> Callable[[bytes], Outgoing]:
    """The usual message with another payload, where it has one."""

    def way(usual: bytes) -> Outgoing:
        before, found, rest = usual.partition(b'"payload":"')
        if not found:
            before, rest = b'{"event":"media","media":{"track":"inbound","timestamp":"0","chunk":1,', b'"}}'
        return Outgoing(before + b'"payload":"' + written + rest[rest.index(b'"') :])

    return way


_WAYS: dict[str, Callable[[bytes], Outgoing]] = {
    "not_json": _json(_NONSENSE),
    "cut_short": lambda usual: Outgoing(usual[: len(usual) // 2]),
    "not_utf8": lambda usual: Outgoing(usual[:-2] + b"\xff\xfe" + usual[-2:]),
    "binary": lambda usual: Outgoing(usual, binary=True),
    "no_event": _json('{"sequenceNumber":1,"streamId":""}'),
    "unknown_event": _json('{"event":"weather","sequenceNumber":1,"weather":{"sky":"grey"}}'),
    "wrong_types": _json('{"event":"media","sequenceNumber":"one","streamId":7,"media":["inbound",null]}'),
    "no_payload": _json('{"event":"media","sequenceNumber":1,"media":{"track":"inbound","chunk":1}}'),
    "bad_base64": _payload(b"@@@not base64@@@"),
    "half_a_sample": _payload(b2a_base64(b"\1\2\3", newline=False)),
    "deep": _json('{"event":' + _DEEP * "[" + _DEEP * "]" + "}"),
    "long": _json('{"event":"' + _LONG * "a" + '"}'),
}
