"""One parameter of a request of the stream API, by its kind. Pure; raises BadInput, which names it.

`asked` holds the parameters by their `plain` names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import UUID

from bridge.errors import BadInput
from bridge.people import Role

MAX_TAGS = 200

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")
_TAGS = frozenset((*(role.value for role in Role), "person", "bot"))
_BROKEN = re.compile(r"[\x00-\x20\x7f]")


def plain(name: str) -> str:
    """Names are read without regard to case and `_`."""
    return name.lower().replace("_", "")


def text_of(asked: Mapping[str, object], name: str) -> str:
    """Without white space around it; empty where it is left out."""
    value = asked.get(plain(name), "")
    if not isinstance(value, str):
        raise BadInput(f"{name} must be a text")
    return value.strip()


def flag_of(asked: Mapping[str, object], name: str, otherwise: bool = False) -> bool:
    """A truth value, also as a text or a number."""
    value = asked.get(plain(name), otherwise)
    if isinstance(value, bool):
        return value
    written = str(value).strip().lower() if isinstance(value, str | int) else None
    if written in _TRUE:
        return True
    if written in _FALSE:
        return False
    raise BadInput(f"{name} must be true or false")


def choice_of(asked: Mapping[str, object], name: str, allowed: tuple[str, ...], otherwise: str) -> str:
    """One of `allowed`, without regard to case and white space."""
    value = re.sub(r"\s", "", text_of(asked, name)).lower() or otherwise
    if value not in allowed:
        raise BadInput(f"{name} must be one of {', '.join(allowed)}")
    return value


def is_url(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether it can be dialled, as far as its form says."""
    if _BROKEN.search(url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def tags_of(asked: Mapping[str, object], name: str) -> frozenset[str] | None:
    """Participant ids, roles, `person`, `bot`: a list, or with commas; None where it is left out."""
    value = asked.get(plain(name))
    if value is None:
        return None
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise BadInput(f"{name} must be a list of participant ids and roles")
    if len(items) > MAX_TAGS:
        raise BadInput(f"{name} must not have more than {MAX_TAGS} entries")
    return frozenset(_tag(name, item.strip()) for item in items if item.strip())


def _tag(name: str, written: str) -> str:
    if written.lower() in _TAGS:
        return written.lower()
    try:
        return str(UUID(written))
    except ValueError:
        raise BadInput(
            f"{name} may hold participant ids and {', '.join(sorted(_TAGS))}, and nothing else"
        ) from None
