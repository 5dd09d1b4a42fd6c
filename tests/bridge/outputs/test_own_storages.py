"""Storages that requests name, with their keys."""

from __future__ import annotations

import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bridge.core.ports import OWN_STORAGE, GivenStorage
from bridge.errors import BadInput
from bridge.outputs.own_storages import OwnStorages, kept_storage
from bridge.outputs.shelf_storage import ShelfStorage
from bridge.outputs.storage import StorageFailed
from bridge.outputs.storage_open import Opening
from tests.kit.shelf_place import ID

pytestmark = pytest.mark.unit

GIVEN = GivenStorage("s3", "calls", "a/b", access_key="an-id", secret_key="a-very-secret-key")


Judge = Callable[[str, bool], Awaitable[None]]


def own_storages(root: Path, judge: Judge | None = None, apart: bool = True) -> OwnStorages:
    async def nothing_wrong(endpoint: str, named: bool) -> None:
        return None

    async def opening() -> Opening:
        return Opening(proxy="http://a:b@127.0.0.1:9", apart=apart)

    return OwnStorages(root, judge or nothing_wrong, opening)


async def test_the_keys_of_a_storage_lie_beside_its_recording_for_nobody_else_to_read(tmp_path: Path) -> None:
    own = own_storages(tmp_path)
    await own.keep(ID, GIVEN)
    [file] = (tmp_path / ID).iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert kept_storage(tmp_path / ID) == GIVEN
    again = own_storages(tmp_path)  # after a restart
    storage = await again.open(ID)
    assert (storage.place.bucket, storage.place.secret_key) == ("calls", GIVEN.secret_key)
    assert await again.open(ID) is storage
    again.forget(ID)
    assert await again.open(ID) is not storage


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"kind": "tape", "bucket": "a"}'])
async def test_keys_that_cannot_be_read_are_said_to_be_gone(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / ID).mkdir()
    if content is not None:
        (tmp_path / ID / "storage.json").write_bytes(content)
    with pytest.raises(StorageFailed, match="keys are not kept any more"):
        await own_storages(tmp_path).open(ID)


async def test_what_may_not_be_reached_is_refused_when_it_is_named_and_when_it_is_used(
    tmp_path: Path,
) -> None:
    allowed = True

    async def judge(endpoint: str, named: bool) -> None:
        assert (endpoint, named) == ("https://s3.us-east-1.amazonaws.com", False)
        if not allowed:
            raise BadInput("`storage.endpoint`: it is inside")

    own = own_storages(tmp_path, judge)
    await own.check(GIVEN)
    await own.keep(ID, GIVEN)
    allowed = False
    with pytest.raises(BadInput, match="inside"):
        await own.check(GIVEN)
    with pytest.raises(StorageFailed, match="it is inside"):
        await own_storages(tmp_path, judge).open(ID)


async def test_no_storage_of_a_requests_is_opened_without_a_gate(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="takes no storages"):
        await own_storages(tmp_path, apart=False).keep(ID, GIVEN)
    assert not (tmp_path / ID).exists()
    alone = ShelfStorage(tmp_path)
    with pytest.raises(BadInput, match="takes no storages"):
        await alone.check(GIVEN)
    with pytest.raises(BadInput, match="no storage main"):
        await alone.check("main")
    assert alone.name_for(OWN_STORAGE) == "" == alone.name_for("")
