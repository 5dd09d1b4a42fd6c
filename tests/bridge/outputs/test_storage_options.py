"""What an S3 storage is asked for besides keeping files: encryption, tags, keys that are good for a while."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import BadInput
from bridge.outputs.storage import Storage, StorageFailed
from bridge.outputs.storage_open import Opening
from tests.kit.object_storage import ObjectStorage

pytestmark = pytest.mark.wire

TAGS = (("team", "calls + more"), ("Abteilung", "Büro/1+2"), ("empty", ""))
APART = Opening(apart=True, timeout_s=10)
TOKEN = "a-session-token-that-nobody-sees"


@pytest.mark.parametrize(("encryption", "said"), [("aes256", "AES256"), ("kms", "aws:kms")])
@pytest.mark.parametrize("opening", [Opening(), APART], ids=["the operator's", "a request's"])
async def test_objects_small_and_large_are_encrypted_and_tagged_as_it_was_asked_for(
    there: ObjectStorage, tmp_path: Path, encryption: str, said: str, opening: Opening
) -> None:
    storage = Storage(there.place(encryption=encryption, tags=TAGS), opening)
    for key, content in (("o/small", b"sound"), ("o/large", os.urandom(9 << 20))):
        file = tmp_path / "file"
        file.write_bytes(content)
        await storage.put(file, key, "audio/wav")
        assert there.contents()[key] == content
        assert there.encryption(key) == said
        assert there.tags(key) == dict(TAGS)
    await storage.put_content(b"#EXTM3U", "o/index.m3u8", "text/plain")
    assert (there.encryption("o/index.m3u8"), there.tags("o/index.m3u8")) == (said, dict(TAGS))


async def test_without_a_word_objects_are_as_the_bucket_says(there: ObjectStorage) -> None:
    await Storage(there.place(), APART).put_content(b"sound", "o/plain", "audio/wav")
    assert there.tags("o/plain") == {}


@pytest.mark.parametrize(
    "tags",
    [
        tuple((f"name{number}", "") for number in range(11)),
        (("twice", "1"), ("twice", "2")),
        (("", "nameless"),),
        (("aws:mine", ""),),
        (("a" * 129, ""),),
        (("a", "b" * 257),),
        (("line\nbreak", ""),),
        (("a", "100%"),),
        (("a", "b & c"),),
    ],
)
def test_tags_that_no_object_can_have_are_refused(tags: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(BadInput, match="tag"):
        Storage(replace(ObjectStorage("http://127.0.0.1:9", None).place(), tags=tags))


async def test_the_key_that_was_named_encrypts(there: ObjectStorage) -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
    place = there.place(encryption="kms", kms_key=key)
    await Storage(place, APART).put_content(b"sound", "o/keyed", "audio/wav")
    assert there.kms_key("o/keyed") == key


async def test_keys_that_have_expired_are_said_to_be_and_new_ones_are_taken(there: ObjectStorage) -> None:
    there.gate.expired = TOKEN
    place = there.place(session_token=TOKEN)
    with pytest.raises(StorageFailed) as failed:
        await Storage(place, APART).put_content(b"sound", "o/later", "audio/wav")
    assert str(failed.value) == "main: the session token has expired: files wait here for a new one"
    assert TOKEN not in str(failed.value) + repr(failed.value) + repr(place)
    fresh = replace(place, session_token="another")
    await Storage(fresh, APART).put_content(b"sound", "o/later", "audio/wav")
    assert there.contents()["o/later"] == b"sound"


@pytest.mark.parametrize(("ago_s", "said"), [(5, "has expired"), (-500, "access is denied|answered 4")])
async def test_a_refusal_after_the_time_that_was_named_is_taken_for_its_end(
    there: ObjectStorage, ago_s: int, said: str
) -> None:
    there.gate.refusal = 403
    place = there.place(session_token="short-lived", session_expires=time.time() - ago_s)
    try:
        with pytest.raises(StorageFailed, match=said):
            await Storage(place, APART).put_content(b"sound", "o/refused", "audio/wav")
    finally:
        there.gate.refusal = 0
