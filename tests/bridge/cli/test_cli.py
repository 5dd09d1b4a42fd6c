"""The command line as its users meet it: a process, its output and its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli import main as cli
from bridge.errors import ConfigError, MissingLibrary, NotAllowed

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = str(ROOT / "samples" / "caller_8k.wav")


def mediabridge(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=cwd,
        env={
            **{name: value for name, value in os.environ.items() if "MEDIABRIDGE" not in name},
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: COMMAND"),
        (["srve"], "invalid choice: 'srve'"),
        (["serve", "--prot", "1"], "unrecognized arguments: --prot"),
        (["serve", "--port", "many"], "argument --port: invalid int value: 'many'"),
        (["serve", "--port", "70000"], "--port must be a whole number from 0 to 65535, not 70000"),
        (["serve", "--log-level", "loud"], "--log-level must be one of error, warning"),
        (["serve", "--config", "nowhere.toml"], "cannot read nowhere.toml: No such file"),
        (["demo", "--port", "0"], "the demo runs on a port of its own"),
        (["call"], "required: URL"),
        (["call", "http://x", "--wav", SAMPLE], "must begin with ws:// or wss://"),
        (["call", "ws://[x", "--wav", SAMPLE], "that is no address"),
        (["call", "ws://x", "--wav", "nowhere.wav"], "cannot read nowhere.wav"),
        (["call", "ws://x", "--wav", SAMPLE, "--codec", "mp3"], "invalid choice: 'mp3'"),
        (["call", "ws://x", "--wav", SAMPLE, "--seconds", "0"], "0 is no number above 0"),
        (["call", "ws://x", "--wav", SAMPLE, "--seconds", "nan"], "nan is no number above 0"),
        (["call", "ws://x", "--wav", SAMPLE, "--record", "/nowhere/x.wav"], "cannot write /nowhere/x.wav"),
        (["test"], "required: TARGET"),
        (["test", "http://x"], "must begin with ws:// or wss://"),
        (["test", "ws://x", "--calls", "0"], "0 is no whole number from 1 to 10000"),
        (["test", "ws://x", "--ramp", "fast"], "fast is no rate above 0, such as 5/s"),
        (["test", "ws://x", "--ramp", "1", "--arrivals", "1"], "not allowed with argument --ramp"),
        (["test", "ws://x", "--hold", "0"], "0 is no number above 0"),
        (["test", "ws://x", "--seed", "-1"], "-1 is no whole number"),
        (["test", "ws://x", "--threshold", "response_p95<800"], "response in response_p95<800 is a time"),
        (["test", "ws://x", "--threshold", "respnse<1s"], "did you mean response?"),
        (["test", "ws://x", "--wav", "README.md"], "README.md cannot be read"),
        (["test", "ws://x", "--report", "docs"], "docs is not empty, and holds no earlier report"),
    ],
)
def test_wrong_use_is_one_line_on_standard_error_and_exit_code_2(arguments: list[str], said: str) -> None:
    done = mediabridge(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.startswith("mediabridge")
    assert done.stderr.count("\n") == 1


def test_a_wrong_variable_is_named_with_the_nearest_known_one() -> None:
    done = mediabridge("serve", MEDIABRIDGE_PROT="1")
    assert (done.returncode, done.stderr) == (
        2,
        "mediabridge: unknown environment variable MEDIABRIDGE_PROT; did you mean MEDIABRIDGE_PORT?\n",
    )


def test_the_version_is_told() -> None:
    done = mediabridge("--version")
    assert done.returncode == 0 and done.stdout.startswith("mediabridge 0.")


@pytest.mark.parametrize("arguments", [[], ["serve"], ["call"], ["test"], ["demo"], ["doctor"]])
def test_help_is_there_for_everything(arguments: list[str]) -> None:
    done = mediabridge(*arguments, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: mediabridge" in done.stdout
    assert ("mediabridge call ws://" in done.stdout) == (not arguments)


def test_the_doctor_is_content_where_it_runs(tmp_path: Path) -> None:
    done = mediabridge("doctor", "--port", "0", "--data", str(tmp_path / "data"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok    configuration") and done.stdout.endswith("ready to run\n")
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_fails_where_something_is_to_be_mended(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text("prot = 1\n")
    done = mediabridge("doctor", "--config", str(tmp_path / "bridge.toml"), "--port", "0")
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAIL  configuration" in done.stdout and "did you mean port?" in done.stdout
    assert done.stdout.endswith("1 to mend\n")


@pytest.mark.parametrize("arguments", [("doctor", "--port", "0"), ("test", "ws://127.0.0.1:9")])
def test_a_reader_that_goes_away_is_no_error_to_talk_about(arguments: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(30) == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (ConfigError("no good"), 2),
        (MissingLibrary("no good"), 1),
        (ExceptionGroup("two", [ConfigError("no good"), NotAllowed("other")]), 2),
        (ExceptionGroup("deep", [ExceptionGroup("er", [NotAllowed("no good")])]), 1),
    ],
)
def test_errors_raised_on_purpose_are_one_line(
    wrong: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(options: object) -> int:
        raise wrong

    monkeypatch.setattr(cli, "_doctor", refuse)
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().err == "mediabridge: no good\n"


def test_no_error_shows_a_token(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(options: object) -> int:
        raise MissingLibrary("cannot reach ws://x/p?access_token=hush")

    monkeypatch.setattr(cli, "_doctor", refuse)
    cli.main(["doctor"])
    assert "hush" not in capsys.readouterr().err


def test_an_error_of_our_own_making_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(options: object) -> int:
        raise ExceptionGroup("two", [ConfigError("no good"), ZeroDivisionError()])

    monkeypatch.setattr(cli, "_doctor", broken)
    with pytest.raises(ExceptionGroup):
        cli.main(["doctor"])


def test_an_interrupt_gives_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_doctor", interrupted)
    assert cli.main(["doctor"]) == 130


def test_keys_that_clients_of_storages_would_take_along_are_left_out() -> None:
    environment = {
        "AWS_SSE_KMS_KEY_ID": "arn:aws:kms:x", "AWS_SSE_CUSTOMER_KEY_BASE64": "a2V5",
        "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms", "AWS_ACCESS_KEY_ID": "an-id", "HOME": "/root",
    }  # fmt: skip
    cli._leave_out_encryption(environment)
    assert environment == {"AWS_ACCESS_KEY_ID": "an-id", "HOME": "/root"}
