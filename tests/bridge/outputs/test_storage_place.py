from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bridge.core.ports import GivenStorage
from bridge.errors import BadInput
from bridge.outputs.storage_place import checked_key, given_place, vendor_endpoint

pytestmark = pytest.mark.unit

SECRET = "hush/very+secret"
KEY_FILE = {
    "type": "service_account",
    "client_email": "a@b.test",
    "private_key": "-----BEGIN",
    "private_key_id": "1",
}
S3 = GivenStorage("s3", "calls", "2026/may", "eu-central-1", "", "AKIA1", SECRET)
GCS = GivenStorage("gcs", "calls", secret_key=json.dumps(KEY_FILE))
AZURE = GivenStorage("azure", "calls", access_key="account1", secret_key="c2VjcmV0")


@pytest.mark.parametrize(
    "parts",
    [
        ("a/../b",), ("..",), ("a", "..", "b"), ("",), ("a b",), ("a//b",), ("ü",), ("a\\b",), ("a" * 1000,),
        ("a/./b",), ("a%2e%2e/b",), ("a\nb",),
    ],
)  # fmt: skip
def test_prefixes_cannot_escape(parts: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        checked_key(*parts)


def test_parts_make_a_key() -> None:
    assert checked_key("/calls/", "r-1/file.wav") == "calls/r-1/file.wav"


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        (S3, "https://s3.eu-central-1.amazonaws.com"),
        (replace(S3, region=""), "https://s3.us-east-1.amazonaws.com"),
        (replace(S3, region="cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn"),
        (replace(S3, endpoint="https://minio.example:9000/"), "https://minio.example:9000"),
        (GCS, "https://storage.googleapis.com"),
        (AZURE, "https://account1.blob.core.windows.net"),
    ],
)
def test_a_place_always_says_where_it_is(given: GivenStorage, endpoint: str) -> None:
    place = given_place("own", given)
    assert (place.endpoint, place.kind, place.bucket) == (endpoint, given.kind, "calls")
    assert given.endpoint or vendor_endpoint(given) == endpoint


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (replace(S3, bucket=""), "bucket"),
        (replace(S3, bucket="../other"), "bucket"),
        (replace(S3, bucket="a..b"), "bucket"),
        (replace(S3, bucket="a/b?c#d"), "bucket"),
        (replace(S3, prefix="../x"), "prefix"),
        (replace(S3, prefix="a" * 301), "prefix"),
        (replace(S3, region="evil.example/#"), "region"),
        (replace(S3, region="x@evil"), "region"),
        (replace(S3, access_key=""), "accessKey"),
        (replace(S3, secret_key=""), "secretKey"),
        (replace(S3, secret_key="with\nline"), "secretKey"),
        (replace(S3, session_token="a b"), "sessionToken"),
        (replace(S3, endpoint="ftp://x"), "endpoint"),
        (replace(S3, endpoint="https://user:pass@x"), "endpoint"),
        (replace(S3, endpoint="https://x/path"), "endpoint"),
        (replace(S3, endpoint="https://x?y"), "endpoint"),
        (replace(S3, endpoint="https://x:99999"), "endpoint"),
        (replace(S3, endpoint="https://x y"), "endpoint"),
        (replace(S3, endpoint="https://"), "endpoint"),
        (replace(S3, session_expires=1e9), "sessionExpires"),
        (replace(S3, session_token="t", session_expires=-1.0), "sessionExpires"),
        (replace(S3, session_token="t", session_expires=float("nan")), "sessionExpires"),
        (replace(S3, tags=(("aws:x", ""),)), "tags"),
        (replace(S3, tags=(("a", "1"), ("a", "2"))), "tags"),
        (replace(GCS, encryption="aes256"), "encryption"),
        (replace(S3, encryption="aes256", kms_key="1234"), "kmsKey"),
        (replace(S3, encryption="kms", kms_key="a key"), "kmsKey"),
        (replace(AZURE, tags=(("a", "1"),)), "tags"),
        (replace(GCS, region="eu"), "region"),
        (replace(GCS, session_token="t"), "sessionToken"),
        (replace(GCS, access_key="x"), "accessKey"),
        (replace(GCS, secret_key=SECRET), "secretKey"),
        (replace(GCS, secret_key=json.dumps(KEY_FILE | {"type": "external_account"})), "secretKey"),
        (replace(AZURE, access_key="evil.example/"), "accessKey"),
        (replace(AZURE, secret_key=SECRET + "!"), "secretKey"),
        (replace(AZURE, region="eu"), "region"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name_without_repeating_it(given: GivenStorage, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        given_place("own", given)
    assert str(refused.value).startswith(f"`storage.{field}`")
    assert SECRET not in str(refused.value)


def test_encryption_tags_and_the_end_of_the_token_go_along() -> None:
    given = replace(S3, session_token="t", session_expires=2e9, encryption="kms", tags=(("team", "calls"),))
    place = given_place("own", given)
    assert (place.session_expires, place.encryption, place.tags) == (2e9, "kms", (("team", "calls"),))


def test_nothing_of_a_key_file_is_taken_but_who_signs() -> None:
    given = replace(
        GCS,
        secret_key=json.dumps(
            KEY_FILE | {"gcs_base_url": "http://inner", "token_uri": "x", "disable_oauth": True}
        ),
    )
    assert json.loads(given_place("own", given).secret_key) == KEY_FILE


def test_keys_are_in_no_repr() -> None:
    for given in (S3, GCS, AZURE, replace(S3, session_token="token-secret")):
        for shown in (repr(given), repr(given_place("own", given))):
            assert given.secret_key not in shown
            assert "token-secret" not in shown and "AKIA1" not in shown
