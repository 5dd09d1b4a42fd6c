from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from bridge.egress.gate import EgressGate, EgressSettings
from bridge.errors import BadInput
from bridge.outputs.storage import Storage, StorageFailed
from bridge.outputs.storage_open import Opening
from bridge.outputs.storage_place import GOOGLE, Place
from bridge.runtime.egress_proxy import EgressProxy
from tests.kit.azure_storage import AzureStorage, azure_storage
from tests.kit.google_storage import GoogleStorage, google_storage
from tests.kit.object_storage import ACCESS_KEY, SECRET_KEY, object_storage

pytestmark = pytest.mark.wire

APART = Opening(apart=True, timeout_s=10)
SIZES = (0, 10, 9 << 20)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureStorage]:
    with azure_storage(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def google() -> Iterator[GoogleStorage]:
    with google_storage() as running:
        yield running


@dataclass
class Files:
    """Of every size, to be sent and read back."""

    folder: Path

    async def go_round(self, storage: Storage) -> None:
        sent = {}
        for size in SIZES:
            file = self.folder / str(size)
            file.write_bytes(os.urandom(size))
            sent[f"r/{size}"] = file.read_bytes()
            await storage.put(file, f"r/{size}", "audio/wav")
        await storage.put_content(b"#EXTM3U", "r/index.m3u8", "text/plain")
        for key, content in sent.items():
            read = b"".join([piece async for piece in storage.read(key, 0, len(content))])
            assert read == content
        some = b"".join([piece async for piece in storage.read("r/10", 3, 7)])
        assert some == sent["r/10"][3:7]
        for _ in range(2):
            await storage.remove("r/index.m3u8")
        with pytest.raises(StorageFailed, match="no such bucket or file"):
            _ = [piece async for piece in storage.read("r/index.m3u8", 0, 7)]


async def look_up(host: str) -> list[str]:
    return ["127.0.0.1"]


async def test_azure_takes_and_gives_files(azure: AzureStorage, tmp_path: Path) -> None:
    proxy = EgressProxy(EgressGate(EgressSettings(allow_private=True), look_up))
    await proxy.start()
    try:
        opening = replace(APART, proxy=proxy.address)
        storage = Storage(azure.place(), opening)
        await Files(tmp_path).go_round(storage)
        content = (tmp_path / "10").read_bytes()
        link = await storage.link("r/10", 60)
        got = azure.fetch(link, Range="bytes=2-4")
        assert (got.status_code, got.content, got.headers["content-type"]) == (206, content[2:5], "audio/wav")
        assert azure.fetch(link.replace("sp=r", "sp=w")).status_code == 403
        stranger = Storage(azure.place(key="a2V5"), opening)
        with pytest.raises(StorageFailed, match="azure: access is denied"):
            await stranger.put(tmp_path / "10", "r/10", "audio/wav")
    finally:
        await proxy.close()


async def test_google_takes_and_gives_files_for_tokens_that_the_account_signs(
    google: GoogleStorage, tmp_path: Path
) -> None:
    storage = Storage(google.place(), APART)
    await Files(tmp_path).go_round(storage)
    assert {key: media_type for key, (_, media_type) in google.contents.items()} == {
        f"calls/r/{size}": "audio/wav" for size in SIZES
    }
    assert await storage.link("r/10", 60) == ""  # it would be signed for Google's host, not for this one
    link = urlsplit(await Storage(replace(google.place(), endpoint=GOOGLE), APART).link("r/10", 60))
    assert (link.netloc, link.path) == ("storage.googleapis.com", "/recordings/calls/r/10")
    query = dict(parse_qsl(link.query))
    assert query["X-Goog-Expires"] == "60"
    assert google.signed(link.path, dict(query), link.netloc)
    assert not google.signed(link.path + "1", dict(query), link.netloc)
    with pytest.raises(StorageFailed, match="google: access is denied"):
        stranger = GoogleStorage(endpoint=google.endpoint)
        await Storage(stranger.place(), APART).put(tmp_path / "10", "r/10", "audio/wav")


async def test_the_operators_own_account_is_used_at_google_without_a_detour(
    google: GoogleStorage, tmp_path: Path
) -> None:
    await Files(tmp_path).go_round(Storage(google.place()))


def test_a_key_that_is_none_is_refused_without_repeating_it(google: GoogleStorage) -> None:
    broken = replace(google.place(), secret_key=google.key_file(private_key="-----BEGIN hush"))
    with pytest.raises(BadInput) as refused:
        Storage(broken, APART)
    assert "hush" not in str(refused.value)


SERVERS = {
    "AWS_ACCESS_KEY_ID": "servers-id",
    "AWS_SECRET_ACCESS_KEY": "servers-secret",
    "AWS_SESSION_TOKEN": "servers-token",
    "AWS_ENDPOINT_URL": "http://servers-endpoint.test",
    "AWS_SSE_KMS_KEY_ID": "servers-kms-key",
    "AWS_SKIP_SIGNATURE": "true",
    "GOOGLE_BEARER_TOKEN": "servers-bearer",
    "GOOGLE_SKIP_SIGNATURE": "true",
    "AZURE_STORAGE_TOKEN": "servers-azure-token",
    "AZURE_STORAGE_SAS_KEY": "sig=servers-sas",
    "AZURE_STORAGE_USE_EMULATOR": "true",
}


@pytest.mark.parametrize("kind", ["s3", "gcs", "azure"])
async def test_nothing_of_the_servers_environment_goes_to_a_storage_that_a_request_names(
    kind: str, google: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)
    asked: list[bytes] = []

    async def far(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(far, "127.0.0.1", 0) as server:
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        keys = {"s3": (ACCESS_KEY, SECRET_KEY), "gcs": ("", google.key_file()), "azure": ("account", "a2V5")}
        place = Place("own", kind, "bucket", "", "", endpoint, *keys[kind])  # type: ignore[arg-type]
        with pytest.raises(StorageFailed):
            await Storage(place, APART).put_content(b"sound", "r/1", "audio/wav")
    assert asked
    for request in asked:
        assert b"servers-" not in request
        assert b"authorization:" in request.lower()


async def test_what_s3_has_encrypted_is_verified_by_reading_it_back(tmp_path: Path) -> None:
    with object_storage() as there:
        there.gate.tag = '"0123456789abcdef0123456789abcdef"'  # not the MD5, as with keys of the customer's
        storage = Storage(there.place())
        await Files(tmp_path).go_round(storage)
        there.gate.spoil = True
        with pytest.raises(StorageFailed, match="other bytes arrived than were sent"):
            await storage.put(tmp_path / "10", "r/spoilt", "audio/wav")
