"""The player that most web pages use for HLS, from the npm registry; fetched once into .cache/."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.kit.needs import missing

VERSION = "1.7.4"
CACHED = Path(__file__).resolve().parents[2] / ".cache" / f"hls-{VERSION}.min.js"


def hls_js() -> str:
    """Its script. Where npm is missing or gives nothing a test skips: all else of HLS is tested without."""
    if not CACHED.exists():
        npm = shutil.which("npm")
        if npm is None:
            missing("npm is missing, and hls.js is not in .cache/")
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [npm, "pack", "--silent", f"hls.js@{VERSION}"], cwd=folder, capture_output=True, timeout=100
            )
            if done.returncode != 0:
                missing("npm does not give hls.js")
            (package,) = Path(folder).glob("hls.js-*.tgz")
            with tarfile.open(fileobj=io.BytesIO(package.read_bytes())) as archive:
                script = archive.extractfile("package/dist/hls.min.js")
                assert script is not None
                CACHED.parent.mkdir(exist_ok=True)
                CACHED.write_bytes(script.read())
    return CACHED.read_text()
