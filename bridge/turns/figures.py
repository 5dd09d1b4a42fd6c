"""The turn measures of all streams together, counted for the metrics page."""

from __future__ import annotations

from bridge.histogram import Histogram
from bridge.turns.report import Measure

RESPONSE_BOUNDS_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0)
"""Close together where people notice: they take 0.2 s themselves and grow uneasy from 0.8 s on."""
REACTION_BOUNDS_S = (0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0)
OVERTALK_BOUNDS_S = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
OUTCOMES = ("cut", "ran_out", "not_yielded")
SIDES = ("caller", "bot")


class TurnFigures:
    """Histograms in seconds and counters, from the start of the process; `observe` is a meter's `observe`."""

    def __init__(self) -> None:
        self.response_delay = Histogram(RESPONSE_BOUNDS_S)
        self.barge_in = {how: Histogram(REACTION_BOUNDS_S) for how in OUTCOMES if how != "not_yielded"}
        """By how the bot's sound ended: `cut`, `ran_out`."""
        self.overtalk = Histogram(OVERTALK_BOUNDS_S)
        self.first_word = Histogram(RESPONSE_BOUNDS_S)
        self.turns = dict.fromkeys(SIDES, 0)
        self.interruptions = dict.fromkeys(SIDES, 0)
        """By who interrupts: barge-ins are the caller's."""
        self.backchannels = dict.fromkeys(SIDES, 0)
        self.barge_ins = dict.fromkeys(OUTCOMES, 0)
        self.underruns = 0
        self.unanswered = 0

    def observe(self, measure: Measure) -> None:
        """Count one measure."""
        seconds = measure.ms / 1000
        match measure.kind:
            case "response_delay":
                self.response_delay.observe(seconds)
            case "barge_in":
                self.interruptions["caller"] += 1
                self.barge_ins[measure.how] += 1
                if measure.how in self.barge_in:
                    self.barge_in[measure.how].observe(seconds)
            case "overtalk":
                self.overtalk.observe(seconds)
            case "first_word":
                self.first_word.observe(seconds)
            case "turn":
                self.turns[measure.how] += 1
            case "backchannel":
                self.backchannels[measure.how] += 1
            case "bot_interruption":
                self.interruptions["bot"] += 1
            case "underrun":
                self.underruns += 1
            case "unanswered":
                self.unanswered += 1
