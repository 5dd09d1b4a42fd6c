from __future__ import annotations

import pytest

from bridge.dispatch import FRAME_ADVANCE, PacketTrunk

pytestmark = pytest.mark.unit


class Sender:
    """Keeps RTP time as a real sender does."""

    def __init__(self) -> None:
        self.timestamps: list[int] = [0]

    def send_packet(self, payload: bytes, advance: int) -> None:
        assert advance > 0
        self.timestamps.append(self.timestamps[-1] + advance)


@pytest.fixture
def sender() -> Sender:
    return Sender()


@pytest.fixture
def trunk(sender: Sender) -> PacketTrunk:
    return PacketTrunk(sender)


def test_encoder_packets_are_20_ms_apart_however_late_they_are_sent(trunk, sender) -> None:
    for now in (1.0, 1.0, 1.09, 1.1):
        trunk.send_encoded(b"x", now)
    assert sender.timestamps == [0, 960, 1920, 2880, 3840]


def test_relayed_packets_keep_the_distances_of_their_source(trunk, sender) -> None:
    for timestamp in (5000, 5960, 8840, 9320):
        trunk.relay(b"x", timestamp, 1.0)
    assert sender.timestamps[1:] == [960, 1920, 4800, 5280]


def test_relayed_timestamps_may_wrap(trunk, sender) -> None:
    trunk.relay(b"x", 0xFFFFFFFF - 479, 1.0)
    trunk.relay(b"x", 480, 1.02)
    assert sender.timestamps[2] - sender.timestamps[1] == FRAME_ADVANCE


def test_late_and_doubled_packets_are_not_passed_on(trunk, sender) -> None:
    for timestamp in (5000, 6920, 5960, 6920, 7880):
        trunk.relay(b"x", timestamp, 1.0)
    assert sender.timestamps[1:] == [960, 2880, 3840]
    assert trunk.dropped == 2


def test_time_runs_on_by_the_clock_when_the_source_changes(trunk, sender) -> None:
    trunk.send_encoded(b"x", 1.0)
    trunk.switch()
    trunk.relay(b"x", 123456, 1.5)
    trunk.switch()
    trunk.send_encoded(b"x", 1.52)
    steps = [b - a for a, b in zip(sender.timestamps, sender.timestamps[1:], strict=False)]
    assert steps == [960, 25 * 960, 960]


def test_a_source_that_begins_anew_does_not_throw_time_off(trunk, sender) -> None:
    trunk.relay(b"x", 1000, 1.0)
    trunk.relay(b"x", 1000 + 48_000 * 3600, 1.04)
    assert sender.timestamps[2] - sender.timestamps[1] == 2 * 960
