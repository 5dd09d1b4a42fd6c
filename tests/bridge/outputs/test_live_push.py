"""A push as the server keeps it: through a relay, again and again, and never with its key in any words."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from bridge.core.ports import PictureCoding, PushSpec, SoundCoding
from bridge.outputs.back_off import BackOff
from bridge.outputs.live_outputs import LiveOutput
from bridge.runtime.tls_out import client_context
from tests.kit.certificates import Authority
from tests.kit.live_house import LiveHouse, heard_in, times_in, tls_in_front
from tests.kit.rtmp_peer import rtmp_peer
from tests.kit.rtmp_server import RtmpServer, rtmp_server
from tests.kit.tones import find_tones

pytestmark = pytest.mark.wire

KEY = "very-secret-key"
QUERY = "token=hush-hush"
SOUND = SoundCoding("aac", 64_000)
PICTURE = PictureCoding(320, 180)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtmpServer]:
    with rtmp_server(tmp_path / "nginx") as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[LiveHouse]:
    house = LiveHouse(tmp_path)
    yield house
    await house.close()


def running(output: LiveOutput) -> Callable[[], bool]:
    return lambda: output.look().state == "running"


def troubled(output: LiveOutput) -> Callable[[], bool]:
    return lambda: output.look().state == "troubled"


def spec(url: str, picture: PictureCoding | None = None) -> PushSpec:
    return PushSpec(url, SOUND, picture)


async def test_it_runs_only_while_it_is_published(house: LiveHouse, server: RtmpServer) -> None:
    room = house.room()
    push = await room.start(spec(server.url("state")))
    assert push.kind == "rtmp" and push.look().state == "starting"
    await room.run_until(running(push))
    await room.run(1.0)
    figures = push.look().figures
    assert figures["connections"] == 1 and figures["bytes"] > 5_000 and push.look().trouble == ""
    await room.stop(push)
    assert push.look().state == "ended"
    await push.stop("stopped")


async def test_a_server_that_dies_gets_the_stream_again_in_step(house: LiveHouse, server: RtmpServer) -> None:
    room = house.room()
    push = await room.start(spec(server.url("again"), PICTURE))
    port = room.ports[push]
    await room.run_until(running(push))
    await room.run(2.0)
    server.stop()
    await room.run_until(troubled(push))
    await room.run(1.0)
    server.start_again()
    await room.run_until(running(push))
    await room.run(3.0)
    await room.stop(push)
    assert push.look().figures["connections"] == 2
    assert port.reports[0] == "the peer closed the connection" and port.reports[-1] == ""
    files = server.recorded("again")
    assert len(files) == 2
    heard, rate = heard_in(files[1])
    assert list(find_tones(heard[rate:-rate], rate)) == [600]
    times = times_in(files[1])
    assert times["key"][0] == times["video"][0] == 0.0 and 0 <= times["audio"][0] < 0.03
    assert times["audio"][-1] == pytest.approx(times["video"][-1], abs=0.12), "sound and picture go together"


async def test_a_server_that_hangs_is_noticed_and_holds_up_nobody(
    house: LiveHouse, server: RtmpServer, tmp_path: Path
) -> None:
    room = house.room()
    with rtmp_peer() as other:
        hangs = await room.start(spec(server.url("hangs")))
        goes_on = await room.start(spec(f"rtmp://127.0.0.1:{other.port}/live/other"))
        await room.run_until(lambda: running(hangs)() and running(goes_on)())
        await room.run(2.0)
        server.freeze()
        await room.run_until(troubled(hangs), speed=3.0)
        assert hangs.look().trouble == "the peer does not read what it is sent"
        await room.run_until(lambda: hangs.look().figures["attempts"] >= 2, speed=3.0)
        assert goes_on.look().state == "running"
        times = [message.at_ms for message in other.media]
        assert max(b - a for a, b in zip(times, times[1:], strict=False)) < 60, "the other one missed nothing"
        server.thaw()
        await room.run_until(running(hangs))
        await room.stop(hangs)
        await room.stop(goes_on)


async def test_a_refusal_is_reported_and_tried_again_after_longer_and_longer_pauses(
    tmp_path: Path, server: RtmpServer, caplog: pytest.LogCaptureFixture
) -> None:
    house = LiveHouse(tmp_path, back_off=BackOff(0.1, 0.4))
    room = house.room()
    with rtmp_peer("NetStream.Publish.Denied") as peer:
        by_nginx = await room.start(spec(server.url(KEY, "refusing")))
        by_code = await room.start(spec(f"rtmp://127.0.0.1:{peer.port}/live/{KEY}"))
        reports = room.ports[by_code].reports
        await room.run_until(lambda: min(one.look().figures["attempts"] for one in (by_nginx, by_code)) >= 4)
        assert by_nginx.look().state == by_code.look().state == "troubled"
        assert by_nginx.look().trouble == "the peer closed the connection, and had not taken the stream"
        assert reports == ["the peer refused it: NetStream.Publish.Denied"], "said once"
        pauses = re.findall(r"; again in ([0-9.]+) s", caplog.text)
        assert set(pauses) == {"0.1", "0.2", "0.4"}
        peer.status = "NetStream.Publish.Start"
        await room.run_until(running(by_code))
        await room.stop(by_code)
    await room.stop(by_nginx)
    await house.close()


async def test_certificates_are_verified(tmp_path: Path, server: RtmpServer) -> None:
    authority = Authority(tmp_path)
    house = LiveHouse(tmp_path, tls=client_context(authority.file))
    room = house.room()
    async with (
        tls_in_front(server.port, authority.server("media.example")) as right,
        tls_in_front(server.port, authority.server("other.example")) as wrong,
    ):
        good = await room.start(spec(f"rtmps://media.example:{right}/live/good"))
        bad = await room.start(spec(f"rtmps://media.example:{wrong}/live/bad"))
        await room.run_until(lambda: running(good)() and troubled(bad)())
        assert "certificate verify failed" in bad.look().trouble
        await room.run(1.0)
        await room.stop(good)
        await room.stop(bad)
    assert len(server.recorded("good")) == 1 and server.recorded("bad") == []
    heard, rate = heard_in(server.recorded("good")[0])
    assert list(find_tones(heard[rate // 4 :], rate)) == [600]
    await house.close()


async def test_the_key_is_nowhere_but_at_the_server(
    house: LiveHouse, server: RtmpServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    room = house.room()
    words: list[str] = []
    with rtmp_peer("NetStream.Publish.BadName") as refusing:
        urls = [
            server.url(f"{KEY}?{QUERY}"),
            f"rtmp://127.0.0.1:{refusing.port}/live/{KEY}?{QUERY}",
            f"rtmp://127.0.0.1:9/live/{KEY}?{QUERY}",
            f"rtmps://127.0.0.1:{server.port}/live/{KEY}?{QUERY}",
        ]
        outputs = [await room.start(spec(url)) for url in urls]
        reports = [room.ports[output].reports for output in outputs]
        await room.run_until(lambda: running(outputs[0])() and all(troubled(one)() for one in outputs[1:]))
        server.stop()
        await room.run_until(troubled(outputs[0]))
        for output, url in zip(outputs, urls, strict=True):
            words += [repr(output.look()), repr(spec(url)), repr(output), repr(house.relays)]
            await room.stop(output)
    assert len(server.recorded(KEY)) == 1, "it was there"
    spoken = "\n".join([caplog.text, *capfd.readouterr(), *words, *map(repr, reports)])
    assert "push" in spoken and KEY not in spoken and "hush" not in spoken


async def test_an_end_in_the_middle_of_an_attempt_is_quick(house: LiveHouse) -> None:
    room = house.room()
    with rtmp_peer("") as silent:
        push = await room.start(spec(f"rtmp://127.0.0.1:{silent.port}/live/x"))
        await room.run_until(lambda: any(said[0] == "publish" for said in silent.commands))
        async with asyncio.timeout(2.0):
            await room.stop(push)
    refused = await room.start(spec("rtmp://127.0.0.1:9/live/x"))
    await room.run_until(troubled(refused))
    async with asyncio.timeout(2.0):
        await room.stop(refused)


async def test_an_end_while_the_peer_hangs_is_waited_for_no_longer_than_said(
    house: LiveHouse, server: RtmpServer
) -> None:
    room = house.room()
    push = await room.start(spec(server.url("stuck")))
    await room.run_until(running(push))
    server.freeze()
    await room.run(1.0)
    async with asyncio.timeout(6.0):
        await room.stop(push)
    assert push.look().state == "ended"
    server.thaw()
