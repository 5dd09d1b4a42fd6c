from __future__ import annotations

import string
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.harness.scenario import (
    STEPS,
    Backchannel,
    BargeIn,
    Digits,
    Echo,
    Expect,
    HangUp,
    Noise,
    Pause,
    Repeat,
    Say,
    Scenario,
    ScenarioError,
    WaitForSilence,
    WaitForSpeech,
)
from bridge.harness.scenario_faults import FAULTS, Jitter, Loss, Redial
from bridge.harness.scenario_file import MAX_PROBLEMS, parse_scenario, read_scenario
from bridge.harness.yaml_tree import MAX_BYTES, MAX_DEPTH

pytestmark = pytest.mark.unit


def problems(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as wrong:
        parse_scenario(text)
    return [str(problem) for problem in wrong.value.problems]


def test_a_whole_scenario_is_read_as_it_is_written() -> None:
    scenario = parse_scenario("""
name: Books a table
codec: mulaw-8k
seed: 7
background:
  noise: {colour: pink, snr: 15dB}
  echo: {level: -30 dB, delay: 120ms}
steps:
  - wait_for_speech: {within: 3s, for: 60ms}
  - wait_for_silence: 800ms
  - repeat:
      times: 2
      steps:
        - say: {file: a.wav, from: 1.5s, to: 2s}
        - backchannel
  - barge_in: {text: "Stop, please", voice: en-us, after: 0.8s}
  - expect: {silent_within: 500ms}
  - digits: 0123
  - pause: 1m
  - hang_up
faults:
  - loss: {chance: 2.5%, burst: 3, from: 1s, to: 9s}
  - jitter: 60ms
  - redial: 5s
thresholds:
  - response_p95<800ms
""")
    assert scenario == Scenario(
        name="Books a table",
        codec="mulaw-8k",
        seed=7,
        background=scenario.background,
        steps=(
            WaitForSpeech(within_ms=3000, for_ms=60),
            WaitForSilence(for_ms=800),
            Repeat(times=2, steps=(Say(file="a.wav", from_ms=1500, to_ms=2000), Backchannel(sound="mm-hm"))),
            BargeIn(text="Stop, please", after_ms=800),
            Expect(silent_within_ms=500),
            Digits(keys="0123"),
            Pause(for_ms=60_000),
            HangUp(),
        ),
        faults=(
            Loss(chance=0.025, burst=3, from_ms=1000, to_ms=9000),
            Jitter(up_to_ms=60),
            Redial(at_ms=5000),
        ),
        thresholds=("response_p95<800ms",),
    )
    assert scenario.background.noise == Noise(colour="pink", snr_db=15)
    assert scenario.background.echo == Echo(level_db=-30, delay_ms=120)


def test_a_scenario_without_a_name_has_its_file_s(tmp_path: Path) -> None:
    path = tmp_path / "short_call.yaml"
    path.write_text("steps: [hang_up]\n")
    assert read_scenario(path) == Scenario(name="short_call", steps=(HangUp(),))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("steps:\n  - wiat_for_speech: 3s", ["line 2, column 5", "did you mean `wait_for_speech`"]),
        ("steps:\n  - bargein: x.wav", ["line 2, column 5", "did you mean `barge_in`"]),
        ("steps:\n  - sing: x.wav", ["there is no step `sing`", "say, barge_in"]),
        ("steps:\n  - pause: 5", ["line 2, column 12", "500ms, 2s or 1m", "not `5`", "it needs a unit"]),
        ("steps:\n  - pause: 11m", ["from 0ms to 10m", "not `11m`"]),
        ("steps:\n  - pause: [1s]", ["`pause` takes settings (for), not a list"]),
        ("steps:\n  - pause", ["`pause` needs `for`: a time"]),
        ("steps:\n  - say: a.wav\n    pause: 1s", ["line 3, column 5", "put a dash before"]),
        ("steps:\n  - say:\n    file: a.wav", ["line 3, column 5", "indent"]),
        ("steps:\n  - say: {file: a.wav, text: hello}", ["exactly one of `file`, `text` and `sound`"]),
        ("steps:\n  - say: {file: a.wav, from: 2s, to: 1s}", ["`to` must be after `from`"]),
        ("steps:\n  - say: {file: a.wav, gain: 40dB}", ["-60dB to 20dB"]),
        ("steps:\n  - expect", ["say what to expect: response_within"]),
        ("steps:\n  - expect: {respond_within: 2s}", ["did you mean `response_within`"]),
        ("steps:\n  - hang_up: now", ["`hang_up` takes nothing"]),
        ("steps:\n  - repeat: {times: 0, steps: [hang_up]}", ["from 1 to 10,000, not `0`"]),
        ("steps:\n  - repeat: {times: 2}", ["`repeat` needs `steps`"]),
        ("steps: []", ["a list of 1 to 1,000", "not of 0"]),
        ("steps: hang_up", ["`steps` has to be a list", "not `hang_up`"]),
        ("steps: [hang_up]\nsteps: [hang_up]", ["line 2, column 1", "`steps` is here twice"]),
        ("steps: [hang_up]\n[a]: b", ["line 2, column 1", "a key has to be a text"]),
        ("steps: [hang_up]\ncodec: opus", ["one of l16-16k, l16-8k, mulaw-8k, not `opus`"]),
        ("steps: [hang_up]\nseed: -1", ["a whole number from 0"]),
        ("steps: [hang_up]\nthresholds: [respnse<1s]", ["line 2", "did you mean response"]),
        ("steps: [hang_up]\nbackground: {noise: {colour: brown}}", ["one of white, pink"]),
        ("steps: [hang_up]\nbackground: {noise: {snr: 10dB}}", ["exactly one of `colour` and `file`"]),
        ("steps: [hang_up]\nfaults:\n  - jiter: 20ms", ["line 3, column 5", "no fault", "`jitter`"]),
        ("steps: [hang_up]\nfaults:\n  - loss: 0.02", ["0% to 100%, such as 2%"]),
        ("steps: [hang_up]\nfaults:\n  - loss: {chance: 1%, from: 2s, to: 1s}", ["after `from`"]),
        ("steps: [hang_up]\nfaults:\n  - malformed: {chance: 1%, kinds: [odd]}", ["not_json"]),
        ("steps: [hang_up]\nname: \"a\\x07b\"", ["cannot be printed"]),
        ("", ["the scenario` needs `steps`"]),
        ("- hang_up", ["line 1, column 1", "takes settings", "not a list"]),
        ("steps: [hang_up", ["line 1", "this is no YAML"]),
        ("steps:\n\t- hang_up", ["line 2, column 1", "this is no YAML"]),
        ("steps: [hang_up]\nname: a\x00b", ["line 2, column 8", "not allowed in YAML"]),
        ('steps: ["\\UFFFFFFFF"]', ["this is no YAML"]),
        ("%YAML 1." + 5000 * "9" + "\n--- a", ["this is no YAML"]),
        ("a: &x 1\nb: *x", ["line 1, column 4", "anchors and aliases"]),
        ("a: !!python/object:os.system x", ["line 1, column 4", "tags"]),
        ("a: 1\n---\nb: 2", ["line 2, column 1", "second document"]),
        (40 * "[" + 40 * "]", ["too many things within each other"]),
        ("#" + MAX_BYTES * "a", ["more than 256 KiB"]),
        ("steps: [" + 30_000 * "a," + "]", ["more than 20,000"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place_and_what_was_expected(text: str, wrong: list[str]) -> None:
    told = "\n".join(problems(text))
    for words in wrong:
        assert words in told


def test_several_problems_are_told_at_once_in_their_order() -> None:
    told = problems("steps:\n  - pause: 5\n  - hang_upp\n  - say: {fiel: a.wav}\ncodecc: x\n")
    assert [text.split(",")[0] for text in told] == ["line 2", "line 3", "line 4", "line 5"]
    assert len(problems("steps:\n" + 200 * "  - x\n")) == MAX_PROBLEMS


def test_keys_are_in_no_error_and_in_no_repr() -> None:
    assert "998877" not in "".join(problems("steps:\n  - digits: 998877x"))
    assert "998877" not in repr(parse_scenario("steps:\n  - digits: 998877\n  - wait_for_digits: 998877"))


def test_repetitions_are_bounded_in_depth_and_in_number() -> None:
    inner = "hang_up"
    for _ in range(3):
        inner = "{repeat: {times: 20, steps: [%s]}}" % inner  # noqa: UP031
    assert parse_scenario(f"steps: [{inner}]")
    assert "10,000 are allowed" in problems("steps: [{repeat: {times: 3, steps: [%s]}}]" % inner)[0]  # noqa: UP031
    for _ in range(2):
        inner = "{repeat: {times: 1, steps: [%s]}}" % inner  # noqa: UP031
    assert "4 deep" in problems(f"steps: [{inner}]")[0]


def test_a_file_that_is_none_or_no_text_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"none\.yaml: cannot be read"):
        read_scenario(tmp_path / "none.yaml")
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_scenario(tmp_path)
    with pytest.raises(ScenarioError, match="no name of a file"):
        read_scenario(tmp_path / "a\0b")
    path = tmp_path / "latin.yaml"
    path.write_bytes("steps: [hang_up]\nname: Café\n".encode("latin-1"))
    with pytest.raises(ScenarioError, match=r"latin\.yaml: line 2, column 1: this is not UTF-8"):
        read_scenario(path)


# --- garbage ---

WORDS = [*STEPS, *FAULTS, "steps", "faults", "background", "noise", "echo", "times", "within", "for", "file"]
WORDS += [
    "text",
    "chance",
    "kinds",
    "from",
    "to",
    "keys",
    "name",
    "5s",
    "20ms",
    "2%",
    "-3dB",
    "pink",
    "12#",
    "0",
]
texts = st.sampled_from(WORDS) | st.text(max_size=8) | st.none() | st.booleans() | st.integers() | st.floats()
trees = st.recursive(
    texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=25,
)


def only_scenario_errors(text: str) -> None:
    try:
        parse_scenario(text)
    except ScenarioError as wrong:
        assert wrong.problems
        assert all(problem.line >= 0 for problem in wrong.problems)


@given(trees)
@settings(max_examples=200, deadline=None)
def test_any_tree_is_a_scenario_or_a_scenario_error(tree: object) -> None:
    only_scenario_errors(yaml.safe_dump(tree, allow_unicode=True))
    only_scenario_errors(yaml.safe_dump({"steps": tree, "faults": tree}))


@given(st.text(alphabet=string.printable + "\x85\u2028\ufeff\ud800😀", max_size=80))
@example("? ? ? ?\n: : :")
@example("\ufeff")
@example("!<tag:yaml.org,2002:str> x")
@example("%TAG ! tag:x\n--- !a b")
@example("a: |9\n x")
@example('- "\\x"')
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_scenario_or_a_scenario_error(text: str) -> None:
    only_scenario_errors(text)


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_file_is_a_scenario_or_a_scenario_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        read_scenario(path)
    except ScenarioError as wrong:
        assert str(path) in str(wrong)


def test_depth_within_the_bound_is_no_reason_to_refuse() -> None:
    deep = (MAX_DEPTH - 2) * "[" + (MAX_DEPTH - 2) * "]"
    assert "too many" not in problems(f"steps: {deep}")[0]
