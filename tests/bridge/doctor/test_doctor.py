"""The doctor finds what is wrong, and says what to do."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest

from bridge.config.kinds import PortRange
from bridge.config.tree import (
    ApplicationConfig,
    Config,
    LimitsConfig,
    PlivoConfig,
    StorageConfig,
    WebRtcConfig,
)
from bridge.doctor import checks as doctor
from bridge.doctor import machine
from bridge.doctor import network as outside
from bridge.doctor import outputs as recorded
from bridge.doctor.finding import Finding, Verdict
from bridge.secret import Secret
from mediacodecs.opus import OpusUnavailable

pytestmark = pytest.mark.unit

ONE = "00e1db72-c57d-478c-88be-3533d43c8b34"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path / "data", port=0)


def verdicts(findings: Iterator[Finding]) -> list[Verdict]:
    return [finding.verdict for finding in findings]


def test_all_checks_run_here_and_nothing_is_left_behind(config: Config) -> None:
    findings = list(doctor.check_all(config))
    assert not [finding for finding in findings if finding.verdict is Verdict.FAIL]
    assert len(findings) >= len(doctor.CHECKS)
    assert list(config.data_dir.parent.iterdir()) == []


def test_a_check_that_breaks_is_a_finding_and_the_others_run(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_check(config: Config) -> Iterator[Finding]:
        raise OSError("no such thing")
        yield

    monkeypatch.setattr(doctor, "CHECKS", (broken_check, machine.python))
    found = list(doctor.check_all(config))
    assert found[0] == Finding(Verdict.FAIL, "broken check", "OSError: no such thing")
    assert found[1].verdict is Verdict.OK


def test_a_port_in_use_fails(config: Config) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        [found] = outside.tcp_ports(replace(config, port=taken.getsockname()[1]))
    assert found.verdict is Verdict.FAIL and "--port" in found.text


def test_udp_ports_in_use_are_told(config: Config) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        ports = replace(config, webrtc=WebRtcConfig(udp_port_range=PortRange(port, port)))
        assert verdicts(outside.udp_ports(ports)) == [Verdict.FAIL]
    [found] = outside.udp_ports(ports)  # free now, and too few for 2,000 legs
    assert found.verdict is Verdict.WARN and "larger range" in found.advice
    few = replace(
        ports, limits=LimitsConfig(legs=1), webrtc=WebRtcConfig(udp_port_range=PortRange(port, port + 1))
    )
    assert verdicts(outside.udp_ports(few))[0] in (Verdict.OK, Verdict.WARN)


@pytest.mark.parametrize(
    ("soft", "verdict"), [(100, Verdict.FAIL), (1024, Verdict.WARN), (1 << 20, Verdict.OK), (-1, Verdict.OK)]
)
def test_the_number_of_open_files_is_held_against_the_limits(
    config: Config, monkeypatch: pytest.MonkeyPatch, soft: int, verdict: Verdict
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, soft))
    [found] = machine.open_files(config)
    assert found.verdict is verdict
    assert ("ulimit -n 8256" in found.advice) == (verdict is not Verdict.OK)


def test_a_data_folder_that_cannot_be_written_fails(config: Config, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    [found] = machine.data_folder(replace(config, data_dir=tmp_path / "file" / "data"))
    assert found.verdict is Verdict.FAIL and "--data" in found.advice


def test_a_missing_libopus_fails_with_what_to_install(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise OpusUnavailable("no libopus")

    monkeypatch.setattr(machine, "opus_version", missing)
    [found] = machine.libopus(config)
    assert found.verdict is Verdict.FAIL and "libopus0" in found.advice


def test_a_missing_package_is_named(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        machine.metadata, "requires", lambda name: ["no-such-package>=2", "x; extra == 'dev'"]
    )
    found = next(machine.dependencies(config))
    assert found.verdict is Verdict.FAIL and "no-such-package" in found.text


def test_pages_for_others_without_tls_are_warned_of(config: Config, tmp_path: Path) -> None:
    assert verdicts(outside.tls(config)) == [Verdict.OK]
    assert verdicts(outside.tls(replace(config, host="0.0.0.0"))) == [Verdict.WARN]
    nowhere = replace(config, tls_certificate=tmp_path / "c", tls_key=tmp_path / "k")
    assert verdicts(outside.tls(nowhere)) == [Verdict.FAIL]


def test_accounts_that_cannot_work_are_warned_of_without_showing_them(config: Config) -> None:
    found = list(
        outside.accounts(
            replace(
                config,
                applications=(ApplicationConfig(ONE, (Secret("hush"),)),),
                plivo=(PlivoConfig("MA1", Secret("hush-too"), ONE),),
            )
        )
    )
    assert [finding.subject for finding in found if finding.verdict is Verdict.WARN] == ["tokens", "Plivo"]
    assert "hush" not in repr(found)


def test_missing_coders_are_named(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {"aac", "libopus", "libmp3lame", "flac"})
    [found] = recorded.coders(config)
    assert found.verdict is Verdict.FAIL and "libx264" in found.text and "h264 = false" in found.advice
    sound_only = replace(config, recordings=replace(config.recordings, h264=False))
    assert verdicts(recorded.coders(sound_only)) == [Verdict.OK]
    assert verdicts(recorded.fonts(sound_only)) == []


def test_scripts_without_a_font_are_named(config: Config, tmp_path: Path) -> None:
    [found] = recorded.fonts(config, (tmp_path,))
    assert found.verdict is Verdict.WARN and "Arabic" in found.text and "fonts-noto" in found.advice


def test_a_recordings_folder_that_cannot_be_written_fails(config: Config, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    there = replace(config.recordings, directory=tmp_path / "file" / "recordings")
    [found] = recorded.recordings_folder(replace(config, recordings=there))
    assert found.verdict is Verdict.FAIL and "recordings.directory" in found.advice


def test_storages_are_looked_at_without_showing_their_keys(config: Config) -> None:
    places = (
        StorageConfig("main", "bucket", secret_key=Secret("hush")),
        StorageConfig("bare", "bucket"),
        StorageConfig("blue", "container", "azure"),
    )
    found = list(recorded.storages(replace(config, storage=places)))
    assert [one.verdict for one in found] == [Verdict.OK, Verdict.WARN, Verdict.FAIL]
    assert "hush" not in str(found)
