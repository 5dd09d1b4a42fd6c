"""Live HLS over HTTP: read by ffprobe, by PyAV, by a player of parts, and by people with slow lines."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from urllib.parse import urlencode

import av
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from bridge.outputs.live_wire import Caption, CaptionSpec, HlsSpec, PictureSpec, SoundSpec
from tests.kit.hls_reader import ReadPlaylist, faults, read
from tests.kit.live_room import FRAME, RATE
from tests.kit.needs import program
from tests.kit.served_hls import CHUNK_TICKS, served_hls
from tests.kit.tones import click_score, find_tones, tone

pytestmark = pytest.mark.e2e

SPECS = {
    "ts": HlsSpec("ts", segment_s=2.0, kind="event"),
    "fmp4": HlsSpec("fmp4", segment_s=2.0, kind="event"),
    "opus": HlsSpec("fmp4", SoundSpec("opus"), segment_s=2.0, kind="event"),
    "ts-picture": HlsSpec("ts", picture=PictureSpec(320, 180), segment_s=2.0, kind="event"),
    "fmp4-picture": HlsSpec(picture=PictureSpec(320, 180), segment_s=2.0, part_s=0.5, kind="event"),
}


async def ffprobe(url: str) -> dict[str, dict[str, str]]:
    """Streams by kind, with their packets counted."""
    process = await asyncio.create_subprocess_exec(
        program("ffprobe", "ffmpeg"), "-v", "error", "-count_packets", "-show_streams", "-of", "json", url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0 and err == b"", err.decode()
    return {stream["codec_type"]: stream for stream in json.loads(out)["streams"]}


def decode(url: str) -> NDArray[np.float32]:
    with av.open(url) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) * 32_768


@pytest.mark.parametrize("name", SPECS)
async def test_others_programs_read_what_we_serve(tmp_path: Path, name: str) -> None:
    async with served_hls(tmp_path) as house:
        house.add(name, SPECS[name])
        house.hear(tone(600, 9.0, RATE))
        await house.finish(name)
        found = await ffprobe(house.url(name))
        assert found["audio"]["codec_name"] == ("opus" if name == "opus" else "aac")
        assert int(found["audio"]["nb_read_packets"]) == pytest.approx(
            9 * 50 if name == "opus" else 422, abs=3
        )
        if SPECS[name].picture is not None:
            assert (found["video"]["codec_name"], found["video"]["width"]) == ("h264", 320)
            assert int(found["video"]["nb_read_packets"]) == 90
        sound = await asyncio.to_thread(decode, house.url(name, "media.m3u8"))
        assert list(find_tones(sound[RATE : 8 * RATE], RATE)) == [600]
        assert click_score(sound[RATE : 8 * RATE], RATE, 600) < 0.5


class PartPlayer:
    """Follows a low-latency stream as a player does: blocking reloads, delta updates, parts."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self.http, self.url = http, url
        self.playlist: ReadPlaylist | None = None
        self.parts: list[str] = []
        self.content: dict[str, bytes] = {}
        self.came: list[tuple[str, float]] = []
        self.faults: list[str] = []

    async def follow(self) -> None:
        while self.playlist is None or not self.playlist.ended:
            query = {}
            if self.playlist is not None:
                query["_HLS_msn"] = str(self.playlist.last_sequence + 1)
                query["_HLS_part"] = str(len(self.playlist.open_parts))
                query["_HLS_skip"] = "YES"
            answer = await self.http.get(f"{self.url}/media.m3u8?{urlencode(query)}")
            if answer.status_code == 404 and self.playlist is None:
                await asyncio.sleep(0.1)
                continue
            assert answer.status_code == 200, answer.text
            newer = read(answer.text, self.playlist)
            self.faults += faults(newer, self.playlist)
            uris = newer.part_uris()
            new = uris if not self.parts else uris[uris.index(self.parts[-1]) + 1 :]
            self.playlist = newer
            for uri in new:
                self.came.append((uri, time.time() * 1_000))
                part = await self.http.get(f"{self.url}/{uri}")
                assert part.status_code == 200
                self.content[uri] = part.content
                self.parts.append(uri)


def steady(tick: int) -> NDArray[np.int16]:
    """A tone that goes on from chunk to chunk."""
    times = (np.arange(CHUNK_TICKS * FRAME) + tick * FRAME) / RATE
    return (8_000 * np.sin(2 * np.pi * 600 * times)).astype(np.int16)


async def test_a_player_of_parts_hears_everything_once_and_soon(tmp_path: Path) -> None:
    async with served_hls(tmp_path) as house, httpx.AsyncClient(timeout=20) as http:
        spec = HlsSpec("fmp4", segment_s=2.0, part_s=0.3, captions=CaptionSpec())
        live = house.add("low", spec)
        plain = house.add("plain", HlsSpec("ts", segment_s=2.0))
        living = asyncio.create_task(house.go_live(steady))
        players = [PartPlayer(http, house.url("low", "").rstrip("/")) for _ in range(5)]
        following = [asyncio.create_task(player.follow()) for player in players]
        await asyncio.sleep(9)  # as long as it takes for a few segments
        living.cancel()
        await house.finish("low")
        await asyncio.wait_for(asyncio.gather(*following), 10)
        for player in players:
            assert player.faults == []
            assert len(player.parts) == len(set(player.parts)) >= 25
            numbers = [tuple(map(int, uri[1:-4].split("."))) for uri in player.parts]
            assert numbers == sorted(numbers)
        player = players[0]
        header = (await http.get(house.url("low", player.playlist.segments[0].map_uri))).content  # type: ignore
        whole = header + b"".join(player.content[uri] for uri in player.parts)
        (tmp_path / "all.mp4").write_bytes(whole)
        sound = await asyncio.to_thread(decode, str(tmp_path / "all.mp4"))
        assert click_score(sound[RATE : 7 * RATE], RATE, 600) < 0.5
        figures = live.stream.figures()
        assert figures.delay_p50_ms is not None and figures.delay_p50_ms < 400
        assert plain.stream.figures().delay_p50_ms is not None


