"""Which applications there are, and whose token is whose."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from uuid import uuid4

from bridge.config.tree import ApplicationConfig
from bridge.errors import ConfigError
from bridge.secret import Secret

HASH_PREFIX = "sha256:"
APPLICATION_FILE = "application.json"


class Applications:
    """Knows tokens by their hash only. `replace` changes them while the server runs."""

    def __init__(self, configured: Iterable[ApplicationConfig]) -> None:
        self._digests: tuple[tuple[str, bytes], ...] = ()
        self.replace(configured)

    def replace(self, configured: Iterable[ApplicationConfig]) -> None:
        """From now on these applications and tokens, and no others."""
        self._digests = tuple(
            (application.id, _digest_of(token)) for application in configured for token in application.tokens
        )

    def authenticate(self, token: str) -> str | None:
        """The application that `token` belongs to. Takes as long for a wrong one as for a right one."""
        digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = None
        for application_id, known in self._digests:
            if compare_digest(known, digest):
                found = application_id
        return found

    def owns(self, application_id: str) -> bool:
        """Whether there is such an application."""
        return any(known == application_id for known, _ in self._digests)

    def only(self) -> str:
        """The one application there is. Raises ConfigError when there are more."""
        ids = {application_id for application_id, _ in self._digests}
        if len(ids) != 1:
            raise ConfigError(f"there are {len(ids)} applications: say which one is meant")
        return ids.pop()


@dataclass(frozen=True, slots=True)
class MadeApplication:
    """An application that the server made for itself because none was configured."""

    id: str
    token: Secret
    file: Path
    new: bool
    """Made just now, not found."""

    @property
    def config(self) -> ApplicationConfig:
        return ApplicationConfig(self.id, (self.token,))

    def announcement(self, to_terminal: bool) -> str:
        """What to tell whoever started the server; the token only where a person reads it."""
        if to_terminal and self.new:
            return f"application {self.id}\ntoken       {self.token.reveal()}\n(kept in {self.file})"
        return f"application {self.id} (token in {self.file})"


def find_or_make_application(data_dir: Path) -> MadeApplication:
    """The application kept in the data folder; made, with a token, at the first start.

    The file can be read by its owner only. Two servers starting at once end up with the same one.
    Raises ConfigError when it can be neither read nor written.
    """
    file = data_dir / APPLICATION_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if file.exists():
            return _read(file)
        made = MadeApplication(str(uuid4()), Secret(secrets.token_urlsafe(32)), file, new=True)
        return made if _write(made) else _read(file)
    except OSError as wrong:
        raise ConfigError(f"cannot keep an application in {file}: {wrong.strerror}") from None


def _digest_of(token: Secret) -> bytes:
    text = token.reveal()
    if text.startswith(HASH_PREFIX):
        return bytes.fromhex(text.removeprefix(HASH_PREFIX))
    return sha256(text.encode()).digest()


def _read(file: Path) -> MadeApplication:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        file.chmod(0o600)
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return MadeApplication(str(kept["id"]), Secret(str(kept["token"])), file, new=False)
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{file} is damaged: remove it, and a new application is made") from None


def _write(made: MadeApplication) -> bool:
    """False when somebody else was faster."""
    draft = made.file.with_name(f".{made.file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as out:
            json.dump({"id": made.id, "token": made.token.reveal()}, out)
            out.write("\n")
            out.flush()
            os.fsync(descriptor)
        os.link(draft, made.file)  # unlike a rename, this never replaces what is there
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
