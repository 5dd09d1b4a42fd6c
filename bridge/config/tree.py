"""Everything that can be set, as frozen values; `bridge.config.source` reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from bridge.config.checks import check
from bridge.config.kinds import (
    ADDRESSES,
    APPLICATION_ID,
    BASE_URL,
    HOST,
    HOST_PATTERNS,
    ICE_SERVERS,
    NAME,
    NETWORKS,
    PATHS,
    PORT_RANGE,
    TAGS,
    TOKENS,
    IceServer,
    Network,
    PortRange,
)
from bridge.config.settings import (
    choice,
    entries,
    flag,
    number,
    path,
    secret,
    section,
    setting,
    text,
    whole,
)
from bridge.secret import Secret


@dataclass(frozen=True, slots=True)
class ApplicationConfig:
    """An application and its tokens: two while one is being exchanged for the other."""

    id: str = setting(APPLICATION_ID, needed=True)
    tokens: tuple[Secret, ...] = setting(TOKENS, needed=True)


@dataclass(frozen=True, slots=True)
class PlivoConfig:
    """A Plivo account, mapped to exactly one application."""

    auth_id: str = setting(text("a text", str), needed=True)
    auth_token: Secret = setting(secret(), needed=True)
    application: str = setting(APPLICATION_ID, "")
    """May be left out where there is one application only."""


@dataclass(frozen=True, slots=True)
class WebRtcConfig:
    """WebRTC: which addresses and ports, with whose help."""

    ice_servers: tuple[IceServer, ...] = setting(ICE_SERVERS, ())
    udp_port_range: PortRange | None = setting(PORT_RANGE, None)
    announced_addresses: tuple[str, ...] = setting(ADDRESSES, ())
    """Written into answers in place of the machine's own (behind a NAT that maps ports one to one)."""
    loopback_candidate: bool = setting(flag(), False)
    """Offer 127.0.0.1 too: for clients on the same machine."""


@dataclass(frozen=True, slots=True)
class OpusConfig:
    """What is sent to WebRTC clients."""

    application: Literal["lowdelay", "voip", "audio"] = setting(
        choice("lowdelay", "voip", "audio"), "lowdelay"
    )
    bitrate: int = setting(whole(6_000, 510_000), 32_000)
    complexity: int = setting(whole(0, 10), 5)
    fec: bool = setting(flag(), False)
    expected_loss: int = setting(whole(0, 100), 0)
    """Per cent; how much the FEC reckons with."""


@dataclass(frozen=True, slots=True)
class CallsConfig:
    """Streaming phone calls."""

    grace_seconds: float = setting(number(0, 300), 5.0)
    """How long a call that lost its socket keeps its participant."""


@dataclass(frozen=True, slots=True)
class EgressConfig:
    """What the bridge may reach out to when it is asked to: streams, callbacks."""

    allow_private: bool = setting(flag(), False)
    """Private, loopback, shared and unique-local addresses too."""
    require_tls: bool = setting(flag(), False)
    """Only `wss` and `https`."""
    allowed_hosts: tuple[str, ...] = setting(HOST_PATTERNS, ())
    """If there are any: only these."""
    denied_hosts: tuple[str, ...] = setting(HOST_PATTERNS, ())
    ca_file: Path | None = setting(path(), None)
    """Authorities to be trusted besides the public ones."""


@dataclass(frozen=True, slots=True)
class StreamsConfig:
    """Calls streamed to services."""

    hold_seconds: float = setting(number(1, 600), 40.0)
    """Audio held for a service that does not take it."""
    redial: bool = setting(flag(), False)
    """Receive-only streams are dialled again when their connection ends, unless they ask otherwise."""
    say_stop: bool = setting(flag(), False)
    """Send `stop` at the end of a stream; some SDKs take that for an error."""
    per_call: int = setting(whole(1, 10_000), 100)
    """Streams on one call at one time."""


