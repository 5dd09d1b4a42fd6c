"""URLs that must not lead where they point, and some that may: one table for every door that dials out.

They are written without a scheme, so that each door can put its own in front.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SECRET = "s3cret"


@dataclass(frozen=True)
class HostileUrl:
    rest: str
    """What follows `scheme://`."""
    says: str
    """Must be in the refusal."""
    never: bool = True
    """Refused whatever the settings say; else MEDIABRIDGE_EGRESS_ALLOW_PRIVATE=true lets it through."""

    def __str__(self) -> str:
        return self.rest[:60]


@dataclass(frozen=True)
class HarmlessUrl:
    rest: str
    host: str
    port: int | None
    """None: the scheme's."""
    target: str
    addresses: tuple[str, ...]

    def __str__(self) -> str:
        return self.rest


ALLOWS = "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE=true allows it"
NEVER = "never reached"

NAMES: Mapping[str, Sequence[str]] = {
    "bot.example": ["93.184.216.34", "2606:2800:220:1::1"],
    "bot-2.example": ["2a00:1450:4001:81b::200e"],
    "xn--bcher-kva.example": ["93.184.216.34"],
    "my_bot.example": ["93.184.216.34"],
    "private.example": ["192.168.7.7"],
    "loop.example": ["127.0.0.1"],
    "half.example": ["93.184.216.34", "10.0.0.5"],
    "half-6.example": ["93.184.216.34", "fd12::1"],
    "linked.example": ["93.184.216.34", "fe80::1%eth0"],
    "imds.example": ["169.254.169.254"],
    "mapped.example": ["::ffff:169.254.169.254"],
    "translated.example": ["64:ff9b::a00:1"],
    "localhost": ["127.0.0.1", "::1"],
    "a.localhost": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "127.0.0.1.nip.example": ["127.0.0.1"],
}
"""What names mean in these tests; others have no address."""


_OWN_NETWORK = [
    # Addresses of this machine and of the network around it, however written.
    "127.0.0.1/", "127.0.0.1:9999/x", "127.1/", "127.0.1/", "0177.0.0.1/", "0x7f.0.0.1/", "0x7f.1/",
    "0x7f000001/", "0X7F000001/", "2130706433/", "017700000001/", "127.0.0.1./", "127.255.255.254/",
    "00000177.0x0.0.0x1/", "１２７.０.０.１/", "127。0。0。1/", "①②⑦.0.0.1/", "10.0.0.1/", "10.255.255.255/",
    "172.16.0.1/", "172.31.255.255/", "192.168.0.1/", "3232235521/", "0xc0a80001/", "100.64.0.1/",
    "100.127.255.255/", "[::1]/", "[::1]:8080/", "[0:0:0:0:0:0:0:1]/", "[fc00::1]/", "[fd12:3456::1]/",
    "[::ffff:127.0.0.1]/", "[::ffff:7f00:1]/", "[::ffff:10.0.0.1]/", "[::FFFF:10.0.0.1]/",
    "[::127.0.0.1]/", "[::7f00:1]/", "[::ffff:0:127.0.0.1]/", "[64:ff9b::127.0.0.1]/",
    "[64:ff9b::c0a8:1]/", "[64:ff9b:1::8.8.8.8]/", "[64:ff9b:1:a00:0:100::]/", "[2002:7f00:1::]/",
    "[2002:a00:1::1]/", "[2001:0:5db8:d822::80ff:fffe]/", "[2001:0:a00:1::a247:27dd]/",
    "[2a00:1::5efe:192.168.0.1]/", "localhost/", "LOCALHOST/", "localhost./", "localhost:22/",
    "a.localhost/", "ｌｏｃａｌｈｏｓｔ/", "private.example/", "loop.example/", "PRIVATE.example./",
    "127.0.0.1.nip.example/", "half.example/", "half-6.example/", "translated.example/",
]  # fmt: skip
_NEVER_REACHED = [
    "linked.example/", "imds.example/", "mapped.example/", "169.254.169.254/latest/meta-data/",
    "169.254.0.1/", "2852039166/", "0xa9.0xfe.0xa9.0xfe/", "0251.0376.0251.0376/", "[::ffff:a9fe:a9fe]/",
    "[64:ff9b::169.254.169.254]/", "[64:ff9b:1::a9fe:a9fe]/", "[64:ff9b:1:a9fe:a9:fe00::]/",
    "[2002:a9fe:a9fe::]/", "[fe80::1]/", "[febf::1]/", "[fd00:ec2::254]/", "[fd20:ce::254]/",
    "100.100.100.200/", "168.63.129.16/", "192.0.0.192/", "metadata.google.internal/",
    "Metadata.Google.Internal./", "0.0.0.0/", "0/", "0x0/", "0.1.2.3/", "[::]/", "[::ffff:0.0.0.0]/",
    "224.0.0.1/", "239.255.255.250:1900/", "[ff02::1]/", "255.255.255.255/", "4294967295/", "240.0.0.1/",
    "192.0.2.1/", "198.51.100.1/", "203.0.113.1/", "[2001:db8::1]/", "[3fff::1]/", "198.18.0.1/",
    "[2001:2::1]/", "192.0.0.8/", "192.88.99.1/", "[fec0::1]/", "[4000::1]/", "[100::1]/", "[5f00::1]/",
    "[2001:10::1]/",
]  # fmt: skip
_NOT_TO_BE_READ = {
    "credentials": [
        f"user:{SECRET}@bot.example/", "bot.example@127.0.0.1/", "@bot.example/",
        "bot.example:80@loop.example/",
    ],
    "backslash": [
        "bot.example\\@127.0.0.1/", "bot.example\\.private.example/",
    ],
    "control": [
        "bot.example/\r\nX-Injected: 1", "127.0.0\t.1/", "bot.example\x00.private.example/",
        "bot.example/\x7f", "bot.example/\ud800", "bot.example\u2028/",
    ],
    "space": [
        "bot.example/ HTTP/1.1\r\nHost: x",
    ],
    "no host": [
        "", "/path", ":80/", "?q",
    ],
    "not a host name": [
        ".", "bot..example/", ".bot.example/", "-bot.example/", "a" * 64 + ".example/",
        "a." * 130 + "example/", "bot.example%00.private.example/", "%6c%6fcalhost/", "bot.exa+mple/",
    ],
    "not an IPv4 address": [
        "%31%32%37.0.0.1/", "bot.example,127.0.0.1/", "1.2.3.4.5/", "256.0.0.1/", "4294967296/", "1..2/",
        "bot.0x7f/",
    ],
    "not a URL": [
        "[::1", "::1]/", "::1/", "bot.example℀.private.example/", "bot.example:65536/", "bot.example:-1/",
        "bot.example:80:80/", "bot.example:８０/", "bot.example:0x50/",
    ],
    "host that can be read": [
        "[::1]evil.example/", "[v1.x]/",
    ],
    "zone": [
        "[fe80::1%25eth0]/", "[fe80::1%eth0]/", "[::1%lo]/",
    ],
    "internationalised": [
        "\xad/",
    ],
    "port": [
        "bot.example:0/",
    ],
    "longer than": [
        "bot.example/" + "x" * 5000,
    ],
}  # fmt: skip

