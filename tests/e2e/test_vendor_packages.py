"""The vendor's own packages against our callers, our leg and our answer XML."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest
from plivo import plivoxml
from plivo.utils import validate_v3_signature
from plivo_stream import PlivoWebsocketStreamingHandler
from plivo_stream.types import CheckpointEvent, ClearAudioEvent, PlayAudioEvent
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedOK

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat
from bridge.harness import PlivoCaller, Witness, new_call, serving
from bridge.legs.plivo_play_wire import FromService, PlayAudio, write_clear_audio
from bridge.legs.plivo_signature_wire import signature, signed_text
from tests.kit.ears import until
from tests.kit.running_bridge import PLIVO_AUTH_TOKEN, RunningBridge
from tests.kit.tones import level_of, tone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Service:
    """A service as the vendor's SDK makes one: says back what it hears, and marks each second."""

    url: str = ""
    errors: list[Exception] = field(default_factory=list)
    started: list[Any] = field(default_factory=list)
    digits: list[str] = field(default_factory=list)
    played: list[str] = field(default_factory=list)
    cleared: int = 0
    chunks: list[int] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, socket: ServerConnection) -> None:
        sdk = PlivoWebsocketStreamingHandler()
        spoken: dict[str, Any] = {}

        @sdk.on_start
        async def start(event: Any) -> None:
            self.started.append(event)
            spoken["format"] = event.start.media_format

        @sdk.on_media
        async def media(event: Any) -> None:
            self.chunks.append(event.media.chunk)
            told = spoken["format"]
            await sdk.send_media(event.get_raw_media(), told.encoding, told.sample_rate)
            if len(self.chunks) % 25 == 0:
                await sdk.send_checkpoint(f"half second {len(self.chunks) // 25}")

        @sdk.on_dtmf
        async def dtmf(event: Any) -> None:
            self.digits.append(event.dtmf.digit)
            await sdk.send_clear_audio()

        @sdk.on_played_stream
        async def played(event: Any) -> None:
            self.played.append(event.name)

        @sdk.on_cleared_audio
        async def cleared(event: Any) -> None:
            self.cleared += 1

        @sdk.on_error
        async def error(wrong: Exception) -> None:
            self.errors.append(wrong)

        await sdk.handle(socket)
        self.over.set()


class Messages(Witness):
    """What a caller was told, as it came."""

    def __init__(self) -> None:
        self.plays: list[bytes] = []
        self.checkpoints: list[bytes] = []
        self.binary = 0

    def took(self, what: FromService, message: bytes, is_text: bool) -> None:
        self.binary += not is_text
        (self.plays if isinstance(what, PlayAudio) else self.checkpoints).append(message)


@asynccontextmanager
async def service() -> AsyncIterator[Service]:
    made = Service()
    async with serving(made.answer) as made.url:
        yield made


@pytest.mark.parametrize("audio_format", [L16_16K, L16_8K, ULAW_8K], ids=["l16-16k", "l16-8k", "mulaw-8k"])
async def test_the_vendor_s_sdk_finds_no_fault_with_our_caller(audio_format: AudioFormat) -> None:
    sound = tone(440, 1.5, audio_format.rate_hz).astype(np.int16)
    call = new_call(audio_format, headers={"userId": "12345"})
    async with service() as vendor:
        async with PlivoCaller(vendor.url, sound, call) as caller, asyncio.timeout(15):
            await caller.finished()
            await asyncio.sleep(0.3)
            await caller.press("7")
            await until(lambda: vendor.cleared > 0)
        await asyncio.wait_for(vendor.over.wait(), 5)
    # Words that cross the caller's goodbye are nobody's fault.
    assert [error for error in vendor.errors if not isinstance(error, ConnectionClosedOK)] == []
    assert vendor.started[0].start.call_id == call.call_id
    assert vendor.chunks == list(range(1, len(vendor.chunks) + 1))
    assert vendor.played[:2] == ["half second 1", "half second 2"]
    assert vendor.digits == ["7"] and vendor.cleared == 1
    assert caller.figures.wrong_format == caller.figures.not_understood == 0
    voiced = caller.heard[audio_format.rate_hz // 2 : audio_format.rate_hz]
    assert level_of(voiced, audio_format.rate_hz, 440) > 4000


@pytest.mark.parametrize("audio_format", [L16_16K, L16_8K, ULAW_8K], ids=["l16-16k", "l16-8k", "mulaw-8k"])
async def test_the_vendor_s_types_read_what_the_bridge_says_to_a_call(
    bridge: RunningBridge, audio_format: AudioFormat
) -> None:
    conference = await bridge.open_conference()
    url = bridge.stream_url(conference)
    call, messages = new_call(audio_format), Messages()
    async with PlivoCaller(url, call=call, witnesses=[messages]), asyncio.timeout(20):
        await until(lambda: len(messages.plays) >= 20 and bool(messages.checkpoints))
    assert messages.binary == 0
    plays = [PlayAudioEvent.model_validate_json(one, strict=True) for one in messages.plays]
    checkpoints = [CheckpointEvent.model_validate_json(one, strict=True) for one in messages.checkpoints]
    for play in plays:
        assert (
            f"{play.media.content_type};rate={play.media.sample_rate}"
            == {
                L16_16K: "audio/x-l16;rate=16000",
                L16_8K: "audio/x-l16;rate=8000",
                ULAW_8K: "audio/x-mulaw;rate=8000",
            }[audio_format]
        )
        assert len(base64.b64decode(play.media.payload)) == audio_format.frame_bytes
    assert {one.stream_id for one in checkpoints} == {call.stream_id}
    assert ClearAudioEvent.model_validate_json(write_clear_audio(call.stream_id)).stream_id == call.stream_id


async def test_the_vendor_s_package_agrees_with_our_signatures_and_makes_the_same_xml(
    bridge: RunningBridge,
) -> None:
    conference = await bridge.open_conference()
    url = f"{bridge.base}/{bridge.application}/{conference}/plivo/answer"
    form = {"From": "+4531124567", "To": "+4580808080", "Direction": "inbound"}
    nonce = "vendor-1"
    ours = signature(
        PLIVO_AUTH_TOKEN, signed_text("POST", url, {name: [one] for name, one in form.items()}), nonce
    )
    assert validate_v3_signature("POST", url, nonce, PLIVO_AUTH_TOKEN, ours, form)
    headers = {"X-Plivo-Signature-V3": ours, "X-Plivo-Signature-V3-Nonce": nonce}
    async with httpx.AsyncClient() as http:
        answer = await http.post(url, data=form, headers=headers)
    assert answer.status_code == 200
    stream_url = answer.text.partition("<Stream")[2].partition(">")[2].partition("<")[0]
    theirs = plivoxml.ResponseElement()
    theirs.add(
        plivoxml.StreamElement(
            stream_url,
            bidirectional=True,
            contentType="audio/x-l16;rate=16000",
            keepCallAlive=True,
            extraHeaders="name=4531124567",
        )
    )
    assert elements(answer.text) == elements(theirs.to_string())


def elements(xml: str) -> list[tuple[str, dict[str, str], str]]:
    from xml.etree import ElementTree

    return [
        (one.tag, dict(one.attrib), (one.text or "").strip()) for one in ElementTree.fromstring(xml).iter()
    ]
