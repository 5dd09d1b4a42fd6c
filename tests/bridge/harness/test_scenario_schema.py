from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bridge.harness.scenario import CHOICES, STEPS, Background, Echo, Noise, Scenario
from bridge.harness.scenario_faults import FAULTS
from bridge.harness.scenario_file import parse_scenario
from bridge.harness.scenario_kinds import key_of
from bridge.harness.scenario_schema import DIALECT, scenario_schema
from tests.kit.json_schema import fits

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "scenarios.md").read_text()
SAMPLES = [path.read_text() for path in sorted((ROOT / "samples" / "scenarios").glob("*.yaml"))]


def examples() -> list[str]:
    """Each as a whole scenario."""
    found = []
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        if not block.startswith("- "):
            found.append(block if "steps:" in block else block + "steps: [hang_up]\n")
            continue
        name = re.match(r"- (\w+)", block)
        assert name is not None
        steps = "steps: [hang_up]\nfaults:\n" if name[1] in FAULTS else "steps:\n"
        found.append(steps + "".join(f"  {line}\n" for line in block.splitlines()))
    return found


@pytest.mark.parametrize("text", examples())
def test_every_example_of_the_page_is_a_scenario_and_fits_the_schema(text: str) -> None:
    parse_scenario(text)
    assert fits(yaml.safe_load(text), scenario_schema())


@pytest.mark.parametrize("text", SAMPLES)
def test_every_sample_fits_the_schema(text: str) -> None:
    assert fits(yaml.safe_load(text), scenario_schema())


def test_the_page_s_python_runs() -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "docs/scenarios.md", "exec"), {})


@pytest.mark.parametrize("name", [*STEPS, *FAULTS])
def test_every_step_and_fault_is_on_the_page_with_an_example_and_all_of_its_keys(name: str) -> None:
    section = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert f"- {name}" in section[1]
    cls = (STEPS | FAULTS)[name]
    keys = {key_of(item.name, item.metadata) for item in dataclasses.fields(cls)}
    for key in keys - {"file", "text", "sound", "voice", "from", "to", "gain"}:  # told once for all
        assert re.search(rf"`{key}[`:]|\b{key}:", section[1]), key


@pytest.mark.parametrize("cls", [Scenario, Background, Noise, Echo])
def test_all_other_keys_are_on_the_page(cls: type) -> None:
    for item in dataclasses.fields(cls):
        assert re.search(rf"`{key_of(item.name, item.metadata)}[`:]", PAGE), item.name


@pytest.mark.parametrize(
    "text",
    [
        "steps: []",
        "steps: [sing]",
        "steps: [pause]",
        "steps: [pause: 5]",
        "steps: [pause: 5 hours]",
        "steps: [hang_up: now]",
        "steps: [{pause: 1s, say: a.wav}]",
        "steps: [repeat: {times: 0, steps: [hang_up]}]",
        "steps: [digits: 12x]",
        "steps: [say: {fiel: a.wav}]",
        "name: x",
        "steps: [hang_up]\ncodec: opus",
        "steps: [hang_up]\nfaults: [loss: {chance: 5%, burst: 0}]",
        "steps: [hang_up]\nfaults: [late_start: {by: 1s, media_first: perhaps}]",
        "steps: [hang_up]\nbackground: {noise: {colour: brown}}",
    ],
)
def test_what_the_reader_refuses_for_its_shape_the_schema_refuses_too(text: str) -> None:
    assert not fits(yaml.safe_load(text), scenario_schema())
    with pytest.raises(Exception, match="line 1|line 2"):
        parse_scenario(text)


def test_the_command_prints_the_schema() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bridge.harness.scenario_schema"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    printed = json.loads(done.stdout)
    assert printed == scenario_schema()
    assert printed["$schema"] == DIALECT
    assert set(CHOICES) <= set(printed["$defs"])