HOSTILE = [
    *(HostileUrl(rest, ALLOWS, never=False) for rest in _OWN_NETWORK),
    *(HostileUrl(rest, NEVER) for rest in _NEVER_REACHED),
    *(HostileUrl(rest, says) for says, written in _NOT_TO_BE_READ.items() for rest in written),
]

OTHER_SCHEMES = [
    "", "bot.example", "//bot.example/", "file:///etc/passwd", "gopher://bot.example/", "ftp://bot.example/",
    "javascript:alert(1)", "data:text/plain,x", "unix:///run/docker.sock", "dict://127.0.0.1:11211/",
    "ldap://bot.example/", "jar:http://bot.example/", "ws:bot.example/", "wss:/bot.example/",
    "http:bot.example", "https:/bot.example", "ws;//bot.example/", "blob:http://bot.example/",
]  # fmt: skip
"""Whole URLs that no door takes."""

PUBLIC = ("93.184.216.34", "2606:2800:220:1::1")
HARMLESS = [
    HarmlessUrl("bot.example", "bot.example", None, "/", PUBLIC),
    HarmlessUrl("Bot.Example.:8443/a/b?t=1&u=%20#frag", "bot.example", 8443, "/a/b?t=1&u=%20", PUBLIC),
    HarmlessUrl("bot.example?x=1", "bot.example", None, "/?x=1", PUBLIC),
    HarmlessUrl("bot.example:/ü?q=ß", "bot.example", None, "/%C3%BC?q=%C3%9F", PUBLIC),
    HarmlessUrl("bot.example/a@b|c;d=[e]?u=http://127.0.0.1/", "bot.example", None,
                "/a@b|c;d=[e]?u=http://127.0.0.1/", PUBLIC),
    HarmlessUrl("bücher.example/", "xn--bcher-kva.example", None, "/", PUBLIC[:1]),
    HarmlessUrl("my_bot.example/", "my_bot.example", None, "/", PUBLIC[:1]),
    HarmlessUrl("bot-2.example:1/", "bot-2.example", 1, "/", ("2a00:1450:4001:81b::200e",)),
    HarmlessUrl("93.184.216.34/", "93.184.216.34", None, "/", PUBLIC[:1]),
    HarmlessUrl("1572395042:65535/", "93.184.216.34", 65535, "/", PUBLIC[:1]),
    HarmlessUrl("[2606:2800:220:1:0:0:0:1]:81/", "2606:2800:220:1::1", 81, "/", PUBLIC[1:]),
    HarmlessUrl("[64:ff9b::8.8.8.8]/", "64:ff9b::808:808", None, "/", ("64:ff9b::808:808",)),
    HarmlessUrl("[2002:808:808::1]/", "2002:808:808::1", None, "/", ("2002:808:808::1",)),
    HarmlessUrl("172.15.255.255/", "172.15.255.255", None, "/", ("172.15.255.255",)),
    HarmlessUrl("172.32.0.0/", "172.32.0.0", None, "/", ("172.32.0.0",)),
    HarmlessUrl("100.128.0.0/", "100.128.0.0", None, "/", ("100.128.0.0",)),
    HarmlessUrl("223.255.255.255/", "223.255.255.255", None, "/", ("223.255.255.255",)),
]  # fmt: skip


class Names:
    """A resolver that knows a few names and notes what it was asked."""

    def __init__(self, known: Mapping[str, Sequence[str]] = NAMES) -> None:
        self.known = dict(known)
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        assert re.fullmatch(r"[a-z0-9._-]+", host), "the gate gave something that is no name"
        if host not in self.known:
            raise OSError("no such name")
        return self.known[host]


class RebindingNames(Names):
    """Each look-up of a name gives the next of its answers: harmless when checked, hostile when dialled."""

    def __init__(self, host: str, *answers: Sequence[str]) -> None:
        super().__init__({host: answers[0]})
        self._answers = list(answers)

    async def __call__(self, host: str) -> Sequence[str]:
        await super().__call__(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
