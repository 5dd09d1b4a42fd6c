from __future__ import annotations

import base64
import json
import logging
from typing import Any

import numpy as np
import pytest

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat, CallStart, StreamLedger
from bridge.legs.plivo_call_wire import CallWriter
from bridge.legs.service_convert import PlayConverter
from bridge.legs.service_player import BAD_IN_A_ROW, MAX_KEYS, MAX_MARKS, MAX_NAME_CHARACTERS, ServicePlayer
from mediacodecs.dtmf import dtmf, frequencies
from mediacodecs.g711 import ulaw_decode
from mediacodecs.resample import resampler
from tests.kit.mixing import wire
from tests.kit.services import FakeQueue
from tests.kit.tones import find_tones, level_of, tone

pytestmark = pytest.mark.unit

CALL = CallStart("c", "s", "a", ("inbound",), L16_16K, {})


class Phone:
    """A player, its queue, and what it tells."""

    def __init__(self, audio_format: AudioFormat = L16_16K) -> None:
        self.ledger = StreamLedger()
        self.told: list[dict[str, Any]] = []
        self.keys = ""
        self.given_up = 0
        writer = CallWriter(CALL)
        self.player = ServicePlayer(
            audio_format,
            self.ledger,
            say=lambda write: self.told.append(json.loads(write(writer))),
            pressed=self._press,
            give_up=self._give_up,
            where={"room": "r", "participant": "p", "leg": "stream"},
        )
        self.queue = FakeQueue(audio_format, self.player)
        self.player.queue = self.queue

    def _press(self, key: str) -> None:
        self.keys += key

    def _give_up(self) -> None:
        self.given_up += 1

    def say(self, event: str, **rest: Any) -> None:
        self.player.received(json.dumps({"event": event, **rest}).encode(), True)

    def play(self, payload: bytes, content_type: str | None = None, rate: object = None) -> None:
        media = {"payload": base64.b64encode(payload).decode()}
        if content_type is not None:
            media["contentType"] = content_type
        if rate is not None:
            media["sampleRate"] = rate  # type: ignore[assignment]
        self.say("playAudio", media=media)

    @property
    def queued(self) -> bytes:
        return b"".join(payload for kind, payload in self.queue.said if kind == "play")


# --- playAudio ---


@pytest.mark.parametrize("length", [2, 640, 642, 1_000_000])
def test_audio_of_any_length_is_queued_as_it_is(length: int) -> None:
    phone = Phone()
    phone.play(bytes(length), "audio/x-l16", 16_000)
    assert phone.queued == bytes(length)
    assert phone.ledger.played_ms == pytest.approx(length / 32)
    assert phone.ledger.converted == phone.ledger.malformed == 0


@pytest.mark.parametrize(("content_type", "rate"), [
    (None, None), ("audio/x-mulaw", 8000), ("audio/x-mulaw", "8000"), ("audio/x-mulaw;rate=8000", None),
    (None, "8000"),
])  # fmt: skip
def test_the_stream_s_format_may_be_named_in_several_ways_or_not_at_all(
    content_type: str | None, rate: object
) -> None:
    phone = Phone(ULAW_8K)
    phone.play(b"\xff\x80\x01", content_type, rate)
    assert phone.queued == b"\xff\x80\x01"
    assert phone.ledger.converted == 0


def test_base64_without_padding_and_in_lines_is_read() -> None:
    phone = Phone()
    for payload in ("AQACAA", "AQ\r\nACAA==", "AQACAA=="):
        phone.say("playAudio", media={"payload": payload})
    assert phone.queued == b"\1\0\2\0" * 3
    assert phone.ledger.malformed == 0


FORMATS = {
    L16_8K: ("audio/x-l16", 8000),
    L16_16K: ("audio/x-l16", 16000),
    ULAW_8K: ("audio/x-mulaw", 8000),
}


def linear(payload: bytes, audio_format: AudioFormat) -> np.ndarray:
    if audio_format == ULAW_8K:
        return ulaw_decode(np.frombuffer(payload, np.uint8))
    return np.frombuffer(payload, "<i2").astype(np.float32)


