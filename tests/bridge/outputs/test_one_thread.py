from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

SCRIPT = """
import os
import numpy as np
from bridge.outputs.encoders import AudioEncoder, AudioSettings
from bridge.outputs.one_thread import use_one_thread

ONE and use_one_thread()
encoders = [AudioEncoder(AudioSettings(codec)) for codec in ("aac", "opus", "mp3") for _ in range(4)]
for encoder in encoders:
    encoder.encode(np.ones(48_000, np.int16))
print(len(os.listdir("/proc/self/task")))
"""


def threads_of(one: bool) -> int:
    script = SCRIPT.replace("ONE", str(one))
    environment = {"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    return int(done.stdout)


def test_encoders_of_sound_begin_no_threads() -> None:
    assert threads_of(True) == 1
