"""The configuration: sources and their order, and how mistakes are named."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_network
from pathlib import Path

import pytest

from bridge.config.kinds import PortRange
from bridge.config.settings import variables
from bridge.config.source import load, load_again
from bridge.config.tree import Config, EgressConfig
from bridge.errors import ConfigError
from bridge.secret import Secret

pytestmark = pytest.mark.unit

ONE = "00e1db72-c57d-478c-88be-3533d43c8b34"
OTHER = "1cf69ae4-4c54-47cf-b409-97e88f62fe12"

EVERYTHING = f"""
host = "0.0.0.0"
port = 9000
data_dir = "/var/lib/bridge"
log_level = "debug"
log_format = "json"
public_base_url = "https://bridge.example/"
trusted_proxies = ["10.0.0.0/8", "::1"]
tls_certificate = "cert.pem"
tls_key = "key.pem"
database_url = "postgresql+asyncpg://bridge:hunter22@db/bridge"
drain_seconds = 3600

[[application]]
id = "{ONE}"
tokens = ["first-token-of-one", "sha256:{"ab" * 32}"]

[[application]]
id = "{OTHER}"
tokens = ["token-of-other"]

[[plivo]]
auth_id = "MA1"
auth_token = "plivo-token"
application = "{ONE}"

[webrtc]
ice_servers = ["stun:stun.example:3478", {{urls = ["turn:turn.example?transport=udp"], username = "u", credential = "turn-pass"}}]
udp_port_range = "40000-41000"
announced_addresses = ["203.0.113.5"]
loopback_candidate = true

[opus]
application = "voip"
bitrate = 24000
complexity = 3
fec = true
expected_loss = 10

[calls]
grace_seconds = 2.5

[egress]
allow_private = true
require_tls = true
allowed_hosts = ["bots.example", "*.bots.example", "10.1.0.0/16"]
denied_hosts = ["203.0.113.5"]
ca_file = "house-ca.pem"

[limits]
body_bytes = 2048

