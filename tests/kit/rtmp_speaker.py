"""`python -m tests.kit.rtmp_speaker URL HZ SECONDS`: publishes a tone and a picture in real time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def speaking(url: str, frequency_hz: int, seconds: float = 60.0) -> Iterator[subprocess.Popen[bytes]]:
    """In a process of its own, killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.kit.rtmp_speaker", url, str(frequency_hz), str(seconds)], cwd=ROOT
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def main(url: str, frequency_hz: int, seconds: float) -> None:
    import av
    import numpy as np

    from tests.kit.tones import tone

    sound = tone(frequency_hz, seconds, 48_000, 8_000).astype(np.float32) / 32_768
    with av.open(url, "w", format="flv") as output:
        stream = output.add_stream("aac", rate=48_000, layout="mono")
        video = output.add_stream("libx264", rate=10, options={"preset": "ultrafast", "tune": "zerolatency"})
        video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"  # type: ignore[union-attr]
        begin, shown = time.monotonic(), 0
        picture = np.zeros((90, 160, 3), np.uint8)
        for at in range(0, len(sound) - 1024, 1024):
            time.sleep(max(begin + at / 48_000 - time.monotonic(), 0))
            frame = av.AudioFrame.from_ndarray(sound[None, at : at + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, at
            output.mux(stream.encode(frame))  # type: ignore[union-attr]
            while shown * 4_800 <= at:
                picture[:] = shown % 255
                output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))  # type: ignore[union-attr]
                shown += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
