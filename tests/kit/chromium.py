"""Where Chromium is on this machine, and how patient tests are with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.async_api import expect

# Chromium draws when it gets around to it; on two busy cores the library's 5 s are too few.
expect.set_options(timeout=20_000)

ROOT = Path(__file__).resolve().parents[2]


def chromium_path() -> str:
    """The browser that the set-up found, else an installed one; without any a test skips, or fails in CI."""
    noted = ROOT / ".cache" / "chromium.path"
    found = os.environ.get("CHROMIUM") or (noted.read_text().strip() if noted.exists() else None)
    path = found or shutil.which("chromium")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is missing: run tests/kit/install_browser.sh")
        pytest.skip("no Chromium on this machine")
    return path
