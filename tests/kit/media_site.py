"""A web server with media on it: files, redirects, live streams, and playlists that go on by themselves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.kit.tones import tone

RATE_HZ = 48_000


@dataclass
class Page:
    """What a path answers; `pieces` in place of a body come as they are made, without a length."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Callable[[], AsyncIterator[bytes]] | None = None


@dataclass
class MediaSite:
    """`pages` has pages, and functions that make them when they are asked for."""

    port: int = 0
    pages: dict[str, Page | Callable[[], Page]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths, in order; with `range` where there was one."""
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def redirect(self, path: str, to: str) -> None:
        self.pages[path] = Page(status=302, headers={"Location": to})

    def folder(self, folder: Path, under: str = "") -> None:
        """Every file in it."""
        for file in folder.iterdir():
            self.pages[f"{under}/{file.name}"] = Page(file.read_bytes())

    def drop(self) -> None:
        """Lose all connections."""
        for task in self._serving:
            task.cancel()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                target = first.split(" ")[1]
                wanted = headers.get("range", "")
                self.asked.append(f"{target} {wanted}".strip())
                page = self.pages.get(target.partition("?")[0], Page(status=404))
                await self._answer(writer, page if isinstance(page, Page) else page(), wanted)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    async def _answer(self, writer: asyncio.StreamWriter, page: Page, wanted: str) -> None:
        status, body = page.status, page.body
        if wanted and status == 200:
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            status, body = 206, body[int(start) : int(end) + 1]
        told = {**page.headers}
        if page.pieces is None:
            told["Content-Length"] = str(len(body))
        else:
            told["Connection"] = "close"
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"HTTP/1.1 {status} x\r\n{head}\r\n".encode() + body)
        await writer.drain()
        if page.pieces is not None:
            async for piece in page.pieces():
                writer.write(piece)
                await writer.drain()
            raise ConnectionResetError


@asynccontextmanager
async def media_site() -> AsyncIterator[MediaSite]:
    """Ready inside."""
    site = MediaSite()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        site.drop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await server.wait_closed()


def hls_files(
    folder: Path, sound: NDArray[Any], *, segment_s: float = 1.0, name: str = "index", **options: str
) -> None:
    """`sound` [samples] at 48 kHz and int16 scale as HLS; `options` are the muxer's."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        "hls_time": str(segment_s),
        "hls_list_size": "0",
        "hls_playlist_type": "vod",
        "hls_segment_filename": str(folder / f"{name}%d.{'m4s' if 'hls_segment_type' in options else 'ts'}"),
        "hls_fmp4_init_filename": f"{name}-init.mp4",
        **options,
    }
    with av.open(str(folder / f"{name}.m3u8"), "w", format="hls", options=wanted) as output:
        _sound_into(output, sound)


def flv_file(path: Path, sound: NDArray[Any], *, picture: bool = True) -> bytes:
    """`sound` as FLV, with a picture beside it."""
    with av.open(str(path), "w", format="flv") as output:
        _sound_into(output, sound, picture=picture)
    return path.read_bytes()


def _sound_into(output: Any, sound: NDArray[Any], *, picture: bool = False) -> None:
    stream: Any = output.add_stream("aac", rate=RATE_HZ, layout="mono")
    stream.bit_rate = 128_000
    video: Any = None
    if picture:
        video = output.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "25"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
    frame = np.zeros((180, 320, 3), np.uint8)
    shown = 0
    for at in range(0, len(sound) // 1024 * 1024, 1024):
        while video is not None and shown * RATE_HZ < at * 25:
            frame[:] = shown % 255
            output.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            shown += 1
        piece = sound[at : at + 1024].astype(np.float32)[None, :] / 32_768
        made = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        made.sample_rate, made.pts = RATE_HZ, at
        output.mux(stream.encode(made))
    for one in (stream, video):
        if one is not None:
            output.mux(one.encode(None))


def flv_tags(flv: bytes) -> list[tuple[int, bytes]]:
    """(milliseconds, tag with its size) of all tags, in order."""
    found, at = [], 13
    while at + 11 <= len(flv):
        whole = 11 + int.from_bytes(flv[at + 1 : at + 4]) + 4
        stamp = int.from_bytes(flv[at + 4 : at + 7]) | flv[at + 7] << 24
        found.append((stamp, flv[at : at + whole]))
        at += whole
    return found


def live_flv(flv: bytes, burst_ms: int = 0) -> Callable[[], AsyncIterator[bytes]]:
    """The tags at the time they are for; the first `burst_ms` of them at once, as servers do."""

    async def pieces() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        yield flv[:13]
        for stamp, tag in flv_tags(flv):
            await asyncio.sleep(max(begin + (stamp - burst_ms) / 1000 - loop.time(), 0))
            yield tag

    return pieces


@dataclass
class LivePlaylist:
    """A sliding window over segments that were made before, moved on by the clock on the wall."""

    segments: list[tuple[float, str]]
    """(seconds, path)."""
    window: int = 4
    first: int = 0
    """Number that the first has."""
    header: str = ""
    """Path of what is read before."""
    stopped: bool = False
    _began: float = 0.0
    _shown: int = 0

    def page(self) -> Page:
        now = asyncio.get_running_loop().time()
        self._began = self._began or now
        if not self.stopped:
            passed, self._shown = now - self._began, self.window
            for seconds, _ in self.segments[self.window :]:
                passed -= seconds
                if passed < 0:
                    break
                self._shown += 1
        begin = max(self._shown - self.window, 0)
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{self.first + begin}"]
        if self.header:
            lines.append(f'#EXT-X-MAP:URI="{self.header}"')
        for seconds, path in self.segments[begin : self._shown]:
            lines += [f"#EXTINF:{seconds:.3f},", path]
        return Page("\n".join(lines).encode())


def segments_of(playlist: str) -> list[tuple[float, str]]:
    """(seconds, URI) of a playlist's segments."""
    lines = playlist.splitlines()
    return [
        (float(line[8:].rstrip(",")), lines[n + 1])
        for n, line in enumerate(lines)
        if line.startswith("#EXTINF")
    ]


def two_tones(seconds: float) -> NDArray[np.float32]:
    """440 Hz and 1500 Hz together, at 6000 each."""
    return tone(440, seconds, RATE_HZ, 6_000) + tone(1_500, seconds, RATE_HZ, 6_000)
