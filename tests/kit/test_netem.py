from __future__ import annotations

import pytest

from tests.kit.netem import Bursts, Netem

pytestmark = pytest.mark.unit

SENT = [(index * 0.02, index) for index in range(10_000)]


def test_a_good_network_changes_nothing() -> None:
    assert Netem(1).schedule(SENT) == SENT


def test_the_same_seed_gives_the_same_network_and_another_one_does_not() -> None:
    def once(seed: int) -> list[tuple[float, int]]:
        return Netem(seed, loss=0.1, jitter_s=0.05, duplication=0.1, reordering=0.1).schedule(SENT)

    assert once(1) == once(1) != once(2)


def test_loss_and_duplication_are_as_frequent_as_asked() -> None:
    arrived = [packet for _, packet in Netem(1, loss=0.05).schedule(SENT)]
    assert 9_400 < len(arrived) < 9_600
    assert len(Netem(1, duplication=0.05).schedule(SENT)) == pytest.approx(10_500, abs=100)


def test_jitter_lies_between_nothing_and_its_most_and_overtakes_only_out_of_order() -> None:
    loose = Netem(1, jitter_s=0.06, delay_s=0.1).schedule(SENT)
    delays = [at - packet * 0.02 for at, packet in loose]
    assert 0.1 <= min(delays) < 0.101 and 0.159 < max(delays) <= 0.16
    assert [packet for _, packet in loose] != sorted(packet for _, packet in loose)
    strict = Netem(1, jitter_s=0.06, in_order=True).schedule(SENT)
    assert [packet for _, packet in strict] == [packet for _, packet in SENT]
    assert [at for at, _ in strict] == sorted(at for at, _ in strict)


def test_reordering_holds_single_packets_back() -> None:
    arrived = [packet for _, packet in Netem(1, reordering=0.02).schedule(SENT)]
    swapped = sum(after < before for before, after in zip(arrived, arrived[1:], strict=False))
    assert 150 < swapped < 250 and sorted(arrived) == list(range(10_000))


def test_bursts_lose_many_packets_in_a_row() -> None:
    arrived = {packet for _, packet in Netem(1, bursts=Bursts(enter=0.01, leave=0.2)).schedule(SENT)}
    lost = [index for index in range(10_000) if index not in arrived]
    runs = 1 + sum(after - before > 1 for before, after in zip(lost, lost[1:], strict=False))
    assert 3.5 < len(lost) / runs < 6.5


def test_switching_one_fault_on_leaves_the_others_as_they_were() -> None:
    plain = dict((packet, at) for at, packet in Netem(3, jitter_s=0.06).schedule(SENT))
    lossy = Netem(3, jitter_s=0.06, loss=0.2).schedule(SENT)
    assert all(plain[packet] == at for at, packet in lossy) and len(lossy) < 8_500
