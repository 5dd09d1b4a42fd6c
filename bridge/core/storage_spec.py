"""A storage that somebody names together with the keys to it, as data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

StorageKind = Literal["s3", "gcs", "azure"]
Encryption = Literal["", "aes256", "kms"]
"""With which keys an S3 storage encrypts what it keeps: its own, or those of its key service. Empty: as the
bucket says."""

OWN_STORAGE: Final = "@own"
"""A recording's own storage, where the name of a configured one could stand: no such name has an @."""


@dataclass(frozen=True, slots=True)
class GivenStorage:
    """A bucket and how to reach it, from a request: nothing in it has been checked."""

    kind: StorageKind
    bucket: str
    """Azure: the container."""
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
    kms_key: str = ""
    """The id, name or ARN of the key; empty: the account's own for S3."""
    tags: tuple[tuple[str, str], ...] = ()
    """Names and values that every object gets; S3 only."""

    def without_keys(self) -> GivenStorage:
        """The same place; keys to it come and go."""
        account = self.access_key if self.kind == "azure" else ""
        return replace(self, access_key=account, secret_key="", session_token="", session_expires=0.0)