@dataclass(frozen=True, slots=True)
class CapturesConfig:
    """Captures of streams that ask for it (docs/captures.md)."""

    directory: Path | None = setting(path(), None)
    """Unset: none are kept."""
    megabytes_each: int = setting(whole(1, 100_000), 200)
    megabytes_total: int = setting(whole(1, 10_000_000), 5_000)
    days: float = setting(number(0.01, 3_650), 7.0)


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """A bucket where finished recordings go; the first one is used where none is named."""

    name: str = setting(NAME, needed=True)
    bucket: str = setting(text("a text", str), needed=True)
    """Azure: the container."""
    kind: Literal["s3", "gcs", "azure"] = setting(choice("s3", "gcs", "azure"), "s3")
    prefix: str = setting(text("a text", str), "")
    region: str = setting(text("a text", str), "")
    endpoint: str = setting(BASE_URL, "")
    """Of what is compatible; left out: the vendor's own."""
    access_key: Secret = setting(secret(), Secret(""))
    """Azure: the account's name."""
    secret_key: Secret = setting(text("a text", Secret, hidden=True), Secret(""))
    """GCS: the service account's key, as JSON."""
    encryption: Literal["", "aes256", "kms"] = setting(choice("aes256", "kms"), "")
    """S3: with whose keys it encrypts what it keeps; left out: as the bucket says."""
    kms_key: str = setting(text("a text", str), "")
    """S3: the id, name or ARN of the key, with `kms`; left out: the account's own for S3."""
    tags: tuple[tuple[str, str], ...] = setting(TAGS, ())
    """S3: what every object is tagged with."""
    backup: str = setting(text("a text", str), "")
    """The name of the storage that is used when this one keeps failing."""
    links: bool = setting(flag(), True)
    """Who asks for a file that is only there is sent there; otherwise it is passed on."""


@dataclass(frozen=True, slots=True)
class RecordingsConfig:
    """Recordings and their files."""

    directory: Path | None = setting(path(), None)
    """Unset: `recordings` in the data folder."""
    h264: bool = setting(flag(), True)
    """Pictures in recordings and live streams; without, they have sound only."""
    picture_width: int = setting(whole(160, 1920), 640)
    picture_height: int = setting(whole(90, 1080), 360)
    picture_fps: int = setting(whole(1, 30), 10)
    finish_minutes: float = setting(number(0, 1440), 10.0)
    """A stopped recording's files are made whole when it has not gone on for so long."""
    storage_endpoints: tuple[str, ...] = setting(HOST_PATTERNS, ())
    """Where storages may be that requests name, besides the vendors' own addresses."""
    keep_uploaded_hours: float | None = setting(number(0, 24 * 3_650), None)
    """How long files stay here that are safe in a storage; unset: as long as the conference."""
    keep_expired_hours: float = setting(number(0, 24 * 3_650), 0.0)
    """How long recordings stay here whose conference came to the end of its time."""


