"""Where files go, as data: places, the keys of what lies there, and what a request may name. Pure."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec

from bridge.core.ports import Encryption, GivenStorage, StorageKind
from bridge.errors import BadInput

_KEY: Final = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")
_KEY_CHARACTERS: Final = 900
"""Vendors take 1,024 bytes."""
_PREFIX_CHARACTERS: Final = 300

# What vendors allow as names, so that none can lead to another host or path when it becomes part of a URL.
_BUCKET: Final = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_ACCOUNT: Final = re.compile(r"[a-z0-9]{3,24}")
_KEY_TEXT: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_ENDPOINT_CHARACTERS: Final = 300
_KMS_KEY: Final = re.compile(r"[A-Za-z0-9:/_-]{1,2048}")
# S3's rules for the tags of an object.
_MOST_TAGS: Final = 10
_TAG_NAME: Final = re.compile(r"(?!aws:)[\w +=.:/@-]{1,128}")
_TAG_VALUE: Final = re.compile(r"[\w +=.:/@-]{0,256}")
GOOGLE: Final = "https://storage.googleapis.com"


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket (or container) and how to reach it."""

    name: str
    kind: StorageKind
    bucket: str
    prefix: str = ""
    """Before every key."""
    region: str = ""
    endpoint: str = ""
    """Of what is compatible with the kind; empty: the vendor's own."""
    access_key: str = field(default="", repr=False)
    """Azure: the account's name; GCS: unused."""
    secret_key: str = field(default="", repr=False)
    """GCS: the service account's key file, as JSON."""
    session_token: str = field(default="", repr=False)
    session_expires: float = 0.0
    """Until when the token is good, Unix seconds; 0: nobody said."""
    encryption: Encryption = ""
    """S3: with which keys it encrypts; empty: as the bucket says."""
    kms_key: str = ""
    """S3: the id, name or ARN of the key; empty: the account's own for S3."""
    tags: tuple[tuple[str, str], ...] = ()
    """S3: names and values that every object gets."""
    backup: str = ""
    """The name of the place that is used when this one keeps failing."""
    links: bool = True
    """Whether people can reach it themselves, with addresses that are signed for them."""


def checked_key(*parts: str) -> str:
    """The parts joined by slashes. Raises BadInput for what could leave its prefix or is no portable key."""
    key = "/".join(part.strip("/") for part in parts if part.strip("/"))
    if len(key) > _KEY_CHARACTERS or not _KEY.fullmatch(key):
        raise BadInput("a storage prefix has letters, digits, - _ . ! * ' ( ) and slashes between names")
    if any(name in (".", "..") for name in key.split("/")):
        raise BadInput("a storage prefix cannot lead elsewhere")
    return key


def checked_prefix(prefix: str) -> str:
    """One that leaves room for keys below it; an empty one is one. Raises BadInput."""
    if len(prefix) > _PREFIX_CHARACTERS:
        raise BadInput(f"a storage prefix has {_PREFIX_CHARACTERS} characters at the most")
    return checked_key(prefix) if prefix else ""


def checked_tags(tags: Sequence[tuple[str, str]]) -> None:
    """Raises BadInput for what S3 does not take as the tags of an object."""
    if len(tags) > _MOST_TAGS or len({name for name, _ in tags}) < len(tags):
        raise BadInput(f"an object has {_MOST_TAGS} tags at the most, each with a name of its own")
    if not all(_TAG_NAME.fullmatch(name) and _TAG_VALUE.fullmatch(value) for name, value in tags):
        raise BadInput(
            "a tag has a name of 1 to 128 characters and a value of 256 at the most, of letters, digits, "
            "spaces and + - = . _ : / @, and its name does not begin with aws:"
        )


