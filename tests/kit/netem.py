"""A bad network, the same one every time: packets with times in, packets with times out."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

Packet = TypeVar("Packet")


@dataclass(frozen=True, slots=True)
class Bursts:
    """Gilbert–Elliott: a good state that loses nothing beyond `Netem.loss`, a bad one that loses `loss`."""

    enter: float
    """Chance, with each packet, that the bad state begins."""
    leave: float
    """Chance, with each packet, that it ends; packets stay in it 1 / leave on average."""
    loss: float = 1.0


class Netem:
    """Faults of a network, drawn from a seed. Each `schedule` goes on where the last one ended.

    `loss`, `duplication` and `reordering` are chances of a packet; a reordered one comes `reordering_s` later
    than it would. `jitter_s` is the most a packet is held up, all delays equally likely; with `in_order`
    nothing overtakes (as on TCP), and what waits behind a late packet comes together with it. `delay_s` is
    added to everything.
    """

    def __init__(
        self,
        seed: int,
        *,
        loss: float = 0.0,
        bursts: Bursts | None = None,
        delay_s: float = 0.0,
        jitter_s: float = 0.0,
        in_order: bool = False,
        reordering: float = 0.0,
        reordering_s: float = 0.03,
        duplication: float = 0.0,
    ) -> None:
        self._random = random.Random(seed)
        self._loss = loss
        self._bursts = bursts
        self._delay_s = delay_s
        self._jitter_s = jitter_s
        self._in_order = in_order
        self._reordering = reordering
        self._reordering_s = reordering_s
        self._duplication = duplication
        self._bad = False
        self._latest = float("-inf")

    def schedule(self, packets: Iterable[tuple[float, Packet]]) -> list[tuple[float, Packet]]:
        """What arrives and when, in the order of arrival, of packets given with the times they were sent."""
        draw = self._random.random
        arrivals = []
        for sent, packet in packets:
            # All faults are drawn for every packet, so that switching one on leaves the others as they were.
            lost, held, late, doubled = draw() < self._loss_now(), draw(), draw(), draw()
            if lost:
                continue
            at = sent + self._delay_s + held * self._jitter_s
            if self._in_order:
                at = self._latest = max(at, self._latest)
            elif late < self._reordering:
                at += self._reordering_s
            arrivals.append((at, packet))
            if doubled < self._duplication:
                arrivals.append((at + 0.001, packet))
        arrivals.sort(key=lambda arrival: arrival[0])
        return arrivals

    def _loss_now(self) -> float:
        bursts = self._bursts
        if bursts is None:
            return self._loss
        turns = self._random.random() < (bursts.leave if self._bad else bursts.enter)
        self._bad ^= turns
        return max(self._loss, bursts.loss) if self._bad else self._loss
