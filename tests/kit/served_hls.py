"""Live HLS as it runs: an encoder process, a shelf, a web server; sound comes as fast as a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from numpy.typing import NDArray

from bridge.outputs.hls_shelf import HlsShelf, token_digest
from bridge.outputs.hls_stream import HlsStream
from bridge.outputs.live_encoder import LiveEncoder
from bridge.outputs.live_hls import LiveHls
from bridge.outputs.live_wire import HlsSpec
from bridge.outputs.record import PROGRAM, Begun, Joined, Record, Sound, Talked
from bridge.web.hls import HlsPages
from tests.kit.live_room import FRAME
from tests.kit.served import served

CHUNK_TICKS = 5


class LiveHouse:
    """`http` is where it is served. Feed it with `hear`, at once, or with `go_live`, as time passes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.http = ""
        self.shelf = HlsShelf()
        self.encoder = LiveEncoder("room", "Live")
        self.lives: dict[str, LiveHls] = {}
        self.tick = 0
        self.began_ms = 0

    def add(self, name: str, spec: HlsSpec, *, token: str | None = None) -> LiveHls:
        folder = self.directory / name
        folder.mkdir(mode=0o700)
        stream = HlsStream(spec, lambda: time.time() * 1_000)
        digest = None if token is None else token_digest(token)
        live = self.lives[name] = LiveHls(name, stream, folder, self.shelf, token=digest)
        self.encoder.add(name, live)
        return live

    def url(self, name: str, path: str = "index.m3u8") -> str:
        return f"{self.http}/hls/{name}/{path}"

    def pass_on(self, pcm: NDArray[np.int16]) -> None:
        """A chunk of whole ticks."""
        since, self.tick = self.tick, self.tick + len(pcm) // FRAME
        records: list[Record] = []
        if since == 0:
            self.began_ms = self.began_ms or round(time.time() * 1_000)
            records += [
                Begun("r", "room", 0, self.began_ms),
                Joined(0, "ann", "Ann"),
                Joined(0, "bob", "Боб"),
            ]
        if since % 100 == 0:
            records.append(Talked(since, "ann", since % 200 == 0))
        self.encoder.passed(since, self.tick, [*records, Sound(PROGRAM, since, pcm.astype("<i2").tobytes())])

    def hear(self, sound: NDArray[np.float32]) -> None:
        """All of it at once; the encoder has a queue for ten seconds."""
        pcm = sound.astype(np.int16)
        for at in range(0, len(pcm), CHUNK_TICKS * FRAME):
            self.pass_on(pcm[at : at + CHUNK_TICKS * FRAME])

    async def go_live(self, sound: Callable[[int], NDArray[np.int16]]) -> None:
        """Until cancelled, as time passes: `sound` gives the chunk that begins at a tick."""
        loop = asyncio.get_running_loop()
        began, first = loop.time(), self.tick
        if first == 0:
            self.began_ms = round(time.time() * 1_000)
        while True:
            # A chunk is there when its last sample has sounded.
            await asyncio.sleep(began + (self.tick - first + CHUNK_TICKS) * 0.02 - loop.time())
            self.pass_on(sound(self.tick))

    async def finish(self, name: str, within_s: float = 20) -> None:
        self.encoder.remove(name)
        async with asyncio.timeout(within_s):
            await self.lives[name].closed.wait()


@contextlib.asynccontextmanager
async def served_hls(directory: Path) -> AsyncIterator[LiveHouse]:
    house = LiveHouse(directory)
    app = FastAPI()
    app.include_router(HlsPages(house.shelf).router())
    app.add_api_route("/player", lambda: HTMLResponse("<!doctype html><link rel=icon href=data:><body>"))
    await house.encoder.start()
    try:
        async with served([], app=app) as server:
            house.http = server.http
            try:
                yield house
            finally:
                house.shelf.close()
    finally:
        await house.encoder.stop()
