"""A server that records coded sound until it is killed: `python -m tests.kit.recording_server ROOT`.

Prints its scribe's process number once it is there, then, again and again, how many ticks are durable and
how many have been said. A tick is said every 2 ms here: ten times as fast as in a conference.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.kit.spoken_record import CHUNK, Notices, SpokenRecord


async def record(root: Path) -> None:
    writer = Notices().writer(root)
    await writer.start()
    spoken = SpokenRecord(writer, root)
    await spoken.on_disk(10.0)
    child = writer._scribe.child
    assert child is not None
    print(child.pid, flush=True)
    while True:
        spoken.say()
        print(spoken.figures.durable_ticks, spoken.tick, flush=True)
        await asyncio.sleep(CHUNK * 0.002)


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
