"""Plivo's names for audio formats: `contentType` or `encoding`, with the rate beside it or in it."""

from __future__ import annotations

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat, Encoding

L16_NAME = "audio/x-l16"
ULAW_NAME = "audio/x-mulaw"

CONTENT_TYPES = {
    "audio/x-l16;rate=8000": L16_8K,
    "audio/x-l16;rate=16000": L16_16K,
    "audio/x-mulaw;rate=8000": ULAW_8K,
}
"""Everything a stream can be asked to be (`contentType` of the `<Stream>` element)."""


def format_name(audio_format: AudioFormat) -> str:
    """The encoding as messages name it, without the rate."""
    return ULAW_NAME if audio_format.encoding is Encoding.ULAW else L16_NAME


def read_format(encoding: object, rate: object) -> AudioFormat | None:
    """The format meant, or None when it is not one of the three.

    `encoding` may carry `;rate=…`; `rate` may be a number, text, or missing, and wins over the other.
    """
    if not isinstance(encoding, str):
        return None
    name, _, rest = encoding.lower().replace(" ", "").partition(";")
    if rate is None or rate == "":
        rate = rest.removeprefix("rate=")
    try:
        rate_hz = int(float(str(rate)))
    except (ValueError, OverflowError):
        return None
    return CONTENT_TYPES.get(f"{name};rate={rate_hz}")
