"""Calls of a real server, forked to services: asked for with the vendor's client, served by its SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import plivo
import pytest
import pytest_asyncio
from plivo.exceptions import AuthenticationError, ResourceNotFoundError, ValidationError
from plivo_stream.types import MediaEvent, StartEvent
from plivo_stream.websockets import PlivoWebsocketStreamingHandler
from websockets.asyncio.server import ServerConnection

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat
from bridge.harness import serving
from bridge.harness.plivo_caller import PlivoCaller, new_call
from bridge.harness.sound import decode
from tests.kit.callback_receiver import CallbackReceiver
from tests.kit.ears import AMPLITUDE, Sound, hears, phone, until
from tests.kit.echo_service import EchoService
from tests.kit.forking import ANNA, CLEO, ForkedCall, all_online, forked_call, forking_bridge
from tests.kit.plivo_account import PlivoAccount, vendor_client
from tests.kit.running_bridge import PLIVO_AUTH_ID, RunningBridge
from tests.kit.service_socket import ServiceSocket
from tests.kit.stream_service import StreamService
from tests.kit.tones import tone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

BOT = 1850
"""What services say, in hertz: Opus makes little noise of it near the others' tones."""
CONTENT_TYPES = {
    "audio/x-l16;rate=8000": L16_8K,
    "audio/x-l16;rate=16000": L16_16K,
    "audio/x-mulaw;rate=8000": ULAW_8K,
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bridge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningBridge]:
    async with forking_bridge(tmp_path_factory.mktemp("bridge")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def call(bridge: RunningBridge) -> AsyncIterator[ForkedCall]:
    async with forked_call(bridge) as connected:
        yield connected


def hum(seconds: float, rate_hz: int = 16_000, frequency_hz: float = BOT) -> np.ndarray:
    return tone(frequency_hz, seconds, rate_hz, AMPLITUDE).astype(np.int16)


# --- with the vendor's client ---


@pytest.mark.parametrize("kind", ["browser", "phone by its call id", "conference"])
async def test_vendors_client_starts_lists_looks_at_and_ends_streams(call: ForkedCall, kind: str) -> None:
    call_uuid = {
        "browser": call.cleo_id, "phone by its call id": call.anna_call, "conference": call.conference,
    }[kind]  # fmt: skip
    whole = kind == "conference"
    async with StreamService() as bots, CallbackReceiver() as receiver:

        def use(client: plivo.RestClient) -> list[str]:
            calls = client.calls
            wanted = {
                "audio_track": "inbound" if whole else "both",
                "stream_timeout": 3600,
                "status_callback_url": receiver.url,
                "status_callback_method": "POST",
                "content_type": "audio/x-l16;rate=16000",
                "extra_headers": "Test1=Test2,Test3=Test4",
            }
            begun = calls.start_stream(call_uuid, bots.url + "/a", bidirectional=False, **wanted)
            assert begun.message == "audio streaming started"
            with pytest.raises(ValidationError):
                calls.start_stream(call_uuid, bots.url + "/a")
            with pytest.raises(ValidationError):
                calls.start_stream(call_uuid, bots.url + "/x", bidirectional=True, audio_track="both")
            with pytest.raises(ValidationError):
                calls.start_stream(call_uuid, "http://not-a-websocket.example/")
            second = calls.start_stream(call_uuid, bots.url + "/b")

            looked = calls.get_details_of_specific_stream(call_uuid, begun.stream_id)
            assert (looked.stream_id, looked.call_uuid) == (begun.stream_id, call_uuid)
            assert (looked.service_url, looked.bidirectional) == (bots.url + "/a", False)
            assert (looked.audio_track, looked.plivo_auth_id) == (wanted["audio_track"], PLIVO_AUTH_ID)
            assert looked.end_time is None

            listed = calls.get_all_streams(call_uuid)
            assert listed.meta.total_count >= 2
            assert {begun.stream_id, second.stream_id} <= {one.stream_id for one in listed.objects}
            return [begun.stream_id, second.stream_id]

        def end(client: plivo.RestClient, ids: list[str]) -> None:
            calls = client.calls
            calls.delete_specific_stream(call_uuid, ids[0])
            with pytest.raises(ValidationError, match="No active stream found"):
                calls.delete_specific_stream(call_uuid, ids[0])
            calls.delete_all_streams(call_uuid)
            with pytest.raises(ValidationError, match="No active stream found"):
                calls.delete_all_streams(call_uuid)
            assert calls.get_details_of_specific_stream(call_uuid, ids[0]).end_time is not None

        client = vendor_client(call.bridge)
        ids = await asyncio.to_thread(use, client)
        first, second = [await bots.stream(one) for one in ids]
        assert first.extra == {"Test1": "Test2", "Test3": "Test4"}
        assert first.format == L16_16K and second.format == L16_8K
        await receiver.event("StartStream")
        await first.frames_came(10)
        await second.frames_came(10)
        await asyncio.to_thread(end, client, ids)
        assert [await first.ended(), await second.ended()] == [1000, 1000]
        stopped = await receiver.event("StopStream")
        assert receiver.events == ["StartStream", "StopStream"]
        assert all(callback.signed for callback in receiver.callbacks)
        assert (stopped.fields["StreamID"], stopped.fields["CallUUID"]) == (ids[0], call_uuid)
        for socket in (first, second):
            socket.assert_in_order()


async def test_vendors_client_looks_at_a_live_call_hangs_it_up_and_is_told_what_is_wrong(
    bridge: RunningBridge,
) -> None:
    conference = await bridge.open_conference()
    person = await bridge.invite(conference, "Guest")

    def use(call_uuid: str) -> None:
        client = vendor_client(bridge)
        assert client.live_calls.get(call_uuid).call_status == "in-progress"
        client.calls.hangup(call_uuid)

    def fail() -> None:
        client = vendor_client(bridge)
        with pytest.raises(ResourceNotFoundError):
            client.calls.start_stream("00000000-0000-4000-8000-000000000000", "wss://bot.example/")
        with pytest.raises(ResourceNotFoundError):
            client.calls.hangup(person.id)
        stranger = vendor_client(bridge, auth_token="somebody-else")
        with pytest.raises(AuthenticationError):
            stranger.calls.get_all_streams(person.id)

    async with StreamService() as bots:
        caller = phone(person.stream_url, ANNA)
        async with caller:
            await until(lambda: all_online(bridge, conference, 1))
            client = vendor_client(bridge)
            await asyncio.to_thread(client.calls.start_stream, person.id, bots.url)
            socket = await bots.socket()
            await asyncio.to_thread(use, caller.call.call_id)
            async with asyncio.timeout(5):
                assert (await caller.ended()).by_service
            assert await socket.ended() == 1000
    await asyncio.to_thread(fail)


# --- with the vendor's SDK as the service ---


class Scribe(PlivoWebsocketStreamingHandler):  # type: ignore[misc]
    """Written with the vendor's SDK: keeps the sound of each track."""

    def __init__(self) -> None:
        super().__init__()
        self.sound: dict[str, list[np.ndarray]] = {}
        self.errors: list[Exception] = []
        self.on_start(self._begin)
        self.on_media(self._keep)
        self.on_error(self._fail)

    async def _begin(self, event: StartEvent) -> None:
        told = event.start.media_format
        self.format: AudioFormat = next(
            known for name, known in CONTENT_TYPES.items()
            if name == f"{told.encoding};rate={told.sample_rate}"
        )  # fmt: skip
        self.tracks = list(event.start.tracks)

    async def _keep(self, event: MediaEvent) -> None:
        self.sound.setdefault(event.media.track, []).append(decode(event.get_raw_media(), self.format))

    async def _fail(self, error: Exception) -> None:
        self.errors.append(error)

    async def hears_only(self, track: str, *tones: float) -> None:
        """That those are on the track as loud as they were sent, and nobody else."""
        others = {ANNA, CLEO, BOT} - set(tones)

        async def so() -> bool:
            frames = self.sound.get(track, [])[-40:]
            if len(frames) < 40:
                return False
            return not Sound.of(np.concatenate(frames), self.format.rate_hz).missing(tones, others)

        await until(so, 15)


async def test_the_vendors_sdk_is_streamed_every_track_in_every_format(call: ForkedCall) -> None:
    scribes: dict[tuple[str, str, str], Scribe] = {}

    async def write(socket: ServerConnection) -> None:
        assert socket.request is not None
        who, track, number = socket.request.path.strip("/").split("/")
        scribe = scribes[who, track, list(CONTENT_TYPES)[int(number)]] = Scribe()
        await scribe.handle(socket)

    people = {"anna": (call.anna_id, ANNA, CLEO), "cleo": (call.cleo_id, CLEO, ANNA)}
    async with serving(write) as url:
        for who, (call_uuid, *_) in people.items():
            for track in ("inbound", "outbound", "both"):
                for number, content_type in enumerate(CONTENT_TYPES):
                    if who == "cleo" and content_type != "audio/x-l16;rate=16000":
                        continue
                    await call.account.start(
                        call_uuid, f"{url}/{who}/{track}/{number}",
                        audio_track=track, content_type=content_type,
                    )  # fmt: skip
        await until(lambda: len(scribes) == 12)
        for (who, track, content_type), scribe in scribes.items():
            _, said, heard = people[who]
            if track != "outbound":
                await scribe.hears_only("inbound", said)
            if track != "inbound":
                await scribe.hears_only("outbound", heard)
            assert scribe.format == CONTENT_TYPES[content_type]
            assert set(scribe.tracks) == set(scribe.sound)
            assert scribe.errors == [], (who, track, content_type)
        for call_uuid, *_ in people.values():
            assert await call.account.end(call_uuid) == 204


async def test_an_echo_on_a_participant_is_heard_by_that_participant_alone(call: ForkedCall) -> None:
    echo = EchoService()
    async with serving(echo.handle) as url:
        await call.account.start(call.cleo_id, url, bidirectional=True)
        await asyncio.gather(
            hears(call.cleo, ANNA, CLEO),
            hears(call.anna, CLEO, but_not=(ANNA,)),
        )
        await until(lambda: echo.reached == ["ten frames"])
        await echo.send_clear_audio()
        await asyncio.wait_for(echo.cleared.wait(), 5)
        assert await call.account.end(call.cleo_id) == 204
        await hears(call.cleo, ANNA, but_not=(CLEO,))
    assert echo.errors == []


async def test_a_bot_in_a_conference_is_one_among_people_until_it_is_expelled(call: ForkedCall) -> None:
    before = set(await call.bridge.participants(call.conference))
    async with StreamService() as bots:
        stream = await call.account.start(
            call.conference, bots.url, bidirectional=True, content_type="audio/x-mulaw;rate=8000", name="Bot"
        )
        socket = await bots.stream(stream)
        people = await call.bridge.participants(call.conference)
        (bot_id,) = set(people) - before
        assert (people[bot_id]["name"], people[bot_id]["online"]) == ("Bot", True)
        assert socket.call_id == bot_id
        await socket.play(hum(12, 8_000), ULAW_8K)
        await asyncio.gather(
            hears(call.anna, CLEO, BOT, but_not=(ANNA,)),
            hears(call.cleo, ANNA, BOT, but_not=(CLEO,)),
            hears(socket.ear(), ANNA, CLEO, but_not=(BOT,)),
        )
        path = f"/{call.bridge.application}/{call.conference}/participants/{bot_id}"
        assert (await call.bridge.call("DELETE", path)).is_success
        assert await socket.ended() in (1000, 1001)
        assert set(await call.bridge.participants(call.conference)) == before
        await hears(call.anna, CLEO, but_not=(BOT,))
        assert (await call.account.look(call.conference, stream))["status"] == "completed"
        socket.assert_in_order()


async def test_a_bot_may_whisper_to_one_and_listen_to_another(call: ForkedCall) -> None:
    async with StreamService() as bots:
        stream = await call.account.start(
            call.conference, bots.url, bidirectional=True, hears=[call.cleo_id], heard_by=[call.anna_id]
        )
        socket = await bots.stream(stream)
        await socket.play(hum(12, 8_000))
        await asyncio.gather(
            hears(call.anna, CLEO, BOT, but_not=(ANNA,)),
            hears(call.cleo, ANNA, but_not=(BOT, CLEO)),
            hears(socket.ear(), CLEO, but_not=(ANNA, BOT)),
        )
        assert await call.account.end(call.conference, stream) == 204
        socket.assert_in_order()


async def test_a_bot_that_hangs_up_its_own_call_leaves_everybody_else_alone(call: ForkedCall) -> None:
    before = set(await call.bridge.participants(call.conference))
    async with StreamService() as bots:
        await call.account.start(call.conference, bots.url, bidirectional=True)
        socket = await bots.socket()
        assert await call.account.hang_up(socket.call_id) == 204
        assert await socket.ended() == 1000
        await until(lambda: is_just(call, before))
        assert await call.account.hang_up(socket.call_id) == 404
        await hears(call.anna, CLEO)


async def is_just(call: ForkedCall, people: set[str]) -> bool:
    return set(await call.bridge.participants(call.conference)) == people


# --- time ---


async def test_every_stream_gives_the_same_moment_to_the_same_sound(bridge: RunningBridge) -> None:
    conference = await bridge.open_conference()
    person = await bridge.invite(conference, "Clicker")
    clicks = np.zeros(16_000, np.int16)
    clicks[8_000:8_160] = hum(0.01, frequency_hz=2000)
    caller = PlivoCaller(person.stream_url, clicks, new_call(L16_16K), loop_sound=True)
    account = PlivoAccount(bridge)
    async with StreamService() as bots, caller:
        await until(lambda: all_online(bridge, conference, 1))
        for call_uuid, parameters in (
            (conference, {"content_type": "audio/x-l16;rate=16000"}),
            (conference, {"content_type": "audio/x-mulaw;rate=8000", "bidirectional": True}),
            (person.id, {"content_type": "audio/x-l16;rate=16000"}),
            (conference, {"content_type": "audio/x-l16;rate=16000", "audio_track": "participants"}),
        ):
            await account.start(call_uuid, f"{bots.url}/{len(bots.sockets)}-{len(parameters)}", **parameters)
        sockets = [await bots.socket(number) for number in range(4)]
        await asyncio.sleep(3.2)
        moments = [clicks_in(socket) for socket in sockets]
        for socket in sockets:
            socket.assert_in_order()
    reference = moments[0]
    assert len(reference) >= 2
    for others in moments[1:]:
        near = [min(abs(moment - other) for other in others) for moment in reference]
        assert sorted(near)[1] <= 20, moments  # all but the clicks at the ends are in both


def clicks_in(socket: ServiceSocket) -> list[float]:
    """When clicks begin, in Unix milliseconds."""
    line = socket.line()
    loud = np.flatnonzero(np.abs(line.samples) > AMPLITUDE / 4)
    first = loud[np.flatnonzero(np.diff(loud, prepend=-(10**6)) > line.rate_hz // 10)]
    return [line.from_ms + 1000 * sample / line.rate_hz for sample in first]
