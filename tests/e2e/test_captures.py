"""Streams captured on a real server: private, whole up to a kill, and replayed to what they were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from bridge.core.ports import L16_16K, ULAW_8K, AudioFormat
from bridge.harness.capture_reading import Capture, read_capture
from bridge.harness.plivo_caller import PlivoCaller, new_call
from bridge.harness.replay_run import replay_call
from bridge.harness.sound import SAMPLE, load
from bridge.legs.capture_wire import Frame, Key, Media, Rate, Tick
from bridge.replay import assert_replays, replay
from tests.kit.ears import until
from tests.kit.forking import REACHES_ALL, all_online, forked_call
from tests.kit.plivo_account import PlivoAccount
from tests.kit.running_bridge import PLIVO_AUTH_TOKEN, Invited, RunningBridge
from tests.kit.service_socket import ServiceSocket
from tests.kit.stream_service import StreamService
from tests.kit.tones import tone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

SECRET = "s3cret-in-a-query"
HEADER = "s3cret-in-a-header"
HANDSHAKE = "s3cret-extra"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bridge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningBridge]:
    folder = tmp_path_factory.mktemp("bridge")
    async with RunningBridge(folder, capturing(folder)) as running:
        yield running
    assert "Traceback" not in running.log, running.log[-4000:]


def capturing(folder: Path) -> dict[str, str]:
    return REACHES_ALL | {"MEDIABRIDGE_CAPTURES_DIRECTORY": str(folder / "captures")}


def files(bridge: RunningBridge) -> list[Path]:
    return sorted((bridge.folder / "captures").glob("*.mbcapture"))


@dataclass
class Talk:
    """A phone that talks, and a bot on its call that talks back."""

    bridge: RunningBridge
    anna: Invited
    phone: PlivoCaller
    account: PlivoAccount
    stream_id: str
    bot: ServiceSocket


async def talking(bridge: RunningBridge, service: StreamService, audio_format: AudioFormat = L16_16K) -> Talk:
    """Both captured."""
    conference = await bridge.open_conference("Kept")
    anna = await bridge.invite(conference, "Anna")
    phone = PlivoCaller(
        f"{anna.stream_url}&capture=true&note={SECRET}",
        load(SAMPLE, audio_format.rate_hz),
        new_call(audio_format, headers={"X-PH-Key": HANDSHAKE}),
        loop_sound=True,
        http_headers={"X-Note": HEADER},
    )
    await phone.dial()
    await until(lambda: all_online(bridge, conference, 1))
    account = PlivoAccount(bridge)
    kinds = {L16_16K: "audio/x-l16;rate=16000", ULAW_8K: "audio/x-mulaw;rate=8000"}
    stream_id = await account.start(
        anna.id, f"{service.url}/bot?token={SECRET}", bidirectional=True, content_type=kinds[audio_format],
        extra_headers=f"Key={HANDSHAKE}", capture=True,
    )  # fmt: skip
    return Talk(bridge, anna, phone, account, stream_id, await service.socket(len(service.sockets)))


async def converse(talk: Talk) -> None:
    """The bot speaks, marks, is cleared in mid-sentence, and speaks again; the caller presses keys."""
    rate_hz = talk.bot.format.rate_hz
    for number in range(2):
        await talk.bot.play(tone(1000, 0.5, rate_hz).astype(np.int16))
        await talk.bot.mark(f"said {number}")
        await talk.bot.event("playedStream", name=f"said {number}")
        await talk.phone.press("42")
    await talk.bot.play(tone(1500, 3.0, rate_hz).astype(np.int16))
    await talk.bot.mark("never")
    await asyncio.sleep(0.3)
    await talk.bot.clear()
    await talk.bot.event("clearedAudio")
    for _ in range(10):
        await talk.bot.play(tone(700, 0.02, rate_hz).astype(np.int16))
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.4)


async def kept(bridge: RunningBridge, before: list[Path], count: int) -> dict[str, Capture]:
    """The new captures once they are whole, by who kept them."""

    def whole() -> bool:
        new = [file for file in files(bridge) if file not in before]
        return len(new) == count and all(read_capture(file).end is not None for file in new)

    await until(whole)
    captures = [read_capture(file) for file in files(bridge) if file not in before]
    return {capture.head.place: capture for capture in captures}


@pytest.mark.parametrize("audio_format", [L16_16K, ULAW_8K], ids=str)
async def test_a_call_and_its_stream_replay_through_the_mixer_to_the_last_bit(
    bridge: RunningBridge, audio_format: AudioFormat
) -> None:
    before = files(bridge)
    async with StreamService() as service:
        talk = await talking(bridge, service, audio_format)
        await converse(talk)
        await talk.account.end(talk.anna.id)
        await talk.phone.hang_up()
    captures = await kept(bridge, before, 2)
    call, stream = captures["call"], captures["stream"]
    assert call.head.about["participant"] == stream.head.about["of"] == talk.anna.id

    alone = replay([call])
    assert alone.same and alone.frames["own"] > 80, (str(alone), alone.notes)
    spoken = replay([stream])
    assert spoken.same and spoken.acks == 3, (str(spoken), spoken.notes)
    together = replay([call, stream], alone=True)
    assert together.same, str(together)
    assert {"own", "mix", "inbound"} <= set(together.frames)
    assert_replays(call.path, stream.path, alone=True)


async def test_a_replay_that_differs_says_where(bridge: RunningBridge, tmp_path: Path) -> None:
    before = files(bridge)
    async with StreamService() as service:
        talk = await talking(bridge, service)
        await converse(talk)
        await talk.phone.hang_up()
    stream = (await kept(bridge, before, 2))["stream"]
    at, tick = 0, 0
    for number, record in enumerate(stream.records):
        if isinstance(record, Tick):
            tick = record.number
        if isinstance(record, Frame) and record.row == "own" and record.payload:
            at = number
            break
    frame = stream.records[at]
    assert isinstance(frame, Frame)
    stream.records[at] = Frame("own", frame.payload[:-1] + bytes([frame.payload[-1] ^ 1]))
    changed = replay([stream])
    assert not changed.same
    assert changed.difference is not None
    assert (changed.difference.tick, changed.difference.row) == (tick, "own")
    assert "1 samples differ from sample 319 on, by up to 256" in str(changed)


async def test_captures_are_private_and_hold_no_secrets(bridge: RunningBridge) -> None:
    before = files(bridge)
    async with StreamService() as service:
        talk = await talking(bridge, service)
        await converse(talk)
        await talk.phone.hang_up()
    captures = await kept(bridge, before, 2)
    assert (bridge.folder / "captures").stat().st_mode & 0o777 == 0o700
    hidden = (SECRET, HEADER, HANDSHAKE, talk.anna.token, bridge.token, PLIVO_AUTH_TOKEN, "access_token")
    for capture in captures.values():
        assert capture.path.stat().st_mode & 0o777 == 0o600
        assert capture.path.name.startswith(bridge.application)
        written = capture.path.read_bytes()
        assert [secret for secret in hidden if secret.encode() in written] == []
        assert sum(len(record.digit) for record in capture.records if isinstance(record, Key)) == 4
    looked = await talk.account.look(talk.anna.id, talk.stream_id)
    assert looked["capture_id"] in captures["stream"].path.name
    assert await bridge.metric("captures_total", '{fate="begun"}') >= 2
    assert await bridge.metric("capture_bytes_total") > 100_000
    assert await bridge.metric("capture_missing_records_total") == 0


async def test_an_account_lists_downloads_and_deletes_its_captures(bridge: RunningBridge) -> None:
    before = files(bridge)
    async with StreamService() as service:
        talk = await talking(bridge, service)
        await converse(talk)
        live = (await talk.account.look(talk.anna.id, talk.stream_id))["capture_id"]
        found = (await talk.account.ask("GET", f"Capture/{live}/")).json()
        assert found["live"] and found["kept_by"] == "stream" and found["stream_id"] == talk.stream_id
        refused = await talk.account.ask("DELETE", f"Capture/{live}/")
        assert refused.status_code == 400 and "still being written" in refused.json()["error"]
        await talk.phone.hang_up()
    captures = await kept(bridge, before, 2)
    listed = (await talk.account.ask("GET", "Capture/?limit=2")).json()
    assert listed["meta"]["total_count"] == len(files(bridge))
    assert {one["kept_by"] for one in listed["objects"]} == {"call", "stream"}
    assert all(one["participant_id"] in (talk.anna.id, talk.stream_id) for one in listed["objects"])
    assert all(one["call_uuid"] and one["began_at"] and not one["live"] for one in listed["objects"])
    file = await talk.account.ask("GET", f"Capture/{live}/File/")
    assert file.content == captures["stream"].path.read_bytes()
    nobody = PlivoAccount(bridge, auth_token="wrong")
    for path in ("Capture/", f"Capture/{live}/", f"Capture/{live}/File/"):
        assert (await nobody.ask("GET", path)).status_code == 401
    assert (await talk.account.ask("GET", "Capture/none/")).status_code == 404
    assert (await talk.account.ask("DELETE", f"Capture/{live}")).status_code == 204
    assert not captures["stream"].path.exists()
    assert (await talk.account.ask("GET", f"Capture/{live}/File/")).status_code == 404


async def test_both_sides_are_measured_as_in_a_test_of_a_bot(bridge: RunningBridge) -> None:
    before = files(bridge)
    async with StreamService() as service:
        talk = await talking(bridge, service)
        await converse(talk)
        await talk.account.end(talk.anna.id)
        await talk.phone.hang_up()
    captures = await kept(bridge, before, 2)
    for capture in captures.values():
        result = await replay_call(capture)
        assert result.turns is not None and result.first_heard_ms is not None
        assert result.turns.bot.talk_ms == pytest.approx(1500, abs=200)
        assert result.turns.caller.talk_ms > 1000
    streamed = await replay_call(captures["stream"])
    assert streamed.turns is not None and streamed.turns.cuts == 1
    assert streamed.violations == {} and streamed.checkpoints == 3
    assert streamed.end == "caller hung up"


async def test_what_a_killed_server_kept_can_be_read(tmp_path: Path) -> None:
    bridge = RunningBridge(tmp_path, capturing(tmp_path))
    await bridge.start()
    async with StreamService() as service:
        talk = await talking(bridge, service)
        await converse(talk)
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(0.5)
        await bridge.kill()
        assert asyncio.get_running_loop().time() - began < 5
        await talk.phone.hang_up()
    captures = {capture.head.place: capture for capture in map(read_capture, files(bridge))}
    for capture in captures.values():
        assert capture.end is None
        last = max(record.at_ns for record in capture.records if isinstance(record, Tick))
        assert last > 1.5e9
    assert sum(isinstance(record, Media) for record in captures["call"].records) > 75
    assert replay(list(captures.values()), alone=True).same


async def test_a_bot_among_browsers_replays_but_for_rounding_and_a_restart_ends_captures_well(
    tmp_path: Path,
) -> None:
    bridge = RunningBridge(tmp_path, capturing(tmp_path))
    await bridge.start()
    async with StreamService() as service, forked_call(bridge) as call:
        await call.account.start(
            call.conference, service.url, bidirectional=True, content_type="audio/x-l16;rate=16000",
            name="Bot", capture=True,
        )  # fmt: skip
        bot = await service.socket()
        for number in range(3):
            await bot.play(load(SAMPLE, 16_000)[:16_000])
            await bot.mark(f"{number}")
            await bot.event("playedStream", name=f"{number}")
        assert await bridge.stop() == 0
    (capture,) = map(read_capture, files(bridge))
    assert capture.end is not None and capture.end.reason == "closed"
    assert Rate(48_000) in capture.records
    done = replay([capture])
    assert done.same and done.acks == 3, str(done)
    assert done.rounded < 0.02 * 320 * done.frames["own"]


async def test_who_asks_for_a_capture_where_none_is_kept_is_told(tmp_path: Path) -> None:
    async with RunningBridge(tmp_path, REACHES_ALL) as bridge, StreamService() as service:
        conference = await bridge.open_conference()
        anna = await bridge.invite(conference)
        phone = PlivoCaller(anna.stream_url)
        async with phone:
            await until(lambda: all_online(bridge, conference, 1))
            account = PlivoAccount(bridge)
            body = {"service_url": service.url, "capture": "true"}
            answer = await account.ask("POST", f"Call/{anna.id}/Stream/", json=body)
            assert answer.status_code == 400 and "captures.directory" in answer.json()["error"]
            assert (await account.ask("GET", "Capture/")).status_code == 404
        refused = PlivoCaller(anna.stream_url + "&capture=true")
        with pytest.raises(Exception, match=r"400 .*captures.directory"):
            await refused.dial()