[metrics]
port = 9100
"""  # noqa: E501


def file_with(folder: Path, content: str) -> Path:
    file = folder / "bridge.toml"
    file.write_text(content)
    return file


def test_everything_in_the_file_arrives(tmp_path: Path) -> None:
    config = load(file_with(tmp_path, EVERYTHING))
    assert (config.host, config.port, config.log_level, config.log_format) == (
        "0.0.0.0",
        9000,
        "debug",
        "json",
    )
    assert config.data_dir == Path("/var/lib/bridge")
    assert config.public_base_url == "https://bridge.example"
    assert config.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert config.drain_seconds == 3600.0
    assert [application.id for application in config.applications] == [ONE, OTHER]
    assert config.applications[0].tokens[0] == Secret("first-token-of-one")
    assert config.plivo[0].application == ONE
    assert config.webrtc.udp_port_range == PortRange(40000, 41000)
    assert config.webrtc.ice_servers[1].username == "u"
    assert config.opus.application == "voip" and config.opus.fec
    assert config.calls.grace_seconds == 2.5
    assert config.egress == EgressConfig(
        True, True, ("bots.example", "*.bots.example", "10.1.0.0/16"), ("203.0.113.5",), Path("house-ca.pem")
    )
    assert config.limits.body_bytes == 2048 and config.limits.sdp_bytes == 65536
    assert config.metrics.port == 9100
    assert config.store_url.startswith("postgresql+asyncpg://bridge:hunter22@")


def test_variables_win_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    file = file_with(tmp_path, "port = 1000\nlog_level = 'error'\n[limits]\nbody_bytes = 2000\n")
    environment = {
        "MEDIABRIDGE_PORT": "2000",
        "MEDIABRIDGE_LIMITS_BODY_BYTES": "3000",
        "PATH": "/bin",
        "MEDIABRIDGE_HOST": "",
    }
    config = load(file, environment, {"port": 3000, "host": None})
    assert (config.port, config.limits.body_bytes, config.log_level, config.host) == (
        3000,
        3000,
        "error",
        "127.0.0.1",
    )


def test_the_file_can_be_named_by_a_variable(tmp_path: Path) -> None:
    file = file_with(tmp_path, "port = 1234")
    assert load(None, {"MEDIABRIDGE_CONFIG": str(file)}).port == 1234


def test_every_setting_can_be_a_variable() -> None:
    values = {
        "MEDIABRIDGE_TRUSTED_PROXIES": "10.0.0.0/8, 192.168.1.1",
        "MEDIABRIDGE_WEBRTC_ICE_SERVERS": '[{"urls": "turn:t", "username": "u", "credential": "c"}]',
        "MEDIABRIDGE_WEBRTC_ANNOUNCED_ADDRESSES": "203.0.113.5,2001:db8::1",
        "MEDIABRIDGE_WEBRTC_UDP_PORT_RANGE": "50000-50100",
        "MEDIABRIDGE_WEBRTC_LOOPBACK_CANDIDATE": "yes",
        "MEDIABRIDGE_EGRESS_ALLOW_PRIVATE": "true",
        "MEDIABRIDGE_EGRESS_ALLOWED_HOSTS": "*.bots.example, 10.0.0.0/8",
        "MEDIABRIDGE_DRAIN_SECONDS": "0.5",
        "MEDIABRIDGE_LOG_LEVEL": "WARNING",
        "MEDIABRIDGE_DATABASE_URL": "sqlite+aiosqlite://",
        "MEDIABRIDGE_METRICS_PORT": "0",
    }
    assert set(values) < set(variables(Config))
    config = load(None, values)
    assert config.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("192.168.1.1"))
    assert config.webrtc.ice_servers[0].urls == ("turn:t",)
    assert config.webrtc.announced_addresses == ("203.0.113.5", "2001:db8::1")
    assert config.webrtc.udp_port_range == PortRange(50000, 50100)
    assert config.webrtc.loopback_candidate
    assert config.egress.allow_private
    assert config.egress.allowed_hosts == ("*.bots.example", "10.0.0.0/8")
    assert (config.drain_seconds, config.log_level, config.metrics.port) == (0.5, "warning", 0)


def test_an_application_and_a_plivo_account_can_come_from_variables(tmp_path: Path) -> None:
    config = load(
        None,
        {
            "MEDIABRIDGE_APPLICATION_ID": ONE,
            "MEDIABRIDGE_APPLICATION_TOKEN": "env-token",
            "MEDIABRIDGE_PLIVO_AUTH_ID": "MA2",
            "MEDIABRIDGE_PLIVO_AUTH_TOKEN": "plivo-env-token",
        },
    )
    assert config.applications[0].id == ONE
    assert config.applications[0].tokens == (Secret("env-token"),)
    assert (config.plivo[0].auth_id, config.plivo[0].application) == ("MA2", "")


def test_the_application_of_the_variables_takes_the_place_of_the_same_one_in_the_file(tmp_path: Path) -> None:
    environment = {
        "MEDIABRIDGE_APPLICATION_ID": ONE,
        "MEDIABRIDGE_APPLICATION_TOKEN": "env-token",
        "MEDIABRIDGE_PLIVO_AUTH_ID": "MA1",
        "MEDIABRIDGE_PLIVO_AUTH_TOKEN": "plivo-env-token",
        "MEDIABRIDGE_PLIVO_APPLICATION": OTHER,
    }
    config = load(file_with(tmp_path, EVERYTHING), environment)
    tokens = {application.id: application.tokens for application in config.applications}
    assert tokens == {ONE: (Secret("env-token"),), OTHER: (Secret("token-of-other"),)}
    assert [(account.auth_id, account.application) for account in config.plivo] == [("MA1", OTHER)]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("prot = 1", "unknown key prot; did you mean port?"),
        ("[webrtc]\nudp_ports = '1-2'", "unknown key webrtc.udp_ports; did you mean webrtc.udp_port_range?"),
        ("[limit]\nbody_bytes = 1", "unknown key limit; did you mean limits?"),
        ("[[applications]]\nid = 'x'", "unknown key applications; did you mean application?"),
        (f"[[application]]\nid = '{ONE}'\ntoken = ['x']", r"application\[0\].token; did you mean .*tokens"),
        ("zzzzzzzz = 1", "unknown key zzzzzzzz$"),
        ("port = '8080'", "port must be a whole number from 0 to 65535, not '8080'"),
        ("port = true", "port must be a whole number"),
        ("port = 70000", "port must be .*65535, not 70000"),
        ("drain_seconds = nan", "drain_seconds must be a number"),
        ("drain_seconds = -1", "drain_seconds must be a number from 0 to"),
        ("log_level = 'loud'", "log_level must be one of error, warning, info, debug, trace, not 'loud'"),
        ("webrtc = 3", "webrtc must be a table"),
        ("[application]\nid = 'x'", r"application must be written as \[\[application\]\]"),
        ("[webrtc]\nloopback_candidate = 1", "webrtc.loopback_candidate must be true or false, not 1"),
        ("[webrtc]\nudp_port_range = '5000'", "webrtc.udp_port_range must be"),
        ("[webrtc]\nudp_port_range = '5000-4000'", "webrtc.udp_port_range must be"),
        ("[webrtc]\nudp_port_range = 'x-y'", "webrtc.udp_port_range must be .* not 'x-y'$"),
        ("[webrtc]\nudp_port_range = '80-90'", "webrtc.udp_port_range must be"),
        ("[webrtc]\nannounced_addresses = ['localhost']", "webrtc.announced_addresses must be"),
        ("[webrtc]\nice_servers = ['http://x']", "webrtc.ice_servers must be"),
        ("[webrtc]\nice_servers = ['turn:x']", "needs both"),
        ("[webrtc]\nice_servers = [{urls = 'stun:x', user = 'u'}]", "webrtc.ice_servers must be"),
        ("trusted_proxies = ['10.0.0.1/8']", "trusted_proxies must be .*has host bits set"),
        ("trusted_proxies = '10.0.0.0/8'", "trusted_proxies must be a list"),
        ("public_base_url = 'https://x/path'", "public_base_url must be"),
        ("public_base_url = 'wss://x'", "public_base_url must be"),
        ("public_base_url = 'https://x:99999'", "public_base_url must be"),
        ("host = ''", "host must be"),
        ("tls_key = 'k'", "tls_certificate and tls_key belong together"),
        ("[opus]\nfec = true", "lowdelay has no FEC"),
        ("[metrics]\nport = 8080", "metrics.port must not be"),
        (f"[[application]]\nid = '{ONE.upper()}'\ntokens = ['x']", "must be a UUID in lower case"),
        ("[[application]]\ntokens = ['x']", r"application\[0\].id is missing"),
        (f"[[application]]\nid = '{ONE}'", r"application\[0\].tokens is missing"),
        (f"[[application]]\nid = '{ONE}'\ntokens = []", "must be one or two tokens"),
        (f"[[application]]\nid = '{ONE}'\ntokens = ['sha256:12']", "must be one or two tokens"),
        (f"[[application]]\nid = '{ONE}'\ntokens = ['a']\n" * 2, "configured twice"),
        (
            f"[[application]]\nid = '{ONE}'\ntokens = ['a']\n[[application]]\nid = '{OTHER}'\ntokens = ['a']",
            "token is configured twice",
        ),
        (f"[[plivo]]\nauth_id = 'M'\nauth_token = 't'\napplication = '{ONE}'\n" * 2, "configured twice"),
        ("port = ", "is not TOML"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, content: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as refused:
        load(file_with(tmp_path, content))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"MEDIABRIDGE_PROT": "1"}, "unknown .* MEDIABRIDGE_PROT; did you mean MEDIABRIDGE_PORT?"),
        ({"MEDIABRIDGE_DATA": "x"}, "did you mean MEDIABRIDGE_DATA_DIR?"),
        ({"MEDIABRIDGE_APPLICATION_TOKN": "x"}, "did you mean MEDIABRIDGE_APPLICATION_TOKEN?"),
        ({"MEDIABRIDGE_PORT": "x"}, "MEDIABRIDGE_PORT must be a whole number"),
        ({"MEDIABRIDGE_WEBRTC_LOOPBACK_CANDIDATE": "maybe"}, "must be true or false, not 'maybe'"),
        ({"MEDIABRIDGE_APPLICATION_ID": ONE}, "belong together"),
        ({"MEDIABRIDGE_APPLICATION_TOKEN": "x"}, "belong together"),
        ({"MEDIABRIDGE_APPLICATION_ID": "x", "MEDIABRIDGE_APPLICATION_TOKEN": "y"}, "MEDIABRIDGE_APPL"),
        ({"MEDIABRIDGE_PLIVO_APPLICATION": ONE}, "needs MEDIABRIDGE_PLIVO_AUTH_ID"),
        ({"MEDIABRIDGE_CONFIG": "/nowhere/bridge.toml"}, "cannot read /nowhere/bridge.toml: No such file"),
        ({"MEDIABRIDGE_TRUSTED_PROXIES": "[1"}, "MEDIABRIDGE_TRUSTED_PROXIES must be"),
    ],
)
def test_a_mistake_in_the_environment_is_named_by_its_variable(
    environment: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        load(None, environment)


def test_a_plivo_account_must_say_its_application_when_there_are_several(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must say which application"):
        load(file_with(tmp_path, EVERYTHING.replace(f'application = "{ONE}"\n', "")))
    with pytest.raises(ConfigError, match=f"did you mean {ONE}"):
        load(
            file_with(tmp_path, EVERYTHING.replace(f'application = "{ONE}"', f'application = "{ONE[:-1]}5"'))
        )


SECRETS = ["first-token-of-one", "token-of-other", "plivo-token", "turn-pass", "hunter22"]


def test_no_secret_is_in_the_repr_and_all_are_listed_for_the_log(tmp_path: Path) -> None:
    config = load(
        file_with(tmp_path, EVERYTHING), {"MEDIABRIDGE_DATABASE_URL": "postgresql://a:hunter22@b/c"}
    )
    listed = list(config.secrets())
    for hidden in SECRETS:
        assert hidden not in repr(config) and hidden not in str(config)
        assert hidden in listed


@pytest.mark.parametrize(
    "content",
    [
        f"[[application]]\nid = '{ONE}'\ntokens = ['hush hush', 'hush']",
        f"[[application]]\nid = '{ONE}'\ntokens = 'hush'",
        "[[plivo]]\nauth_id = 'M'\nauth_token = 'hush hush'",
        "[webrtc]\nice_servers = [{urls = 'turn:x', credential = 'hush'}]",
        "database_url = 'hush hush'",
    ],
)
def test_no_error_repeats_a_secret(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(file_with(tmp_path, content))
    assert "hush" not in str(refused.value)


def test_a_storages_encryption_and_tags_are_read(tmp_path: Path) -> None:
    storage = "[[storage]]\nname = 's'\nbucket = 'b'\n"
    written = storage + "encryption = 'kms'\ntags = ['team=calls', 'a=b=c', 'd=']"
    [place] = load(file_with(tmp_path, written)).storage
    assert (place.encryption, place.tags) == ("kms", (("team", "calls"), ("a", "b=c"), ("d", "")))
    for wrong in ("encryption = 'rot13'", "tags = ['team']", "tags = ['=x']", "tags = 'team=calls'"):
        with pytest.raises(ConfigError, match=r"storage\[0\].(encryption|tags) must be"):
            load(file_with(tmp_path, storage + wrong))


def test_loading_again_sees_a_changed_file_and_keeps_flags(tmp_path: Path) -> None:
    file = file_with(tmp_path, f"[[application]]\nid = '{ONE}'\ntokens = ['old']")
    config = load(file, {}, {"port": 7000})
    file_with(tmp_path, f"[[application]]\nid = '{ONE}'\ntokens = ['old', 'new']")
    again = load_again(config)
    assert again.port == 7000
    assert again.applications[0].tokens == (Secret("old"), Secret("new"))


def test_the_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().port = 1  # type: ignore[misc]


def test_by_default_the_state_is_kept_in_the_data_folder(tmp_path: Path) -> None:
    config = load(None, {}, {"data_dir": str(tmp_path)})
    assert config.store_url == f"sqlite+aiosqlite:///{tmp_path}/bridge.sqlite3"
