"""What has to be known before a call to a bot's socket can be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.core.ports import CallStart
from bridge.harness.measured_call import MeasuredCall


@dataclass(frozen=True, slots=True)
class Dialling:
    """Where a call's sound goes, and as what."""

    url: str = field(repr=False)
    start: CallStart
    http_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    bidirectional: bool = True


Place = Callable[[Dialling], MeasuredCall]
"""Makes a call that is not dialled yet."""
