"""What settings must be together: no setting can know it alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.config.settings import nearest
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.config.tree import ApplicationConfig, Config, PlivoConfig, StorageConfig


def check(config: Config) -> None:
    """Raises ConfigError."""
    if (config.tls_certificate is None) != (config.tls_key is None):
        raise ConfigError("tls_certificate and tls_key belong together: one of them is missing")
    if config.opus.fec and config.opus.application == "lowdelay":
        raise ConfigError('opus.fec needs opus.application = "voip" or "audio": lowdelay has no FEC')
    if config.metrics.port and config.metrics.port == config.port and config.metrics.host == config.host:
        raise ConfigError("metrics.port must not be the port that everything else is served on")
    if config.captures.megabytes_each > config.captures.megabytes_total:
        raise ConfigError("captures.megabytes_each must not be more than captures.megabytes_total")
    recordings = config.recordings
    if recordings.picture_width % 2 or recordings.picture_height % 2:
        raise ConfigError("recordings.picture_width and recordings.picture_height must be even")
    _check_storage(config.storage)
    _check_applications(config.applications)
    _check_accounts(config.plivo, [application.id for application in config.applications])


def _check_applications(applications: Sequence[ApplicationConfig]) -> None:
    known = [application.id for application in applications]
    for application_id in known:
        if known.count(application_id) > 1:
            raise ConfigError(f"application {application_id} is configured twice")
    tokens = [token for application in applications for token in application.tokens]
    if len(set(tokens)) < len(tokens):
        raise ConfigError("an application token is configured twice")


def _check_accounts(accounts: Sequence[PlivoConfig], applications: Sequence[str]) -> None:
    known = [account.auth_id for account in accounts]
    for account in accounts:
        auth_id, application = account.auth_id, account.application
        if known.count(auth_id) > 1:
            raise ConfigError(f"plivo auth_id {auth_id} is configured twice: it maps to one application")
        if not application and len(applications) > 1:
            raise ConfigError(f"plivo auth_id {auth_id} must say which application it belongs to")
        if application and applications and application not in applications:
            raise ConfigError(
                f"plivo auth_id {auth_id}: no application {application} is configured"
                + nearest(application, applications)
            )


def _check_storage(places: Sequence[StorageConfig]) -> None:
    names = [place.name for place in places]
    for place in places:
        name, backup = place.name, place.backup
        if (place.encryption or place.tags) and place.kind != "s3":
            raise ConfigError(f"storage {name}: encryption and tags are for S3")
        if place.kms_key and place.encryption != "kms":
            raise ConfigError(f'storage {name}: kms_key needs encryption = "kms"')
        if names.count(name) > 1:
            raise ConfigError(f"storage {name} is configured twice")
        if backup and (backup not in names or backup == name):
            raise ConfigError(
                f"storage {name}: no other storage {backup} is configured" + nearest(backup, names)
            )
