"""Looks whether the bridge can run here, and says what to do where it cannot.

None of the checks changes anything that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bridge.config.tree import Config
from bridge.doctor import machine
from bridge.doctor import network as outside
from bridge.doctor import outputs as recorded
from bridge.doctor.finding import Finding, Verdict

CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    machine.python,
    machine.dependencies,
    machine.libopus,
    machine.processors,
    machine.clock,
    machine.open_files,
    machine.data_folder,
    recorded.coders,
    recorded.fonts,
    recorded.recordings_folder,
    recorded.storages,
    outside.tcp_ports,
    outside.udp_ports,
    outside.network,
    outside.tls,
    outside.accounts,
)


def check_all(config: Config) -> Iterator[Finding]:
    """Every check's findings one by one, in the order in which they should be mended."""
    for check in CHECKS:
        try:
            yield from check(config)
        except Exception as wrong:  # a check that breaks is a finding too, not the end of the others
            subject = check.__name__.replace("_", " ")
            yield Finding(Verdict.FAIL, subject, f"{type(wrong).__name__}: {wrong}")
