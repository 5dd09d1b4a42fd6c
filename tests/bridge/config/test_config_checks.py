"""Settings that are right one by one, and not together."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.config.tree import (
    ApplicationConfig,
    CapturesConfig,
    Config,
    MetricsConfig,
    OpusConfig,
    PlivoConfig,
    RecordingsConfig,
    StorageConfig,
)
from bridge.errors import ConfigError
from bridge.secret import Secret

pytestmark = pytest.mark.unit

ONE, OTHER = "00e1db72-c57d-478c-88be-3533d43c8b34", "1cf69ae4-4c54-47cf-b409-97e88f62fe12"


def application(id: str, *tokens: str) -> ApplicationConfig:
    return ApplicationConfig(id, tuple(Secret(token) for token in tokens))


def account(auth_id: str, application: str = "") -> PlivoConfig:
    return PlivoConfig(auth_id, Secret("token"), application)


BOTH = (application(ONE, "a"), application(OTHER, "b"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"opus": OpusConfig(fec=True)}, "lowdelay has no FEC"),
        ({"port": 9000, "metrics": MetricsConfig(port=9000)}, "must not be the port that everything else"),
        ({"captures": CapturesConfig(megabytes_each=2, megabytes_total=1)}, "must not be more than"),
        ({"recordings": RecordingsConfig(picture_width=641)}, "must be even"),
        ({"storage": (StorageConfig("a", "x"), StorageConfig("a", "y"))}, "storage a is configured twice"),
        (
            {"storage": (StorageConfig("main", "x", backup="spar"), StorageConfig("spare", "y"))},
            "storage main: no other storage spar is configured; did you mean spare",
        ),
        ({"storage": (StorageConfig("main", "x", backup="main"),)}, "no other storage main"),
        (
            {"storage": (StorageConfig("main", "x", "gcs", encryption="kms"),)},
            "storage main: encryption and tags are for S3",
        ),
        ({"applications": (application(ONE, "a"), application(ONE, "b"))}, "configured twice"),
        ({"applications": (application(ONE, "a"), application(OTHER, "a"))}, "token is configured twice"),
        ({"plivo": (account("MA1"), account("MA1"))}, "MA1 is configured twice"),
        ({"plivo": (account("MA1"),), "applications": BOTH}, "must say which application"),
        (
            {"plivo": (account("MA1", ONE[:-1] + "5"),), "applications": BOTH},
            f"no application {ONE[:-1]}5 is configured; did you mean {ONE}",
        ),
    ],
)
def test_what_does_not_go_together_is_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        Config(**settings)
    assert "\n" not in str(refused.value)


def test_what_goes_together_is_taken() -> None:
    config = Config(
        opus=OpusConfig(application="voip", fec=True),
        metrics=MetricsConfig(host="127.0.0.2", port=8080),
        storage=(StorageConfig("main", "x", backup="spare"), StorageConfig("spare", "y", backup="main")),
        applications=BOTH,
        plivo=(account("MA1", ONE), account("MA2", ONE)),
    )
    assert [place.backup for place in config.storage] == ["spare", "main"]
    assert Config(applications=BOTH[:1], plivo=(account("MA1"),)).plivo[0].application == ""