@pytest.mark.parametrize("came", FORMATS)
@pytest.mark.parametrize("stream", FORMATS)
def test_another_format_is_converted_piece_by_piece_without_a_seam(
    came: AudioFormat, stream: AudioFormat, caplog: pytest.LogCaptureFixture
) -> None:
    phone = Phone(stream)
    payload = wire(tone(440, 1.0, came.rate_hz), came)
    width, at, sizes = came.sample_bytes, 0, [1, 7, 160, 333, 2, 31, 1000]
    for n in range(10_000):
        size = sizes[n % len(sizes)] * width
        phone.play(payload[at : at + size], *FORMATS[came])
        at += size
        if at >= len(payload):
            break
    sound = linear(phone.queued, stream)
    assert abs(len(sound) - stream.rate_hz) <= 1
    assert phone.ledger.played_ms == pytest.approx(1000, abs=0.2)
    inside = sound[stream.rate_hz // 10 : -stream.rate_hz // 10]
    tones = find_tones(inside, stream.rate_hz, floor_db=-60)
    assert tones[440] == pytest.approx(8000, rel=0.02)
    # Companding makes noise of its own; a seam would be far louder.
    assert max((level for hz, level in tones.items() if hz != 440), default=0.0) < 120
    if came == stream:
        assert (phone.ledger.converted, caplog.text) == (0, "")
    else:
        assert phone.ledger.converted == n + 1
        assert len(caplog.records) == 1
        assert came.title in caplog.text


def test_pieces_and_the_whole_are_converted_to_the_same_samples() -> None:
    sound = wire(tone(1000, 0.5, 16_000), L16_16K)
    whole = PlayConverter(L16_8K).convert(sound, L16_16K)
    pieces = PlayConverter(L16_8K)
    joined = b"".join(pieces.convert(sound[at : at + 86], L16_16K) for at in range(0, len(sound), 86))
    assert joined == whole
    assert np.abs(np.frombuffer(whole, "<i2")).max() > 7_900


def test_a_converted_piece_of_less_than_a_sample_waits_for_the_next() -> None:
    converter = PlayConverter(L16_8K)
    assert converter.convert(b"\0\0", L16_16K) == b""
    assert converter.convert(b"\0\0", L16_16K) == b"\0\0"
    assert converter.convert(b"", L16_16K) == b""


@pytest.mark.parametrize("end", ["clear", "dry", "keys", "another format"])
def test_nothing_of_what_ended_sounds_in_what_comes_next(end: str) -> None:
    phone = Phone(L16_8K)
    loud = wire(tone(1000, 0.1, 16_000, 20_000), L16_16K)
    phone.play(loud, *FORMATS[L16_16K])
    match end:
        case "clear":
            phone.say("clearAudio", streamId="s")
        case "dry":
            phone.player.ran_dry(False)
        case "keys":
            phone.say("sendDTMF", dtmf="1")
        case "another format":
            phone.play(b"", *FORMATS[L16_8K])
    phone.queue.said.clear()
    phone.play(bytes(640), *FORMATS[L16_16K])
    assert phone.queued == bytes(320)


def test_an_underrun_does_not_end_anything_and_is_counted() -> None:
    phone = Phone(L16_8K)
    phone.play(wire(tone(1000, 0.1, 16_000, 20_000), L16_16K), *FORMATS[L16_16K])
    phone.player.ran_dry(True)
    phone.queue.said.clear()
    phone.play(bytes(640), *FORMATS[L16_16K])
    assert any(phone.queued)
    assert phone.ledger.underruns == 1


def test_what_the_queue_has_no_room_for_is_refused_counted_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    phone = Phone()
    phone.queue.room = 16_000
    for _ in range(3):
        phone.play(bytes(2 * 12_000))
    assert phone.ledger.played_ms == 1_000
    assert phone.ledger.refused_ms == 1_250
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
    assert caplog.records[0].participant == "p"  # type: ignore[attr-defined]


# --- checkpoints and clears ---


def test_a_checkpoint_is_a_mark_and_is_acknowledged_when_it_was_played() -> None:
    phone = Phone()
    phone.play(bytes(640))
    phone.say("checkpoint", streamId="s", name="greeting")
    phone.say("checkpoint", name=7)
    assert [said for said in phone.queue.said if said[0] == "mark"] == [("mark", "greeting"), ("mark", "7")]
    assert phone.told == []
    phone.player.played("greeting")
    assert phone.told == [{"event": "playedStream", "sequenceNumber": 1, "streamId": "s", "name": "greeting"}]


def test_a_clear_is_acknowledged_and_what_it_dropped_is_not() -> None:
    phone = Phone()
    phone.say("checkpoint", name="a")
    phone.say("clearAudio", streamId="s")
    assert phone.queue.said == [("mark", "a"), ("clear", None)]
    phone.player.cleared(("a",))
    assert phone.told == [{"event": "clearedAudio", "sequenceNumber": 1, "streamId": "s"}]
    assert (phone.ledger.checkpoints, phone.ledger.clears) == (1, 1)


def test_of_too_many_checkpoints_the_last_are_refused() -> None:
    phone = Phone()
    for n in range(MAX_MARKS + 5):
        phone.say("checkpoint", name=str(n))
    assert len(phone.queue.said) == MAX_MARKS
    assert phone.player.marks_refused == 5
    phone.player.played("0")
    phone.player.cleared(("1", "2"))
    for n in range(4):
        phone.say("checkpoint", name=f"again {n}")
    assert len(phone.queue.said) == MAX_MARKS + 3
    phone.say("checkpoint", name="x" * (MAX_NAME_CHARACTERS + 1))
    assert phone.player.marks_refused == 7
    assert phone.ledger.checkpoints == MAX_MARKS + 10


# --- keys ---


@pytest.mark.parametrize("audio_format", FORMATS)
def test_keys_are_sounded_in_order_and_reported(audio_format: AudioFormat) -> None:
    phone = Phone(audio_format)
    phone.play(bytes(audio_format.frame_bytes))
    phone.say("sendDTMF", dtmf="1wd#")
    phone.say("checkpoint", name="dialled")
    assert phone.keys == "1D#"
    assert phone.ledger.digits == 3
    assert [kind for kind, _ in phone.queue.said] == ["play"] * 5 + ["mark"]
    rate = audio_format.rate_hz
    sound = linear(phone.queued, audio_format)[audio_format.frame_samples :]
    assert len(sound) == int(rate * 1.1)
    for key, at in (("1", 0.0), ("D", 0.7), ("#", 0.9)):
        heard = sound[int(at * rate) : int((at + 0.1) * rate)]
        found = sorted(hz for hz, level in find_tones(heard, rate).items() if level > 2_000)
        assert found == [pytest.approx(hz, rel=0.005) for hz in frequencies(key)]
    assert level_of(sound[int(0.2 * rate) : int(0.7 * rate)], rate, 697) < 10


@pytest.mark.parametrize("digits", ["", "12x", "1 2", "1" * (MAX_KEYS + 1), None, ["1"]])
def test_what_is_no_row_of_keys_is_not_sounded(digits: object) -> None:
    phone = Phone()
    phone.say("sendDTMF", dtmf=digits)
    assert phone.queue.said == []
    assert (phone.keys, phone.ledger.malformed) == ("", 1)


def test_keys_for_which_there_is_no_room_are_not_reported() -> None:
    phone = Phone()
    phone.queue.room = len(dtmf("1", 16_000))
    phone.say("sendDTMF", dtmf="12")
    assert phone.keys == "1"
    assert phone.ledger.refused_ms == 200


# --- rubbish ---


RUBBISH = [
    b"", b"{", b"[]", b"null", b'"playAudio"', b"\xff\xfe", b"[" * 100_000, b'{"event":5}', b"{}",
    b'{"event":"playAudio"}', b'{"event":"playAudio","media":{}}', b'{"event":"checkpoint"}',
    b'{"event":"playAudio","media":{"payload":"%%%"}}', b'{"event":"checkpoint","name":{}}',
    b'{"event":"playAudio","media":{"payload":"AQID"}}',
    b'{"event":"playAudio","media":{"payload":"AQA=","sampleRate":44100}}',
    b'{"event":"playAudio","media":{"payload":"AQA=","contentType":"audio/wav"}}',
    b'{"event":"playAudio","media":{"payload":"AQA=","contentType":7}}',
    b'{"event":"sendDTMF","dtmf":"hello"}',
]  # fmt: skip


@pytest.mark.parametrize("message", RUBBISH, ids=lambda message: repr(message[:50]))
def test_rubbish_is_counted_and_changes_nothing(message: bytes) -> None:
    phone = Phone()
    phone.player.received(message, True)
    assert phone.ledger.malformed == 1
    assert phone.queue.said == phone.told == []
    phone.play(b"\1\0")
    assert phone.queued == b"\1\0"


def test_binary_is_rubbish_whatever_is_in_it() -> None:
    phone = Phone()
    phone.player.received(b'{"event":"clearAudio"}', False)
    assert (phone.ledger.malformed, phone.queue.said) == (1, [])


def test_nothing_but_rubbish_ends_it_and_something_in_between_does_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    phone = Phone()
    for _ in range(3):
        for _ in range(BAD_IN_A_ROW - 1):
            phone.player.received(b"x", True)
        phone.say("checkpoint", name="x")
    assert phone.given_up == 0
    for _ in range(2 * BAD_IN_A_ROW):
        phone.player.received(b"x", True)
    assert phone.given_up == 1
    assert len(caplog.records) == 1


def test_an_event_nobody_knows_is_counted_and_harmless() -> None:
    phone = Phone()
    for _ in range(2 * BAD_IN_A_ROW):
        phone.say("transcript", text="hello")
    assert phone.ledger.malformed == 2 * BAD_IN_A_ROW
    assert phone.given_up == 0


def test_the_delay_of_a_conversion_is_the_filter_s() -> None:
    converter = PlayConverter(L16_8K)
    pulse = np.zeros(1600, np.int16)
    pulse[400:402] = 10_000
    out = np.frombuffer(converter.convert(pulse.tobytes(), L16_16K), "<i2")
    at = int(np.abs(out.astype(np.int32)).argmax()) / 8_000
    assert at == pytest.approx(400 / 16_000 + resampler(16_000, 8_000).delay_s, abs=0.0002)
