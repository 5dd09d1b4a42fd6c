from __future__ import annotations

import pytest

from bridge.egress.gate import EgressGate, EgressSettings
from bridge.errors import BadInput
from bridge.storage_endpoints import StorageEndpoints

pytestmark = pytest.mark.unit

NAMES = {
    "minio.example": ["93.184.216.34"],
    "inside.example": ["10.0.0.5"],
    "a.stores.example": ["93.184.216.35"],
    "s3.eu-central-1.amazonaws.com": ["52.219.1.1"],
}


async def look_up(host: str) -> list[str]:
    LOOKED_UP.append(host)
    if host not in NAMES:
        raise OSError("no such name")
    return NAMES[host]


LOOKED_UP: list[str] = []


def endpoints(*patterns: str, **gate: object) -> StorageEndpoints:
    LOOKED_UP.clear()
    return StorageEndpoints(EgressGate(EgressSettings(**gate), look_up), patterns)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("patterns", "endpoint", "gate"),
    [
        (["minio.example"], "https://minio.example:9000", {}),
        (["*.stores.example"], "http://a.stores.example", {}),
        (["inside.example"], "https://inside.example", {"allow_private": True}),
        (["10.0.0.0/8"], "http://10.1.2.3:9000", {"allow_private": True}),
    ],
)
async def test_what_the_operator_allows_may_be_named(
    patterns: list[str], endpoint: str, gate: dict[str, bool]
) -> None:
    await endpoints(*patterns, **gate).judge(endpoint, True)


async def test_without_a_list_only_the_vendors_own_are_taken() -> None:
    judge = endpoints().judge
    await judge("https://s3.eu-central-1.amazonaws.com", False)
    with pytest.raises(BadInput, match="no endpoints but the vendors' own"):
        await judge("https://s3.eu-central-1.amazonaws.com", True)


@pytest.mark.parametrize(
    ("patterns", "endpoint", "gate", "why"),
    [
        (["minio.example"], "https://other.example", {}, "not among recordings.storage_endpoints"),
        (["*.stores.example"], "https://stores.example", {}, "not among"),
        (["stores.example"], "https://a.stores.example", {}, "not among"),
        (["93.184.216.0/24"], "https://minio.example", {}, "not among"),
        (["inside.example"], "https://inside.example", {}, "private"),
        (["10.0.0.0/8"], "http://10.1.2.3", {}, "private"),
        (["169.254.0.0/16"], "http://169.254.169.254", {"allow_private": True}, "never reached"),
        (["minio.example"], "http://minio.example", {"require_tls": True}, "only wss"),
        (["minio.example"], "https://minio.example", {"allowed_hosts": ("x.example",)}, "not among"),
        (["gone.example"], "https://gone.example", {}, "no such host"),
    ],
)
async def test_whatever_else_is_named_is_refused(
    patterns: list[str], endpoint: str, gate: dict[str, object], why: str
) -> None:
    with pytest.raises(BadInput, match=why) as refused:
        await endpoints(*patterns, **gate).judge(endpoint, True)
    assert str(refused.value).startswith("`storage.endpoint`: ")


async def test_names_that_are_not_on_the_list_are_not_even_looked_up() -> None:
    judge = endpoints("minio.example", allow_private=True).judge
    with pytest.raises(BadInput):
        await judge("https://inside.example", True)
    assert LOOKED_UP == []


async def test_the_vendors_own_pass_the_gate_as_well() -> None:
    judge = endpoints("minio.example", denied_hosts=("*.amazonaws.com",)).judge
    with pytest.raises(BadInput, match="refused by"):
        await judge("https://s3.eu-central-1.amazonaws.com", False)
