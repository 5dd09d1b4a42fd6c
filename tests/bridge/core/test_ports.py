from __future__ import annotations

import pytest

from bridge.core.ports import L16_8K, L16_16K, OPUS, ULAW_8K, AudioFormat

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("audio_format", "title"),
    [(L16_16K, "L16 16 kHz"), (L16_8K, "L16 8 kHz"), (ULAW_8K, "µ-law 8 kHz"), (OPUS, "Opus")],
)
def test_a_format_reads_well(audio_format: AudioFormat, title: str) -> None:
    assert audio_format.title == title
