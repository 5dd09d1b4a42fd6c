"""The door to libopus: finds the library, declares its functions, turns its error codes into exceptions.

PyAV's wheels carry a recent libopus and PyAV is always installed, so that copy is taken first; the system's
is the second choice. Calls go through `CDLL`, which lets other threads run Python meanwhile.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

APPLICATIONS = {"voip": 2048, "audio": 2049, "lowdelay": 2051}
"""What `OpusSettings.application` may be, as libopus numbers it."""

SET_BITRATE = 4002
SET_VBR = 4006
SET_COMPLEXITY = 4010
SET_INBAND_FEC = 4012
SET_PACKET_LOSS_PERC = 4014
SET_DTX = 4016
SET_SIGNAL = 4024
GET_LOOKAHEAD = 4027
RESET_STATE = 4028
SIGNAL_VOICE = 3001

BAD_ARG = -1
INVALID_PACKET = -4

_MEANINGS = {
    -1: "bad argument",
    -2: "buffer too small",
    -3: "internal error",
    -4: "corrupt packet",
    -5: "not implemented",
    -6: "invalid state",
    -7: "out of memory",
}


class OpusUnavailable(Exception):
    """There is no libopus on this machine; the text says what to install."""


class OpusError(Exception):
    """libopus refused: a corrupt packet, or an argument it does not take."""

    def __init__(self, code: int, doing: str) -> None:
        super().__init__(f"Opus {doing}: {_MEANINGS.get(code, f'error {code}')}")
        self.code = code


@cache
def libopus() -> ctypes.CDLL:
    """The library with its functions declared; raises OpusUnavailable."""
    tried = []
    for path in _candidates():
        try:
            return _declared(ctypes.CDLL(path))
        except (OSError, AttributeError) as error:  # not loadable, or not libopus
            tried.append(str(error))
    reasons = "".join(f"\n  tried: {text}" for text in tried)
    raise OpusUnavailable(
        "libopus is not to be found. Install PyAV from its wheel (pip install av), "
        f"or the system's library (Debian: apt install libopus0; macOS: brew install opus).{reasons}"
    )


def opus_version() -> str:
    """What libopus calls itself, such as `libopus 1.6.1`; raises OpusUnavailable."""
    text: bytes = libopus().opus_get_version_string()
    return text.decode("ascii", "replace")


def _candidates() -> Iterator[str]:
    """Paths and names to try, best first."""
    package = importlib.util.find_spec("av")
    if package is not None and package.origin is not None:
        folder = Path(package.origin).parent
        # Where the wheel tools of Linux, macOS and Windows put bundled libraries.
        for place, pattern in (
            (folder.parent / "av.libs", "libopus[-.]*.so*"),
            (folder / ".dylibs", "libopus.*dylib"),
            (folder.parent / "av.libs", "*opus-*.dll"),
        ):
            yield from sorted(str(path) for path in place.glob(pattern))
    system = ctypes.util.find_library("opus")
    if system is not None:
        yield system


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """`library` with the types of what we call; raises AttributeError when a function is missing."""
    pointer, number = ctypes.c_void_p, ctypes.c_int
    for name, arguments in (
        ("opus_encoder_get_size", [number]),
        ("opus_encoder_init", [pointer, number, number, number]),
        ("opus_encode", [pointer, pointer, number, pointer, number]),
        ("opus_encoder_ctl", [pointer, number]),
        ("opus_decoder_get_size", [number]),
        ("opus_decoder_init", [pointer, number, number]),
        ("opus_decode", [pointer, pointer, number, pointer, number, number]),
        ("opus_decoder_ctl", [pointer, number]),
    ):
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = number
    library.opus_get_version_string.argtypes = []
    library.opus_get_version_string.restype = ctypes.c_char_p
    return library
