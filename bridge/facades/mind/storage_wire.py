"""A storage as requests name it; pure."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bridge.core.ports import GivenStorage

_MAX_KEY = 16_384
"""Characters; a service account's key file has some 2500."""
_Short = Annotated[str, Meta(max_length=512)]
_Key = Annotated[str, Meta(max_length=_MAX_KEY)]


class StorageBody(msgspec.Struct, rename="camel", kw_only=True):
    """Ours: a storage of the request's own, with the keys to it, which are shown to nobody."""

    kind: Literal["s3", "gcs", "azure"]
    bucket: _Short
    """Azure: the container."""
    prefix: _Short = ""
    """Before every key."""
    region: _Short = ""
    endpoint: _Short = ""
    """Of what is compatible with the kind; empty: the vendor's own."""
    access_key: _Key = ""
    """Azure: the account's name; GCS: none."""
    secret_key: _Key = ""
    """GCS: the service account's key file."""
    session_token: _Key = ""
    session_expires: float = 0.0
    """Until when it is good, Unix seconds."""
    encryption: Literal["", "aes256", "kms"] = ""
    """S3: with which keys it encrypts; empty: as the bucket says."""
    kms_key: _Key = ""
    """S3: the id, name or ARN of the key; empty: the account's own for S3."""
    tags: Annotated[dict[str, str], Meta(max_length=50)] = {}
    """S3: what every object is tagged with."""

    def __repr__(self) -> str:
        return f"StorageBody({self.kind!r}, {self.bucket!r}, …)"

    def given(self) -> GivenStorage:
        """As it is used, and checked, inside."""
        return GivenStorage(
            self.kind, self.bucket, self.prefix, self.region, self.endpoint,
            self.access_key, self.secret_key, self.session_token, self.session_expires,
            self.encryption, self.kms_key, tuple(self.tags.items()),
        )  # fmt: skip