def given_place(name: str, given: GivenStorage) -> Place:
    """What a request names, checked as far as it can be without asking anybody.

    The place always has an endpoint. Raises BadInput, which names the field and repeats nothing of it.
    """
    if not _BUCKET.fullmatch(given.bucket):
        raise BadInput("`storage.bucket` has 3 to 63 lower-case letters, digits, dots, hyphens")
    try:
        prefix = checked_prefix(given.prefix)
    except BadInput as error:
        raise BadInput(f"`storage.prefix`: {error}") from None
    if given.region and (given.kind != "s3" or not _REGION.fullmatch(given.region)):
        raise BadInput("`storage.region` is one of S3, such as eu-central-1")
    if given.session_token and (given.kind != "s3" or not _KEY_TEXT.fullmatch(given.session_token)):
        raise BadInput("`storage.sessionToken` is one of S3")
    if given.session_expires and not (given.session_token and 0 < given.session_expires < math.inf):
        raise BadInput("`storage.sessionExpires` is when the session token expires, in Unix seconds")
    if given.encryption and given.kind != "s3":
        raise BadInput("`storage.encryption` is for S3: the others always encrypt, as the bucket says")
    if given.kms_key and (given.encryption != "kms" or not _KMS_KEY.fullmatch(given.kms_key)):
        raise BadInput("`storage.kmsKey` is the id, name or ARN of a key, with `encryption` kms")
    if given.tags and given.kind != "s3":
        raise BadInput("`storage.tags` are for S3")
    try:
        checked_tags(given.tags)
    except BadInput as error:
        raise BadInput(f"`storage.tags`: {error}") from None
    access_key, secret_key = given.access_key, given.secret_key
    if given.kind == "gcs":
        if access_key:
            raise BadInput("`storage.accessKey` is for S3 and Azure: GCS has all in `storage.secretKey`")
        secret_key = service_account(secret_key)
    elif given.kind == "azure":
        if not _ACCOUNT.fullmatch(access_key):
            raise BadInput("`storage.accessKey` is the account's name")
        _check_base64(secret_key)
    else:
        # Without keys, those of this machine would be taken, which are not for whoever asks.
        for field_name, value in (("accessKey", access_key), ("secretKey", secret_key)):
            if not _KEY_TEXT.fullmatch(value):
                raise BadInput(f"`storage.{field_name}` is missing, or is none")
    endpoint = _checked_endpoint(given.endpoint) if given.endpoint else vendor_endpoint(given)
    return Place(
        name, given.kind, given.bucket, prefix, given.region, endpoint, access_key, secret_key,
        given.session_token, given.session_expires, given.encryption, given.kms_key,
        given.tags,
    )  # fmt: skip


def vendor_endpoint(given: GivenStorage) -> str:
    """Where the vendor itself is, for what has been checked."""
    if given.kind == "gcs":
        return GOOGLE
    if given.kind == "azure":
        return f"https://{given.access_key}.blob.core.windows.net"
    region = given.region or "us-east-1"
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://s3.{region}.{domain}"


class ServiceAccount(msgspec.Struct, frozen=True):
    """What is used of the key file of a service account, which could name other addresses besides."""

    client_email: str
    private_key: str
    private_key_id: str = ""
    type: str = "service_account"

    def __repr__(self) -> str:
        return "ServiceAccount(…)"


def service_account(key_file: str) -> str:
    """A key file without what is not needed. Raises BadInput."""
    try:
        account = msgspec.json.decode(key_file, type=ServiceAccount)
    except (msgspec.DecodeError, ValueError):
        raise BadInput("`storage.secretKey` is not a service account's key file") from None
    if account.type != "service_account":
        raise BadInput("`storage.secretKey` is the key file of something else than a service account")
    return msgspec.json.encode(account).decode()


def _check_base64(key: str) -> None:
    try:
        known = bool(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError):
        known = False
    if not known:
        raise BadInput("`storage.secretKey` is not an account's key")


def _checked_endpoint(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        usable = (
            len(endpoint) <= _ENDPOINT_CHARACTERS
            and _KEY_TEXT.fullmatch(endpoint)
            and parts.scheme in ("http", "https")
            and parts.hostname
            and "@" not in parts.netloc
            and not (parts.path.rstrip("/") or parts.query or parts.fragment)
            and (parts.port is None or parts.port)
        )
    except ValueError:
        usable = False
    if not usable:
        raise BadInput("`storage.endpoint` is http(s)://host[:port] without a path")
    return endpoint.rstrip("/")
