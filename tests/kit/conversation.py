"""Little conversations for the turn meter, written as who sounds when."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.spread import Summary
from bridge.turns.meter import TurnMeter
from bridge.turns.report import TurnReport

END = 30_000
"""Milliseconds; when a conversation is over."""
Span = tuple[int, int]


def one(ms: int) -> Summary:
    """The spread of one value."""
    return Summary(1, ms, ms, ms, ms)


def signals(
    caller: Sequence[Span] = (),
    bot: Sequence[Span] = (),
    cuts: Sequence[int] = (),
    others: Sequence[Span] = (),
) -> list[tuple[int, int, str, bool]]:
    """(time, rank, who, talking) in order; a cut is said before the end of sound that it causes."""
    said = [(at, 2, "ann", True) for at, _ in caller] + [(at, 1, "ann", False) for _, at in caller]
    said += [(at, 2, "bob", True) for at, _ in others] + [(at, 1, "bob", False) for _, at in others]
    said += [(at, 2, "bot", True) for at, _ in bot] + [(at, 1, "bot", False) for _, at in bot]
    return sorted(said + [(at, 0, "cut", True) for at in cuts])


def tell(meter: TurnMeter, said: Sequence[tuple[int, int, str, bool]]) -> None:
    """In the order given."""
    for at, _, who, talking in said:
        if who == "cut":
            meter.bot_cut(at)
        elif who == "bot":
            meter.bot_talking(talking, at)
        else:
            meter.caller_talking(who, talking, at)


def talk(
    caller: Sequence[Span] = (),
    bot: Sequence[Span] = (),
    cuts: Sequence[int] = (),
    others: Sequence[Span] = (),
    until: int = END,
) -> TurnReport:
    """What the meter says of a conversation that ends at `until`."""
    meter = TurnMeter(0)
    tell(meter, [one for one in signals(caller, bot, cuts, others) if one[0] <= until])
    meter.end(until)
    return meter.report()
