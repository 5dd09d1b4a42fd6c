"""The egress gate against the table of hostile URLs, and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.egress.addresses import OWN, Kind, kind_of
from bridge.egress.gate import EgressGate, EgressSettings
from bridge.egress.hosts import host_pattern
from bridge.errors import EgressRefused, NoSuchHost
from tests.kit.hostile_urls import (
    HARMLESS,
    HOSTILE,
    OTHER_SCHEMES,
    SECRET,
    HarmlessUrl,
    HostileUrl,
    Names,
    RebindingNames,
)

pytestmark = pytest.mark.unit

WS = ("ws", "wss")
STANDING_FOR_IPV4 = [
    ip_network(network) for network in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
]


def gate(names: Names | None = None, **settings: object) -> EgressGate:
    return EgressGate(EgressSettings(**settings), names or Names())  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["ws", "https"])
@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
async def test_a_hostile_url_is_refused_and_the_refusal_says_what_would_allow_it(
    hostile: HostileUrl, scheme: str
) -> None:
    url = f"{scheme}://{hostile.rest}"
    with pytest.raises(EgressRefused) as refused:
        await gate().resolve(url, (scheme,))
    assert hostile.says in str(refused.value)
    assert len(str(refused.value)) < 400 and str(refused.value).isprintable()


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
async def test_with_private_addresses_allowed_only_those_are_reached(hostile: HostileUrl) -> None:
    resolving = gate(allow_private=True).resolve(f"ws://{hostile.rest}", WS)
    if hostile.never:
        with pytest.raises(EgressRefused) as refused:
            await resolving
        assert "ALLOW_PRIVATE" not in str(refused.value)
    else:
        addresses = [ip_address(address) for address in (await resolving).addresses]
        assert {kind_of(address) for address in addresses} <= OWN | {Kind.PUBLIC}
        assert any(kind_of(address) in OWN for address in addresses)


@pytest.mark.parametrize("url", OTHER_SCHEMES)
async def test_other_schemes_are_refused(url: str) -> None:
    for schemes in (WS, ("http", "https")):
        with pytest.raises(EgressRefused, match=f"begin with {schemes[0]}:// or {schemes[1]}://|no host"):
            await gate(allow_private=True).resolve(url, schemes)


@pytest.mark.parametrize("scheme", ["ws", "wss", "http", "https"])
@pytest.mark.parametrize("harmless", HARMLESS, ids=str)
async def test_a_harmless_url_is_taken_apart(harmless: HarmlessUrl, scheme: str) -> None:
    for written in (scheme, scheme.upper()):
        found = await gate().resolve(f"{written}://{harmless.rest}", (scheme,))
        port = harmless.port or {"ws": 80, "http": 80}.get(scheme, 443)
        assert (found.scheme, found.host, found.port) == (scheme, harmless.host, port)
        assert (found.path_and_query, found.addresses) == (harmless.target, harmless.addresses)
        assert found.secure == (scheme in ("wss", "https"))
        host = f"[{harmless.host}]" if ":" in harmless.host else harmless.host
        assert found.authority == (f"{host}:{harmless.port}" if harmless.port else host)


def test_what_needs_no_look_up_is_judged_at_once() -> None:
    for url in ("ws://127.1/", "ws://localhost/", "ws://[fe80::1]/", "http://bot.example/", "ws://a@b/"):
        with pytest.raises(EgressRefused):
            gate().check(url, WS)
    assert gate().check("ws://private.example/", WS).addresses == ()  # only the look-up tells


async def test_a_name_is_looked_up_once_and_what_came_is_what_is_dialled() -> None:
    names = RebindingNames("bot.example", ["93.184.216.34"], ["127.0.0.1"])
    found = await gate(names).resolve("ws://bot.example/", WS)
    assert found.addresses == ("93.184.216.34",)
    assert names.asked == ["bot.example"]
    with pytest.raises(EgressRefused):
        await gate(names).resolve("ws://bot.example/", WS)


@pytest.mark.parametrize("answers", [[], ["nonsense"], ["93.184.216.34", "nonsense"]])
async def test_a_name_without_a_usable_answer_is_no_host(answers: Sequence[str]) -> None:
    with pytest.raises(NoSuchHost, match="no such host"):
        await gate(Names({"x.example": answers})).resolve("ws://x.example/", WS)
    with pytest.raises(NoSuchHost, match="no such host"):
        await gate().resolve("ws://unknown.example/", WS)


async def test_a_name_with_very_many_addresses_is_refused() -> None:
    many = [f"93.184.{n // 250}.{n % 250}" for n in range(100)]
    with pytest.raises(EgressRefused, match="more than 64"):
        await gate(Names({"x.example": many})).resolve("ws://x.example/", WS)


async def test_the_same_address_twice_is_tried_once() -> None:
    names = Names({"x.example": ["93.184.216.34", "93.184.216.34"]})
    assert (await gate(names).resolve("ws://x.example/", WS)).addresses == ("93.184.216.34",)


@pytest.mark.parametrize(
    "url",
    [
        f"ws://user:{SECRET}@bot.example/",
        f"ws://127.0.0.1/?token={SECRET}",
        f"ws://private.example/{SECRET}?{SECRET}#{SECRET}",
        f"gopher://bot.example/{SECRET}",
        f"ws://bot.example:99999/?{SECRET}",
        f"ws://bot.example/ {SECRET}",
        f"ws://[{SECRET}]/",
    ],
)
async def test_a_refusal_holds_neither_query_nor_credentials(url: str) -> None:
    with pytest.raises(EgressRefused) as refused:
        await gate().resolve(url, WS)
    assert SECRET not in str(refused.value)


async def test_a_destination_s_repr_holds_no_query() -> None:
    found = await gate().resolve(f"ws://bot.example/?token={SECRET}", WS)
    assert SECRET in found.path_and_query and SECRET not in repr(found)


async def test_a_refusal_does_not_tell_what_a_name_means() -> None:
    with pytest.raises(EgressRefused) as refused:
        await gate().resolve("ws://private.example/", WS)
    assert "192.168" not in str(refused.value)


def test_tls_can_be_required() -> None:
    for url in ("ws://bot.example/", "http://bot.example/"):
        with pytest.raises(EgressRefused, match="only wss, https, rtmps .* MEDIABRIDGE_EGRESS_REQUIRE_TLS"):
            gate(require_tls=True).check(url, ("ws", "http"))
    assert gate(require_tls=True).check("wss://bot.example/", WS).secure


@pytest.mark.parametrize(
    ("patterns", "reached", "refused"),
    [
        (("bot.example",), ["bot.example", "BOT.example."], ["bot-2.example", "93.184.216.34"]),
        (("*.example",), ["bot.example", "bot-2.example"], ["example", "other.test"]),
        (("93.184.216.34",), ["93.184.216.34", "one.test"], ["bot.example", "1.1.1.1"]),
        (("93.184.0.0/16", "2606::/16"), ["bot.example", "[2606:2800:220:1::1]"], ["bot-2.example"]),
        (("Bücher.example", "xn--bcher-kva.example"), ["bücher.example"], ["bot.example"]),
        (("[2606:2800:220:1::1]",), ["[2606:2800:220:1::1]"], ["bot.example"]),
    ],
)
async def test_only_allowed_hosts_are_reached_where_there_are_any(
    patterns: tuple[str, ...], reached: list[str], refused: list[str]
) -> None:
    patterns = tuple(pattern for pattern in patterns if pattern.isascii())
    names = Names({**Names().known, "one.test": ["93.184.216.34"], "example": ["93.184.216.34"]})
    judge = gate(names, allowed_hosts=patterns)
    for host in reached:
        assert (await judge.resolve(f"ws://{host}/", WS)).addresses
    for host in refused:
        with pytest.raises(EgressRefused, match="not among MEDIABRIDGE_EGRESS_ALLOWED_HOSTS"):
            await judge.resolve(f"ws://{host}/", WS)


@pytest.mark.parametrize(
    ("patterns", "refused", "reached"),
    [
        (("bot.example",), ["bot.example", "BOT.EXAMPLE."], ["bot-2.example"]),
        (("*.example",), ["bot.example"], ["1.1.1.1"]),
        (("93.184.216.34",), ["93.184.216.34", "1572395042", "bot.example"], ["1.1.1.1"]),
        (("93.184.0.0/16",), ["[::ffff:93.184.216.34]"], ["[::ffff:1.1.1.1]"]),
        (("2606:2800::/32",), ["bot.example"], ["bot-2.example"]),
    ],
)  # fmt: skip
async def test_denied_hosts_are_not_reached(
    patterns: tuple[str, ...], refused: list[str], reached: list[str]
) -> None:
    judge = gate(denied_hosts=patterns)
    for host in refused:
        with pytest.raises(EgressRefused, match="refused by MEDIABRIDGE_EGRESS_DENIED_HOSTS"):
            await judge.resolve(f"ws://{host}/", WS)
    for host in reached:
        assert (await judge.resolve(f"ws://{host}/", WS)).addresses


async def test_an_allowed_host_does_not_open_the_inner_network() -> None:
    judge = gate(allowed_hosts=("private.example", "127.0.0.1"))
    for host in ("private.example", "127.0.0.1"):
        with pytest.raises(EgressRefused, match="ALLOW_PRIVATE=true"):
            await judge.resolve(f"ws://{host}/", WS)


async def test_what_is_denied_stays_denied_where_it_is_also_allowed() -> None:
    judge = gate(allowed_hosts=("*.example",), denied_hosts=("bot.example",))
    with pytest.raises(EgressRefused, match="DENIED"):
        await judge.resolve("ws://bot.example/", WS)


@pytest.mark.parametrize(
    "pattern", ["", "*", "a.*", "*.*.a", "a b", "http://a", "a:80", "10.0.0.1/8", "1.2.3"]
)
def test_what_is_no_pattern_is_refused_at_the_start(pattern: str) -> None:
    with pytest.raises(ValueError):
        host_pattern(pattern)
    with pytest.raises(ValueError):
        gate(allowed_hosts=(pattern,))


@given(st.integers(0, 2**32 - 1))
def test_every_way_to_write_an_ipv4_address_is_judged_alike(bits: int) -> None:
    plain = str(ip_address(bits))
    a, b, c, d = (int(part) for part in plain.split("."))
    expected = kind_of(ip_address(plain))
    for written in (bits, hex(bits), f"0{bits:o}", f"{a}.{bits & 0xFFFFFF}", f"{a:#x}.0{b:o}.{c * 256 + d}"):
        try:
            assert gate().check(f"ws://{written}/", WS).addresses == (plain,)
            assert expected is Kind.PUBLIC
        except EgressRefused as refused:
            assert expected is not Kind.PUBLIC and str(expected) in str(refused)


@given(st.integers(0, 2**128 - 1) | st.integers(0, 2**64 - 1).map(lambda low: 0xFE80 << 112 | low))
def test_whatever_the_library_knows_to_be_special_is_not_public(bits: int) -> None:
    address = ip_address(bits.to_bytes(16, "big"))
    assume(not any(address in network for network in STANDING_FOR_IPV4))
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
        assert kind_of(address) is not Kind.PUBLIC


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_that_the_library_calls_not_global_is_not_public(bits: int) -> None:
    address = ip_address(bits)
    if not address.is_global or address.is_multicast:
        assert kind_of(address) is not Kind.PUBLIC
    for form in (f"::ffff:{address}", f"64:ff9b::{address}", f"::ffff:0:{address}"):
        assert kind_of(ip_address(form)) is kind_of(address)


@given(st.text(max_size=60))
def test_nothing_but_a_refusal_comes_of_nonsense(text: str) -> None:
    for url in (text, f"ws://{text}", f"ws://bot.example{text}", f"ws://[{text}]/"):
        try:
            found = gate().check(url, WS)
        except EgressRefused:
            continue
        assert found.host.isascii() and found.path_and_query.isascii() and found.path_and_query[0] == "/"
