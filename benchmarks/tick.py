"""One tick from intake to outlet, without sockets and Opus, beside the obvious mixer of objects.

    python benchmarks/tick.py [--json FILE] [--quick]

Rooms of 2 to 8 people, as many of each size as make up the number; everybody sends a frame every 20 ms
(speech, or silence) into a playout buffer and is given his mix-minus as a frame. `mixed` rooms run at 48 kHz:
every second person is a phone call at 8 kHz, resampled both ways, the others send 48 kHz and get what would
be encoded (the encoding itself is left out). Times are CPU time of the thread that ticks, so that other work
on the machine disturbs little; `wall p99` is what passed meanwhile, and shows it.

The obvious mixer has an object for each participant, with a deque of NumPy frames; it sums a room up, takes
each one's own away, clips and packs. It has no playout buffer, gate, levels, limiter or resampling.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
from measure import Row, options, report
from numpy.typing import NDArray

from bridge.core.mixbus import CoreSettings, MixBus
from bridge.core.ports import L16_8K, AudioFormat, AudioInput, Encoding
from mediacodecs.blas import use_one_thread

L16_48K = AudioFormat(Encoding.L16, 48_000)
SIZES = (2, 3, 4, 5, 6, 7, 8)
WARM_TICKS = 60
GOAL_MS = 5.0


class Participant:
    def __init__(self, voice: NDArray[np.int16]) -> None:
        self.voice = voice
        self.frames: deque[NDArray[np.int32]] = deque(maxlen=50)

    def push(self, payload: bytes) -> None:
        self.frames.append(np.frombuffer(payload, np.int16).astype(np.int32))


class ObviousMixer:
    """What one writes first."""

    def __init__(self) -> None:
        self.rooms: list[list[Participant]] = []

    def tick(self, samples: int) -> list[bytes]:
        sent = []
        for room in self.rooms:
            frames = [person.frames.popleft() if person.frames else None for person in room]
            total = np.zeros(samples, np.int32)
            for frame in frames:
                if frame is not None:
                    total += frame
            for frame in frames:
                mix = total if frame is None else total - frame
                sent.append(np.clip(mix, -32_768, 32_767).astype(np.int16).tobytes())
        return sent


def speech(rate_hz: int, seed: int) -> NDArray[np.int16]:
    """[100 frames, S] of noise that swells and ebbs like syllables."""
    random = np.random.default_rng(seed)
    samples = rate_hz * 2
    swell = np.abs(np.sin(np.arange(samples) / rate_hz * 2 * np.pi * random.uniform(1.5, 3)))
    return np.asarray(random.standard_normal(samples) * swell * 1_500, np.int16).reshape(100, -1)


def sizes(people: int) -> list[int]:
    """Rooms of 2…8 that hold so many people together."""
    rooms: list[int] = []
    while people > 0:
        size = min(SIZES[len(rooms) % len(SIZES)], people)
        rooms.append(size)
        people -= size
    return rooms


def our_ticks(people: int, kind: str, sounding: float, ticks: int) -> NDArray[np.float64]:
    """[ticks, 2]: milliseconds of CPU and wall time of each tick of ours."""
    bus = MixBus(CoreSettings())
    voices = {rate: [speech(rate, seed) for seed in range(8)] for rate in (8_000, 48_000)}
    silence = {rate: bytes(rate // 50 * 2) for rate in voices}
    random = np.random.default_rng(0)
    pushes: list[tuple[AudioInput, list[bytes]]] = []
    number = 0
    for index, size in enumerate(sizes(people)):
        room = f"room {index}"
        bus.open_room(room)
        for seat in range(size):
            slot = str(seat)
            phone = kind == "phone" or seat % 2 == 0
            audio_format = L16_8K if phone else L16_48K
            bus.open_slot(room, slot)
            source = bus.open_playout(room, slot, audio_format)
            if phone:
                bus.open_frame_outlet(room, slot, audio_format)
            else:
                bus.open_packet_outlet(room, slot)
            rate = audio_format.rate_hz
            talks = random.random() < sounding
            voice = voices[rate][number % 8]
            frames = [frame.tobytes() for frame in voice] if talks else [silence[rate]] * 100
            shift = number * 13 % 100
            pushes.append((source, frames[shift:] + frames[:shift]))
            number += 1
    now = 100.0
    spent: list[tuple[float, float]] = []
    for tick in range(WARM_TICKS + ticks):
        for source, frames in pushes:
            source.push(frames[tick % 100], now)
        now += 0.02
        spent.append(timed(partial(bus.tick, now)))
    return np.array(spent[WARM_TICKS:]) * 1e3


def obvious_ticks(people: int, kind: str, sounding: float, ticks: int) -> NDArray[np.float64]:
    """The same for the obvious mixer, all at one rate; `sounding` changes nothing for it."""
    rate = 8_000 if kind == "phone" else 48_000
    voices = [speech(rate, seed) for seed in range(8)]
    mixer, everybody = ObviousMixer(), []
    for size in sizes(people):
        room = [Participant(voices[(len(everybody) + seat) % 8]) for seat in range(size)]
        mixer.rooms.append(room)
        everybody += room
    spent: list[tuple[float, float]] = []
    for tick in range(5 + ticks):
        for person in everybody:
            person.push(person.voice[tick % 100].tobytes())
        spent.append(timed(partial(mixer.tick, rate // 50)))
    return np.array(spent[5:]) * 1e3


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """CPU time of this thread and time passed, in seconds."""
    wall, cpu = time.perf_counter(), time.thread_time()
    call()
    return time.thread_time() - cpu, time.perf_counter() - wall


def main() -> None:
    asked = options(__doc__, quick="fewer ticks")
    use_one_thread()  # as the server does
    ticks = 60 if asked.quick else 400
    rows: list[Row] = []
    for kind, sounding in (("phone", 0.3), ("phone", 1.0), ("mixed", 0.3), ("mixed", 1.0)):
        for people in (100, 1_000, 4_000):
            ours, obvious = (run(people, kind, sounding, ticks) for run in (our_ticks, obvious_ticks))
            p50, p99 = (float(np.percentile(ours[:, 0], share)) for share in (50, 99))
            obvious_p50, obvious_p99 = (float(np.percentile(obvious[:, 0], share)) for share in (50, 99))
            rows.append(
                {
                    "rooms": kind,
                    "sounding": f"{sounding:.0%}",
                    "people": f"{people:,}",
                    "p50 ms": p50,
                    "p99 ms": p99,
                    "wall p99": float(np.percentile(ours[:, 1], 99)),
                    "obvious p50": obvious_p50,
                    "obvious p99": obvious_p99,
                    "times": obvious_p50 / p50,
                    "goal": ("met" if p99 <= GOAL_MS else "missed") if people == 1_000 else "",
                }
            )
    title = f"One tick, intake to outlet, without sockets and Opus (goal: p99 ≤ {GOAL_MS:g} ms at 1,000)"
    report(title, rows, asked.json)


if __name__ == "__main__":
    main()
