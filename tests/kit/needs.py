"""What tests need of the machine: without it they skip, and in CI they fail."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def missing(what: str) -> NoReturn:
    """`what` says what is not there, and how it is installed."""
    if os.environ.get("CI") == "true":
        raise RuntimeError(what)
    pytest.skip(what)


def program(name: str, package: str) -> str:
    """Where a program is that one of Debian's packages brings."""
    return shutil.which(name, path=PATH) or missing(f"{name} is missing: apt-get install {package}")
