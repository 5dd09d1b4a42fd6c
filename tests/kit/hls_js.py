"""The player that most web pages use for HLS, from the npm registry; fetched once into .cache/."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

VERSION = "1.7.4"
CACHED = Path(__file__).resolve().parents[2] / ".cache" / f"hls-{VERSION}.min.js"


def hls_js() -> str:
    """Its script; without npm a test skips, or fails in CI."""
    if not CACHED.exists():
        npm = shutil.which("npm")
        if npm is None:
            _give_up("npm is missing, and hls.js is not in .cache/")
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [npm, "pack", "--silent", f"hls.js@{VERSION}"], cwd=folder, capture_output=True, timeout=100
            )  # type: ignore[list-item]
            if done.returncode != 0:
                _give_up("npm does not give hls.js")
            (package,) = Path(folder).glob("hls.js-*.tgz")
            with tarfile.open(fileobj=io.BytesIO(package.read_bytes())) as archive:
                script = archive.extractfile("package/dist/hls.min.js")
                assert script is not None
                CACHED.parent.mkdir(exist_ok=True)
                CACHED.write_bytes(script.read())
    return CACHED.read_text()


def _give_up(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
