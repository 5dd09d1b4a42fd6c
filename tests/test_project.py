"""The files around the code: pins, commands, settings that are all written down."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from bridge.config.source import load
from bridge.config.tree import Config

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"[A-Za-z0-9][\w.-]*==[\w.!+]+")


def plain(name: str) -> str:
    """As package indexes compare names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> set[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {plain(line.split("==")[0]) for line in lines if line and not line.startswith("#")}


def test_constraints_hold_pins_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    wrong = [line for line in lines if not line.startswith("#") and not PIN.fullmatch(line)]
    assert not wrong, wrong  # no addresses, no paths, no options, no editable lines


def test_everything_asked_for_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    names = {plain(re.match(r"[\w.-]+", line).group()) for line in asked}  # type: ignore[union-attr]
    assert names <= pins(), names - pins()


def test_a_wheel_holds_every_file_of_the_packages() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    told = set()
    for package, patterns in setuptools["package-data"].items():
        folder = ROOT / ("codecs" if package == "mediacodecs" else "") / package.replace(".", "/")
        told |= {file for pattern in patterns for file in folder.glob(pattern)}
    there = {
        file
        for folder in (ROOT / "bridge", ROOT / "codecs" / "mediacodecs")
        for file in folder.rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc")
    }
    assert {"caller.flac", "report.html", "__init__.pyi"} <= {file.name for file in there}
    assert not there - told, there - told


@pytest.mark.parametrize("script", [".ci/run", "tests/kit/install_browser.sh"])
def test_scripts_can_be_run_and_stop_at_the_first_error(script: str) -> None:
    file = ROOT / script
    assert os.access(file, os.X_OK) and "set -euo pipefail" in file.read_text()
    assert subprocess.run(["bash", "-n", str(file)], check=False).returncode == 0


@pytest.mark.parametrize("target", ["run", "test", "check", "bench", "clean"])
def test_the_makefile_has_what_the_readme_promises(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def keys(cls: type, before: str = "") -> list[str]:
    """Every setting as it is written in the file."""
    found = []
    for item in dataclasses.fields(cls):
        if "section" in item.metadata:
            found += keys(item.metadata["section"], f"{before}{item.name}.")
        elif "entries" in item.metadata:
            found += keys(item.metadata["entries"], f"{item.metadata['key']}.")
        elif "kind" in item.metadata:
            found.append(before + item.name)
    return found


def test_every_setting_is_written_down_and_no_other() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    told = re.findall(r"^\| `([a-z0-9_.]+)` \|", page, re.MULTILINE)
    assert told == keys(Config)


@pytest.mark.parametrize("page", ["README.md", "docs/configuration.md"])
def test_the_settings_shown_are_taken_as_they_stand(page: str, tmp_path: Path) -> None:
    shown = re.findall(r"^```toml\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    for number, settings in enumerate(shown):
        file = tmp_path / f"{number}.toml"
        file.write_text(settings.replace("sha256:…", "sha256:" + "ab" * 32))
        load(file, {}, {})
