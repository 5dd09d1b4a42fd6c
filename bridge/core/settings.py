"""Everything about the mixer that can be chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.core.gate import GateSettings
from bridge.core.intake import PlayoutSettings, QueueSettings
from bridge.core.limiter import LimiterSettings
from bridge.core.meter import MeterSettings
from mediacodecs.opus import OpusSettings
from mediacodecs.resample import RATES_HZ


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """The defaults are what the benchmarks were run with."""

    opus_rate_hz: int = 48_000
    """Rate at which Opus is decoded and encoded, unless a room runs at a higher one."""
    playout: PlayoutSettings = field(default_factory=PlayoutSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    opus: OpusSettings = field(default_factory=OpusSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    meter: MeterSettings = field(default_factory=MeterSettings)
    limiter: LimiterSettings = field(default_factory=LimiterSettings)

    def __post_init__(self) -> None:
        if self.opus_rate_hz not in RATES_HZ:
            raise ValueError(f"the mixer runs at {', '.join(map(str, RATES_HZ))} Hz, not {self.opus_rate_hz}")
