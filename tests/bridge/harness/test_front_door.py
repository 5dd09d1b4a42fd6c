"""`from bridge.harness import …`: everything that is promised is there, and nothing is imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import bridge.harness
from bridge.harness import front_door

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", front_door.names())
def test_every_name_of_the_stub_is_there(name: str) -> None:
    module, called = front_door.table()[name]
    given = getattr(bridge.harness, name)
    assert given is getattr(sys.modules[module], called)
    assert given.__doc__ or module.endswith("voice"), f"{name} does not say what it is"


def test_no_name_hides_a_module() -> None:
    # A module that is imported becomes an attribute of its package, and would be given in its place.
    modules = {module.rpartition(".")[2] for module, _ in front_door.table().values()}
    assert not modules & set(front_door.names())


def test_what_is_not_there_is_told_as_usual() -> None:
    with pytest.raises(AttributeError, match="module 'bridge.harness' has no attribute 'Nobody'"):
        _ = bridge.harness.Nobody  # type: ignore[attr-defined]
    assert "calling" in dir(bridge.harness)


def test_the_plugin_costs_others_next_to_nothing() -> None:
    asked = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import bridge.harness.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    printed = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert printed.split() == [
        "bridge", "bridge.harness", "bridge.harness.front_door", "bridge.harness.pytest_plugin",
    ]  # fmt: skip
