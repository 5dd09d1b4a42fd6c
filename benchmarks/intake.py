"""The input pools: CPU time per row and 20 ms, taking and pushing, against one object a row.

    python benchmarks/intake.py [--json FILE] [--quick]

A steady load without network faults. "Taking" is one `take` of all rows, "pushing" one `push` each. Opus at
48 kHz: `talking` rows are decoded, `muted` ones hold coded silence, `unheard` ones nobody listens to.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from measure import Row, compared, options, report

from bridge.core.intake import OpusPool, PlayoutPool, PlayoutSettings, QueuePool, QueueSettings
from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat, Encoding
from mediacodecs.blas import use_one_thread
from mediacodecs.g711 import ulaw_decode, ulaw_encode
from mediacodecs.opus import OpusEncoder, OpusSettings

UNIT = "us/row"
TICK_S = 0.02


def _spent(
    push: Callable[[float], object], take: Callable[[float], object], ticks: int
) -> tuple[float, float]:
    """Median CPU time of pushing and of taking, in µs for all rows."""
    pushing, taking = [], []
    for tick in range(ticks):
        now = 100 + tick * TICK_S
        begin = time.process_time_ns()
        push(now)
        middle = time.process_time_ns()
        take(now + 0.01)
        taking.append(time.process_time_ns() - middle)
        pushing.append(middle - begin)
    # The first ticks fill what is filled once.
    return float(np.median(pushing[5:])) / 1e3, float(np.median(taking[5:])) / 1e3


def _payload(audio_format: AudioFormat) -> bytes:
    turn = 2 * np.pi * 440 * np.arange(audio_format.frame_samples) / audio_format.rate_hz
    sound = (8_000 * np.sin(turn)).astype("<i2")
    return ulaw_encode(sound).tobytes() if audio_format.encoding is Encoding.ULAW else sound.tobytes()


def _objects(audio_format: AudioFormat, rows: int, ticks: int) -> tuple[float, float]:
    """The obvious way: a queue of frames and an array for each row; no jitter, no concealment."""
    queues: list[deque[bytes]] = [deque(maxlen=50) for _ in range(rows)]
    block = np.zeros((rows, audio_format.frame_samples), np.float32)
    payload = _payload(audio_format)

    def push(now: float) -> None:
        for queue in queues:
            queue.append(payload)

    def take(now: float) -> None:
        for row, queue in enumerate(queues):
            if queue:
                frame = queue.popleft()
                if audio_format.encoding is Encoding.ULAW:
                    block[row] = ulaw_decode(np.frombuffer(frame, np.uint8))
                else:
                    block[row] = np.frombuffer(frame, "<i2")
            else:
                block[row] = 0

    return _spent(push, take, ticks)


def playout(audio_format: AudioFormat, rows: int, ticks: int) -> Iterator[Row]:
    pool = PlayoutPool(audio_format, PlayoutSettings())
    opened = [pool.open() for _ in range(rows)]
    payload = _payload(audio_format)

    def push(now: float) -> None:
        for row in opened:
            pool.push(row, payload, now)

    yield from _against("playout", audio_format, rows, _spent(push, pool.take, ticks), ticks)


def queue(audio_format: AudioFormat, rows: int, ticks: int) -> Iterator[Row]:
    pool = QueuePool(audio_format, QueueSettings())
    opened = [pool.open() for _ in range(rows)]
    payload = _payload(audio_format)

    def push(now: float) -> None:
        for row in opened:
            pool.play(row, payload)

    yield from _against("play queue", audio_format, rows, _spent(push, pool.take, ticks), ticks)


def _against(
    what: str, audio_format: AudioFormat, rows: int, spent: tuple[float, float], ticks: int
) -> Iterator[Row]:
    pushing, taking = _objects(audio_format, rows, ticks)
    name = f"{what} {audio_format.encoding} {audio_format.rate_hz // 1000}k"
    yield compared(f"{name} pushing", f"N={rows}", spent[0] / rows, UNIT, "objects", pushing / rows)
    yield compared(f"{name} taking", f"N={rows}", spent[1] / rows, UNIT, "objects", taking / rows)


def opus(kind: str, rows: int, ticks: int) -> Iterator[Row]:
    pool = OpusPool(48_000, PlayoutSettings())
    opened = [pool.open() for _ in range(rows)]
    encoder = OpusEncoder(48_000, OpusSettings(application="voip", fec=True, expected_loss=10))
    loud = 0 if kind == "muted" else 8_000
    turn = 2 * np.pi * 440 * np.arange(960 * ticks) / 48_000
    sound = (loud * np.sin(turn)).astype(np.int16)
    packets = [encoder.encode(sound[at : at + 960]) for at in range(0, len(sound), 960)]
    pool.wanted[:] = kind != "unheard"
    number = 0

    def push(now: float) -> None:
        nonlocal number
        for row in opened:
            pool.push(row, packets[number], number & 0xFFFF, number * 960, now)
        number += 1

    pushing, taking = _spent(push, pool.take, ticks)
    yield {"what": f"Opus {kind} pushing", "size": f"N={rows}", UNIT: pushing / rows}
    yield {"what": f"Opus {kind} taking", "size": f"N={rows}", UNIT: taking / rows}


def main() -> None:
    asked = options(__doc__, quick="fewer sizes and shorter rounds")
    use_one_thread()
    ticks = 60 if asked.quick else 200
    sizes = (100,) if asked.quick else (10, 100, 1000)
    rows: list[Row] = []
    for audio_format in (ULAW_8K, L16_8K, L16_16K):
        rows += [row for size in sizes for row in playout(audio_format, size, ticks)]
    rows += [row for size in sizes for row in queue(L16_16K, size, ticks)]
    for kind in ("talking", "muted", "unheard"):
        rows += [row for size in sizes for row in opus(kind, size, ticks)]
    report("CPU time per row and 20 ms", sorted(rows, key=lambda row: str(row["what"])), asked.json)


if __name__ == "__main__":
    main()
