"""From the configuration to each part's settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bridge.config.tree import Config
from bridge.core.settings import CoreSettings
from bridge.directory import DirectorySettings
from bridge.egress.gate import EgressSettings
from bridge.errors import ConfigError
from bridge.legs.webrtc_settings import IceServer, WebRtcSettings
from mediacodecs.opus import OpusSettings

T = TypeVar("T")


def core_settings(config: Config) -> CoreSettings:
    """The mixer's part of the configuration."""
    opus = config.opus
    return CoreSettings(
        opus=OpusSettings(
            application=opus.application,
            bitrate=opus.bitrate,
            complexity=opus.complexity,
            fec=opus.fec,
            expected_loss=opus.expected_loss,
        )
    )


def egress_settings(config: Config) -> EgressSettings:
    """The egress gate's part of the configuration."""
    egress = config.egress
    return EgressSettings(
        allow_private=egress.allow_private,
        require_tls=egress.require_tls,
        allowed_hosts=egress.allowed_hosts,
        denied_hosts=egress.denied_hosts,
    )


def with_authorities(config: Config, make: Callable[[Path | None], T]) -> T:
    """What `make` gives for the file of authorities. Raises ConfigError when that cannot be used."""
    try:
        return make(config.egress.ca_file)
    except OSError as error:
        raise ConfigError(f"egress.ca_file cannot be used: {error.strerror or error}") from None


def webrtc_settings(config: Config) -> WebRtcSettings:
    """The WebRTC legs' part of the configuration."""
    webrtc, limits = config.webrtc, config.limits
    return WebRtcSettings(
        ice_servers=tuple(
            IceServer(server.urls, server.username, server.credential.reveal())
            for server in webrtc.ice_servers
        ),
        udp_port_range=(webrtc.udp_port_range.low, webrtc.udp_port_range.high)
        if webrtc.udp_port_range
        else None,
        announced_addresses=webrtc.announced_addresses,
        loopback_candidate=webrtc.loopback_candidate,
        max_connecting=limits.unnegotiated_sessions,
        max_sdp_bytes=limits.sdp_bytes,
        max_sections=limits.sdp_sections,
        max_candidates=limits.sdp_candidates,
        texts_per_second=limits.data_channel_messages_per_second,
    )


def directory_settings(config: Config) -> DirectorySettings:
    """Limits of who exists."""
    limits = config.limits
    return DirectorySettings(
        conference_s=limits.conference_hours * 3600,
        conferences=limits.conferences,
        conferences_per_application=limits.conferences_per_application,
        participants=limits.participants,
        participants_per_application=limits.participants_per_application,
        participants_per_conference=limits.participants_per_conference,
    )
