"""Metrics: the page's figures are the parts' figures, in units and shapes Prometheus expects."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.core.ledger import StreamLedger, TrackLedger
from bridge.histogram import Histogram, TickTimes
from bridge.legs.service_figures import ServiceFigures, figures_of
from bridge.metrics.outputs import OutputFigures
from bridge.metrics.page import Metrics, Reading
from bridge.metrics.streams import STREAM_TOTALS

pytestmark = pytest.mark.unit


class Told:
    """Figures that a test sets."""

    def __init__(self, reading: Reading) -> None:
        self.now = reading

    def reading(self) -> Reading:
        return self.now


def samples(metrics: Metrics) -> dict[str, float]:
    """Every sample by `name{labels}`, parsed as Prometheus would."""
    page, content_type = metrics.page()
    assert content_type.startswith("text/plain")
    return {
        sample.name + (str(dict(sorted(sample.labels.items()))) if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_the_page_shows_what_the_parts_say() -> None:
    metrics = Metrics(
        Told(
            Reading(
                ticks={"on_time": 7, "late": 2},
                rooms=3,
                legs={"plivo": 2, "webrtc": 5},
                frames={"in": 10, "out": 11, "dropped": 1, "concealed": 4},
                packets_lost=6,
                backlog_ms={"plivo": [100.0, 300.0]},
                encoded=50,
                encode_s=1.5,
                ice_failures=1,
                websockets={"media": 2},
                notifications_dropped=9,
                draining=True,
                more={"relayed_packets": 12.0},
            )
        ),
        TickTimes(),
        "1.2.3",
    )
    seen = samples(metrics)
    assert seen["mediabridge_build_info{'version': '1.2.3'}"] == 1
    assert seen["mediabridge_ticks_total{'outcome': 'late'}"] == 2
    assert seen["mediabridge_legs{'kind': 'webrtc'}"] == 5
    assert seen["mediabridge_frames_total{'outcome': 'concealed'}"] == 4
    assert seen["mediabridge_packets_lost_total"] == 6
    assert seen["mediabridge_far_side_backlog_seconds{'kind': 'plivo', 'quantile': '1'}"] == 0.3
    assert seen["mediabridge_encode_seconds_total"] == 1.5
    assert seen["mediabridge_ice_failures_total"] == 1
    assert seen["mediabridge_websockets{'kind': 'media'}"] == 2
    assert seen["mediabridge_notifications_dropped_total"] == 9
    assert (seen["mediabridge_draining"], seen["mediabridge_overloaded"]) == (1, 0)
    assert seen["mediabridge_relayed_packets_total"] == 12
    assert seen["process_open_fds"] > 0


def test_each_scrape_reads_anew() -> None:
    told = Told(Reading(rooms=1))
    metrics = Metrics(told, TickTimes(), "1")
    assert samples(metrics)["mediabridge_rooms"] == 1
    told.now = Reading(rooms=2)
    assert samples(metrics)["mediabridge_rooms"] == 2


def test_quantiles_are_the_values_that_were_there() -> None:
    metrics = Metrics(Told(Reading(playout_depth_ms=[20.0 * n for n in range(11)])), TickTimes(), "1")
    seen = samples(metrics)
    depths = [
        seen[f"mediabridge_playout_depth_seconds{{'quantile': '{share}'}}"] for share in ("0.5", "0.9", "1")
    ]
    assert depths == [0.1, 0.18, 0.2]


def test_nothing_open_gives_no_quantiles_instead_of_zeros() -> None:
    assert not [name for name in samples(Metrics(Told(Reading()), TickTimes(), "1")) if "quantile" in name]


def test_everything_that_streams_count_is_shown_in_base_units() -> None:
    ledger = StreamLedger(
        {"inbound": TrackLedger(captured=10, delivered=7, lost=1)}, attempts=4, played_ms=1500.0, digits=2
    )
    figures = ServiceFigures(1, {"connected": 1}, {"too slow": 3}, figures_of(ledger), waiting=2)
    seen = samples(Metrics(Told(Reading(streams=figures)), TickTimes(), "1"))
    assert seen["mediabridge_stream_frames_total{'fate': 'delivered'}"] == 7
    assert seen["mediabridge_stream_frames_waiting"] == 2
    assert seen["mediabridge_streams_ended_total{'why': 'too slow'}"] == 3
    assert seen["mediabridge_stream_dials_total"] == 4
    assert seen["mediabridge_stream_played_seconds_total"] == 1.5
    assert seen["mediabridge_stream_digits_total"] == 2
    assert set(STREAM_TOTALS) | {"captured", "delivered", "lost"} == set(figures_of(ledger))


def test_tick_times_become_histograms() -> None:
    times = TickTimes()
    for lateness, duration in ((-0.001, 0.0004), (0.0015, 0.004), (0.3, 2.0)):
        times.observe(lateness, duration)
    seen = samples(Metrics(Told(Reading()), times, "1"))
    assert seen["mediabridge_tick_lateness_seconds_bucket{'le': '0.0005'}"] == 1
    assert seen["mediabridge_tick_lateness_seconds_bucket{'le': '0.002'}"] == 2
    assert seen["mediabridge_tick_lateness_seconds_bucket{'le': '+Inf'}"] == 3
    assert seen["mediabridge_tick_lateness_seconds_count"] == 3
    assert seen["mediabridge_tick_duration_seconds_sum"] == pytest.approx(2.0044)


def test_openmetrics_is_given_to_who_asks_for_it() -> None:
    page, content_type = Metrics(Told(Reading()), TickTimes(), "1").page(
        "application/openmetrics-text; version=1.0.0"
    )
    assert content_type.startswith("application/openmetrics-text") and page.endswith(b"# EOF\n")


def test_a_value_on_a_bound_belongs_to_it_and_one_beyond_all_is_kept() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (1.0, 1.5, 2.0, 9.0):
        histogram.observe(value)
    assert histogram.cumulative() == [("1.0", 1), ("2.0", 3), ("+Inf", 4)]
    assert (histogram.count, histogram.total) == (4, 13.5)


def test_recordings_uploads_and_live_streams_are_shown_in_base_units() -> None:
    figures = OutputFigures(
        {("recording", "running"): 3, ("rtmp", "troubled"): 1},
        recorded_bytes=4096, lag_s=0.42, waiting_bytes=77, holes=2, lost_s=1.44, writer_restarts=5,
        follower_restarts=6, uploads={"waiting": 4, "failing": 1}, uploaded=9, upload_failures=8,
        encoder_cpu_s=12.5, encoders={"sound": 2, "picture": 1}, encoder_starts=3, encoder_holes=1,
        hls_answers={"200": 70, "404": 1}, hls_bytes=9000, hls_waiting=11,
    )  # fmt: skip
    seen = samples(Metrics(Told(Reading(outputs=figures)), TickTimes(), "1"))
    told = {name.removeprefix("mediabridge_"): value for name, value in seen.items()}
    assert told["outputs{'kind': 'recording', 'state': 'running'}"] == 3
    assert told["outputs{'kind': 'rtmp', 'state': 'troubled'}"] == 1
    assert (told["recording_bytes_total"], told["recording_lag_seconds"]) == (4096, 0.42)
    assert (told["recording_holes_total"], told["recording_lost_seconds_total"]) == (2, 1.44)
    assert (told["recording_writer_restarts_total"], told["recording_follower_restarts_total"]) == (5, 6)
    assert told["recording_waiting_bytes"] == 77
    assert (told["uploads{'stage': 'waiting'}"], told["uploads{'stage': 'failing'}"]) == (4, 1)
    assert (told["uploads_done_total"], told["upload_failures_total"]) == (9, 8)
    assert told["live_encoder_cpu_seconds_total"] == 12.5
    assert (told["live_encoders{'of': 'sound'}"], told["live_encoders{'of': 'picture'}"]) == (2, 1)
    assert (told["live_encoder_starts_total"], told["live_encoder_holes_total"]) == (3, 1)
    assert (told["hls_requests_total{'status': '200'}"], told["hls_requests_total{'status': '404'}"]) == (
        70,
        1,
    )
    assert (told["hls_bytes_total"], told["hls_waiting_requests"]) == (9000, 11)