@dataclass(frozen=True, slots=True)
class PlayersConfig:
    """Participants that play something."""

    directories: tuple[Path, ...] = setting(PATHS, ())
    """Below which files may be played; none: no files are."""
    per_conference: int = setting(whole(0, 1_000), 10)
    total: int = setting(whole(0, 10_000), 50)


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What one client, one application or all together may take."""

    websocket_message_bytes: int = setting(whole(1024, 16 << 20), 256 << 10)
    body_bytes: int = setting(whole(1024, 64 << 20), 1 << 20)
    sdp_bytes: int = setting(whole(1024, 1 << 20), 64 << 10)
    sdp_sections: int = setting(whole(1, 1000), 64)
    sdp_candidates: int = setting(whole(0, 1000), 32)
    unnegotiated_sessions: int = setting(whole(1, 100_000), 100)
    """Sessions answered whose peer has not connected yet."""
    participants_per_conference: int = setting(whole(1, 100_000), 500)
    participants_per_application: int = setting(whole(1, 1_000_000), 5_000)
    participants: int = setting(whole(1, 1_000_000), 10_000)
    conferences_per_application: int = setting(whole(1, 1_000_000), 1_000)
    conferences: int = setting(whole(1, 1_000_000), 2_000)
    legs: int = setting(whole(1, 100_000), 2_000)
    """Media connections at one time."""
    recordings: int = setting(whole(0, 100_000), 200)
    """That run at one time."""
    recordings_per_application: int = setting(whole(0, 100_000), 100)
    streamings: int = setting(whole(0, 100_000), 200)
    streamings_per_application: int = setting(whole(0, 100_000), 100)
    streamings_per_conference: int = setting(whole(0, 1_000), 20)
    late_ticks_percent: float = setting(number(0, 100), 25.0)
    """New media is refused while more ticks than that begin late; 100: never."""
    data_channel_messages_per_second: float = setting(number(0.1, 10_000), 20.0)
    conference_hours: float = setting(number(0.001, 24 * 366), 24.0)


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """A listener of its own for `/metrics`; without a port it is served beside everything else."""

    host: str = setting(HOST, "127.0.0.1")
    port: int | None = setting(whole(0, 65535), None)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the configuration came from, to read it again."""

    file: Path | None
    environment: Mapping[str, str] = field(repr=False)
    flags: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Config:
    """All of it. Its `repr` shows no secret."""

    host: str = setting(HOST, "127.0.0.1")
    port: int = setting(whole(0, 65535), 8080)
    data_dir: Path = setting(path(), Path("data"))
    log_level: str = setting(choice("error", "warning", "info", "debug", "trace"), "info")
    log_format: str = setting(choice("text", "json"), "text")
    public_base_url: str = setting(BASE_URL, "")
    """How the outside reaches this server: for signatures and for the addresses handed out."""
    trusted_proxies: tuple[Network, ...] = setting(NETWORKS, ())
    """Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    tls_certificate: Path | None = setting(path(), None)
    tls_key: Path | None = setting(path(), None)
    database_url: Secret | None = setting(secret(), None)
    drain_seconds: float = setting(number(0, 7 * 86_400), 10.0)
    """How long live calls go on after SIGTERM."""
    applications: tuple[ApplicationConfig, ...] = entries(ApplicationConfig, "application")
    plivo: tuple[PlivoConfig, ...] = entries(PlivoConfig, "plivo")
    storage: tuple[StorageConfig, ...] = entries(StorageConfig, "storage")
    webrtc: WebRtcConfig = section(WebRtcConfig)
    opus: OpusConfig = section(OpusConfig)
    calls: CallsConfig = section(CallsConfig)
    streams: StreamsConfig = section(StreamsConfig)
    captures: CapturesConfig = section(CapturesConfig)
    recordings: RecordingsConfig = section(RecordingsConfig)
    players: PlayersConfig = section(PlayersConfig)
    egress: EgressConfig = section(EgressConfig)
    limits: LimitsConfig = section(LimitsConfig)
    metrics: MetricsConfig = section(MetricsConfig)
    origin: Origin | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check(self)

    @property
    def store_url(self) -> str:
        """Where the state is kept; may hold a password. SQLite in the data folder by default."""
        if self.database_url is not None:
            return self.database_url.reveal()
        return f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'bridge.sqlite3'}"

    def secrets(self) -> Iterator[str]:
        """Everything that must never be seen in a log."""
        for application in self.applications:
            yield from (token.reveal() for token in application.tokens)
        yield from (account.auth_token.reveal() for account in self.plivo)
        for place in self.storage:
            yield from (place.access_key.reveal(), place.secret_key.reveal())
        yield from (server.credential.reveal() for server in self.webrtc.ice_servers)
        if self.database_url is not None:
            yield self.database_url.reveal()
            yield urlsplit(self.database_url.reveal()).password or ""
