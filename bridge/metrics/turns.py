"""What Prometheus gets of conversations with bots."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from bridge.metrics.families import counter, histogram, labelled
from bridge.turns.figures import TurnFigures


def turn_families(turns: TurnFigures) -> Iterator[Metric]:
    """As defined in docs/turns.md."""
    yield histogram(
        "turn_response_delay_seconds",
        "From the end of a caller's speech to the bot's first sound.",
        [((), turns.response_delay)],
    )
    yield histogram(
        "turn_barge_in_reaction_seconds",
        "From the onset of a caller's speech over the bot to the end of the bot's sound, by how it ended.",
        [((how,), histogram) for how, histogram in turns.barge_in.items()],
        ("outcome",),
    )
    yield histogram("turn_overtalk_seconds", "Stretches of both sides sounding.", [((), turns.overtalk)])
    yield histogram(
        "turn_first_word_seconds", "From a stream's start to the bot's first sound.", [((), turns.first_word)]
    )
    yield counter("turns", "Turns by whose they were.", labelled(turns.turns), ("side",))
    yield counter(
        "turn_interruptions", "Times one side talked over the other.", labelled(turns.interruptions), ("by",)
    )
    yield counter("turn_barge_ins", "Barge-ins by what the bot did.", labelled(turns.barge_ins), ("outcome",))
    yield counter(
        "turn_backchannels", "Short speech over the other's.", labelled(turns.backchannels), ("by",)
    )
    yield counter("turn_underruns", "Times a bot's sound ran dry in mid-sentence.", [((), turns.underruns)])
    yield counter("turn_unanswered", "Turns of callers that got no response.", [((), turns.unanswered)])
