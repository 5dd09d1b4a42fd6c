"""The service that tests stream calls to, tried with a simulated call."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import pytest
from plivo.utils.signature_v3 import construct_get_url, construct_post_url, get_signature_v3

from bridge.core.ports import L16_8K, ULAW_8K
from bridge.harness.plivo_caller import CallFailed, PlivoCaller
from tests.kit.callback_receiver import CallbackReceiver
from tests.kit.ears import AMPLITUDE, hears, phone
from tests.kit.running_bridge import PLIVO_AUTH_TOKEN
from tests.kit.stream_service import StreamService
from tests.kit.stream_sound import MediaFrame, line_of
from tests.kit.tones import tone

pytestmark = pytest.mark.e2e


def signature(construct: object, url: str, fields: dict[str, str]) -> dict[str, str]:
    signed = get_signature_v3(PLIVO_AUTH_TOKEN, construct(url, fields), "nonce")  # type: ignore[operator]
    return {"X-Plivo-Signature-V3": signed.decode(), "X-Plivo-Signature-V3-Nonce": "nonce"}


async def test_a_call_is_heard_answered_marked_cleared_and_closed() -> None:
    async with StreamService() as service:
        caller = phone(service.url + "/a?b=c", 440, L16_8K, headers={"name": "Ann & Bob"})
        caller.http_headers = signature(construct_get_url, f"http://127.0.0.1:{service.port}/a?b=c", {})
        async with caller:
            socket = await service.socket()
            assert (socket.signed, socket.target) == (True, "/a?b=c")
            assert socket.extra == {"name": "Ann & Bob"}
            await hears(socket.ear(), 440)
            await socket.play(tone(1000, 0.4, 8_000, AMPLITUDE).astype(np.int16))
            await socket.mark("said")
            assert (await socket.event("playedStream"))["name"] == "said"
            await socket.clear()
            await socket.event("clearedAudio")
            await socket.close(1001, "enough")
            end = await caller.ended()
        assert (end.by_service, end.code, end.reason) == (True, 1001, "enough")
        assert await socket.ended() == 1001
        # This caller stamps its messages with the time of sending, which no stream of the bridge may do.
        assert {complaint.partition(":")[0] for complaint in socket.complaints} <= {"step"}


async def test_unsigned_calls_are_told_from_signed_ones_and_refused_ones_never_come() -> None:
    async with StreamService() as service:
        async with phone(service.url, 440):
            assert (await service.socket()).signed is False
        service.refusal = 403
        with pytest.raises(CallFailed) as refused:
            await phone(service.url, 440).dial()
        assert refused.value.status == 403
        assert (service.refused, len(service.sockets)) == (1, 1)


async def test_a_stalled_service_takes_no_more_than_a_few_messages() -> None:
    async with StreamService(small_buffers=True) as service:
        caller = PlivoCaller(service.url, np.zeros(0, np.int16))
        async with caller:
            socket = await service.socket()
            socket.stall()
            before = len(socket.media)
            await asyncio.sleep(0.5)
            assert len(socket.media) - before <= 2
            socket.go_on()
            await socket.until(lambda: len(socket.media) > before + 20)


def test_a_line_shows_sound_where_it_belongs_and_what_is_missing() -> None:
    frames = [
        MediaFrame("inbound", 1_000 + 20 * chunk, chunk, bytes([0x80 + chunk]) * 160, 0.0)
        for chunk in (3, 1, 2, 6, 3)
    ]
    line = line_of(frames, ULAW_8K)
    assert (line.from_ms, len(line.samples), line.missing) == (1_020, 6 * 160, ((1_080, 1_120),))
    assert not line.samples[3 * 160 : 5 * 160].any() and line.samples[5 * 160 :].all()
    assert line.at(1_120) == 5 * 160


async def test_callbacks_are_kept_once_they_are_taken_and_forged_ones_are_told() -> None:
    fields = {"Event": "StartStream", "Name": "a b"}
    async with CallbackReceiver(failures=1) as receiver, httpx.AsyncClient() as http:
        headers = signature(construct_post_url, receiver.url, fields)
        statuses = [
            (await http.post(receiver.url, data=fields, headers=headers)).status_code for _ in range(2)
        ]
        await http.post(receiver.url, data=fields | {"Name": "c"}, headers=headers)
        await http.get(receiver.url, params=fields)
    assert statuses == [503, 200]
    assert [(one.method, one.fields["Name"], one.signed) for one in receiver.callbacks] == [
        ("POST", "a b", True),
        ("POST", "c", False),
        ("GET", "a b", False),
    ]
