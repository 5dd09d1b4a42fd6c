"""Where the configuration comes from: a TOML file, `MEDIABRIDGE_*` variables, flags; the later ones win.

Tables become underscores in variables: `limits.body_bytes` is `MEDIABRIDGE_LIMITS_BODY_BYTES`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bridge.config.kinds import APPLICATION_ID, TOKEN
from bridge.config.settings import ENVIRONMENT_PREFIX, checked, read, secret
from bridge.config.tree import Config, Origin
from bridge.errors import ConfigError

CONFIG_VARIABLE = "MEDIABRIDGE_CONFIG"
"""Names the file where no `--config` does."""

_APPLICATION_ID = "MEDIABRIDGE_APPLICATION_ID"
_APPLICATION_TOKEN = "MEDIABRIDGE_APPLICATION_TOKEN"
_PLIVO_AUTH_ID = "MEDIABRIDGE_PLIVO_AUTH_ID"
_PLIVO_AUTH_TOKEN = "MEDIABRIDGE_PLIVO_AUTH_TOKEN"
_PLIVO_APPLICATION = "MEDIABRIDGE_PLIVO_APPLICATION"
_OWN_VARIABLES = (
    CONFIG_VARIABLE,
    _APPLICATION_ID,
    _APPLICATION_TOKEN,
    _PLIVO_AUTH_ID,
    _PLIVO_AUTH_TOKEN,
    _PLIVO_APPLICATION,
)


def load(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """Read `file` (else the one that `MEDIABRIDGE_CONFIG` names), `environment`, and `flags` by field name.

    Flags that are None are left out. Raises ConfigError.
    """
    environment = {
        name: value
        for name, value in (environment or {}).items()
        if name.startswith(ENVIRONMENT_PREFIX) and value
    }
    flags = {name: value for name, value in (flags or {}).items() if value is not None}
    origin = Origin(file, environment, flags)
    rest = dict(environment)
    named = rest.pop(CONFIG_VARIABLE, None)
    if file is None and named:
        file = Path(named)
    table = _table_of(file) if file else {}
    _add_variable_application(table, rest)
    _add_variable_plivo(table, rest)
    # Flags replace what the file says, and hide the variable.
    for name, value in flags.items():
        kind = Config.__dataclass_fields__[name].metadata["kind"]
        checked(kind, value, f"--{name.removesuffix('_dir').replace('_', '-')}")
        table[name] = value
        rest.pop(ENVIRONMENT_PREFIX + name.upper(), None)
    config = read(Config, table, str(file or "configuration"), rest, _OWN_VARIABLES)
    return replace(config, origin=origin)


def load_again(config: Config) -> Config:
    """What the same sources say now. Raises ConfigError."""
    if config.origin is None:
        return config
    return load(config.origin.file, config.origin.environment, config.origin.flags)


def _table_of(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise ConfigError(f"cannot read {file}: {wrong.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as wrong:
        raise ConfigError(f"{file} is not TOML: {wrong}") from None


def _add_variable_application(table: dict[str, object], environment: dict[str, str]) -> None:
    """The application that two variables give joins the file's; with the same id it takes its place."""
    pair = _pair(environment, _APPLICATION_ID, _APPLICATION_TOKEN)
    if pair is not None:
        application_id = checked(APPLICATION_ID, pair[0], _APPLICATION_ID)
        checked(TOKEN, pair[1], _APPLICATION_TOKEN)
        _replace_entry(table, "application", "id", {"id": application_id, "tokens": [pair[1]]})


def _add_variable_plivo(table: dict[str, object], environment: dict[str, str]) -> None:
    pair = _pair(environment, _PLIVO_AUTH_ID, _PLIVO_AUTH_TOKEN)
    application = environment.pop(_PLIVO_APPLICATION, None)
    if pair is not None:
        entry: dict[str, object] = {"auth_id": pair[0], "auth_token": pair[1]}
        checked(secret(), pair[1], _PLIVO_AUTH_TOKEN)
        if application is not None:
            entry["application"] = checked(APPLICATION_ID, application, _PLIVO_APPLICATION)
        _replace_entry(table, "plivo", "auth_id", entry)
    elif application is not None:
        raise ConfigError(f"{_PLIVO_APPLICATION} needs {_PLIVO_AUTH_ID} and {_PLIVO_AUTH_TOKEN}")


def _pair(environment: dict[str, str], first: str, second: str) -> tuple[str, str] | None:
    one, other = environment.pop(first, None), environment.pop(second, None)
    if one is None and other is None:
        return None
    if one is None or other is None:
        raise ConfigError(f"{first} and {second} belong together: one of them is missing")
    return one, other


def _replace_entry(table: dict[str, object], key: str, name: str, entry: dict[str, object]) -> None:
    listed = table.get(key, [])
    if isinstance(listed, list):  # anything else is refused when the table is read
        rest = [item for item in listed if not (isinstance(item, dict) and item.get(name) == entry[name])]
        table[key] = [*rest, entry]