async def test_a_hinted_part_comes_when_it_is_there_and_not_before(tmp_path: Path) -> None:
    async with served_hls(tmp_path) as house, httpx.AsyncClient(timeout=20) as http:
        house.add("low", HlsSpec("fmp4", segment_s=2.0, part_s=0.5))
        living = asyncio.create_task(house.go_live(steady))
        await asyncio.sleep(2.6)
        playlist = read((await http.get(house.url("low", "media.m3u8"))).text)
        assert playlist.hint is not None
        hinted = await http.get(house.url("low", playlist.hint))
        assert hinted.status_code == 200
        newer = read((await http.get(house.url("low", "media.m3u8"))).text)
        assert playlist.hint in newer.part_uris()
        living.cancel()


async def test_a_slow_reader_holds_up_nobody(tmp_path: Path) -> None:
    async with served_hls(tmp_path) as house, httpx.AsyncClient(timeout=20) as http:
        spec = HlsSpec("ts", SoundSpec(bitrate=256_000), PictureSpec(1280, 720, 30, 3_000_000), segment_s=4.0)
        live = house.add("big", spec)
        noise = np.random.default_rng(0).integers(-8_000, 8_000, 9 * RATE).astype(np.float32)
        house.hear(noise)
        await house.finish("big", 60)
        host, port = house.http.removeprefix("http://").split(":")
        slow = []
        for _ in range(20):
            reader, writer = await asyncio.open_connection(host, int(port), limit=1_024)
            writer.write(b"GET /hls/big/s0.ts HTTP/1.1\r\nHost: x\r\n\r\n")
            slow.append((reader, writer))
        await asyncio.sleep(0.2)
        began = time.perf_counter()
        answer = await http.get(house.url("big", "s0.ts"))
        assert answer.status_code == 200 and time.perf_counter() - began < 1
        assert answer.content == (live.directory / "s0.ts").read_bytes()  # noqa: ASYNC240
        for reader, _ in slow[:3]:
            head = await reader.readuntil(b"\r\n\r\n")
            assert f"content-length: {len(answer.content)}".encode() in head.lower()
            assert await reader.readexactly(len(answer.content)) == answer.content
        for _, writer in slow:
            writer.close()


async def test_the_web_says_what_players_need(tmp_path: Path) -> None:
    async with served_hls(tmp_path) as house, httpx.AsyncClient(timeout=20) as http:
        house.add("open", HlsSpec("fmp4", segment_s=2.0, window=20))
        house.add("closed", HlsSpec("fmp4", segment_s=2.0), token="tok-1")
        house.hear(tone(600, 9.5, RATE))
        await house.finish("open")
        await house.finish("closed")
        url = house.url("open", "media.m3u8")
        answer = await http.get(url, headers={"Accept-Encoding": "gzip", "Origin": "https://player.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["content-encoding"] == "gzip"
        plain = await http.get(url, headers={"Accept-Encoding": "identity"})
        assert plain.text == answer.text and "content-encoding" not in plain.headers
        head = await http.head(house.url("open", "s0.m4s"))
        assert head.status_code == 200 and head.content == b""
        assert int(head.headers["content-length"]) == (tmp_path / "open" / "s0.m4s").stat().st_size  # noqa: ASYNC240
        preflight = await http.options(url, headers={"Access-Control-Request-Method": "GET"})
        assert preflight.status_code == 204 and "GET" in preflight.headers["access-control-allow-methods"]
        assert (await http.get(house.url("closed"))).status_code == 403
        assert (await http.get(house.url("closed") + "?token=tok-1")).status_code == 200
        found = await ffprobe(house.url("closed", "t/tok-1/index.m3u8"))
        assert found["audio"]["codec_name"] == "aac"
        found = await ffprobe(house.url("closed") + "?token=tok-1")
        assert found["audio"]["codec_name"] == "aac"
        for path in ("%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "s0.m4s%0d%0aX: y"):
            assert (await http.get(house.url("open", path))).status_code == 404


async def test_captions_come_over_http(tmp_path: Path) -> None:
    async with served_hls(tmp_path) as house, httpx.AsyncClient(timeout=20) as http:
        house.add(
            "said", HlsSpec("fmp4", segment_s=2.0, kind="event", captions=CaptionSpec("de-DE", "Deutsch"))
        )
        house.hear(tone(600, 3.0, RATE))
        house.encoder.caption(Caption(100, 160, "Grüß Gott <allerseits>", "Änne"))
        house.hear(tone(600, 5.0, RATE))
        await house.finish("said")
        master = (await http.get(house.url("said"))).text
        assert 'LANGUAGE="de-DE",NAME="Deutsch"' in master
        captions = read((await http.get(house.url("said", "captions.m3u8"))).text)
        assert captions.ended and captions.kind == "VOD"
        texts = [await http.get(house.url("said", segment.uri)) for segment in captions.segments]
        assert all(text.headers["content-type"] == "text/vtt; charset=utf-8" for text in texts)
        assert "<v Änne>Grüß Gott &lt;allerseits&gt;</v>" in texts[1].text
        found = await ffprobe(house.url("said", captions.segments[1].uri))
        assert found["subtitle"]["codec_name"] == "webvtt"
