from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.histogram import TickTimes
from bridge.metrics.page import Metrics, Reading
from bridge.turns.figures import TurnFigures
from bridge.turns.report import Measure

pytestmark = pytest.mark.unit


class Told:
    def __init__(self, reading: Reading) -> None:
        self.now = reading

    def reading(self) -> Reading:
        return self.now


def page(turns: TurnFigures | None) -> dict[str, float]:
    text, _ = Metrics(Told(Reading(turns=turns)), TickTimes(), "1").page()
    return {
        sample.name + (str(dict(sorted(sample.labels.items()))) if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_measures_appear_on_the_metrics_page() -> None:
    figures = TurnFigures()
    for measure in (
        Measure("turn", 1, how="caller"),
        Measure("turn", 1, how="bot"),
        Measure("turn", 1, how="caller"),
        Measure("first_word", 1, 900),
        Measure("response_delay", 1, 640),
        Measure("response_delay", 1, 1_900),
        Measure("barge_in", 1, 320, "cut"),
        Measure("barge_in", 1, 1_400, "ran_out"),
        Measure("barge_in", 1, 3_000, "not_yielded"),
        Measure("overtalk", 1, 320),
        Measure("bot_interruption", 1),
        Measure("backchannel", 1, how="caller"),
        Measure("underrun", 1),
        Measure("unanswered", 1),
    ):
        figures.observe(measure)
    seen = page(figures)
    assert seen["mediabridge_turn_response_delay_seconds_bucket{'le': '0.8'}"] == 1
    assert seen["mediabridge_turn_response_delay_seconds_bucket{'le': '2.0'}"] == 2
    assert seen["mediabridge_turn_response_delay_seconds_sum"] == pytest.approx(2.54)
    assert seen["mediabridge_turn_barge_in_reaction_seconds_count{'outcome': 'cut'}"] == 1
    assert seen["mediabridge_turn_barge_in_reaction_seconds_sum{'outcome': 'ran_out'}"] == 1.4
    assert seen["mediabridge_turn_overtalk_seconds_sum"] == 0.32
    assert seen["mediabridge_turn_first_word_seconds_count"] == 1
    assert seen["mediabridge_turns_total{'side': 'caller'}"] == 2
    assert seen["mediabridge_turn_interruptions_total{'by': 'caller'}"] == 3
    assert seen["mediabridge_turn_interruptions_total{'by': 'bot'}"] == 1
    assert seen["mediabridge_turn_barge_ins_total{'outcome': 'not_yielded'}"] == 1
    assert seen["mediabridge_turn_backchannels_total{'by': 'caller'}"] == 1
    assert seen["mediabridge_turn_underruns_total"] == 1
    assert seen["mediabridge_turn_unanswered_total"] == 1


def test_zeros_are_shown_from_the_start_so_that_rates_can_be_taken() -> None:
    seen = page(TurnFigures())
    assert seen["mediabridge_turn_response_delay_seconds_count"] == 0
    assert seen["mediabridge_turn_barge_ins_total{'outcome': 'cut'}"] == 0


def test_who_does_not_measure_shows_nothing() -> None:
    assert not [name for name in page(None) if name.startswith("mediabridge_turn")]
