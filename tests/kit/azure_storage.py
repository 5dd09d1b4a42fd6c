"""Azure's blob storage on this machine: Azurite, Microsoft's own emulator, from the npm registry."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import httpx

from bridge.outputs.storage_place import Place
from tests.kit.needs import missing

VERSION = "3.35.0"
FOLDER = Path(__file__).resolve().parents[2] / ".cache" / f"azurite-{VERSION}"
ACCOUNT = "devstoreaccount1"
# Every installation of the emulator has this key.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "recordings"


@dataclass(frozen=True)
class AzureStorage:
    """A running one. It knows the account by the host's name, which is to be looked up as 127.0.0.1."""

    port: int

    @property
    def host(self) -> str:
        """As clients have to call it."""
        return f"{ACCOUNT}.blob.azure.test:{self.port}"

    def place(self, name: str = "azure", key: str = KEY) -> Place:
        """Where to upload to."""
        return Place(name, "azure", CONTAINER, "calls", "", f"http://{self.host}", ACCOUNT, key)

    def fetch(self, link: str, **headers: str) -> httpx.Response:
        """What is at a signed address."""
        here = link.replace(self.host, f"127.0.0.1:{self.port}")
        return httpx.get(here, headers={"Host": self.host, **headers})

    def make_container(self) -> None:
        """By a request of our own, signed as Azure's documentation says (Authorize with Shared Key)."""
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2023-11-03"}
        lines = [
            "PUT", *[""] * 11,
            *(f"{name}:{value}" for name, value in sorted(headers.items())),
            f"/{ACCOUNT}/{CONTAINER}", "restype:container",
        ]  # fmt: skip
        digest = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        url = f"http://127.0.0.1:{self.port}/{CONTAINER}?restype=container"
        httpx.put(url, headers={"Host": self.host, **headers}).raise_for_status()


@contextmanager
def azure_storage(folder: Path) -> Iterator[AzureStorage]:
    """Empty at the beginning. A test skips where npm is missing or gives nothing."""
    command = [_azurite(), "--blobPort", "0", "--inMemoryPersistence", "--silent", "--disableTelemetry"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        command[2] = str(port := free.getsockname()[1])
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        storage = AzureStorage(port)
        storage.make_container()
        yield storage
    finally:
        process.terminate()
        process.wait(10)


def _azurite() -> str:
    program = FOLDER / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            missing("npm is missing, and Azurite is not in .cache/")
        FOLDER.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(FOLDER), "--no-audit", "--no-fund", f"azurite@{VERSION}"]
        done = subprocess.run(install, capture_output=True, timeout=300)
        if done.returncode != 0 or not program.exists():
            missing("npm does not give Azurite")
    return str(program)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
