from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plivo_stream import types as sdk

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K, AudioFormat, CallStart, Encoding
from bridge.legs import plivo_wire
from bridge.legs.plivo_call_wire import CallWriter
from bridge.legs.plivo_format import CONTENT_TYPES, format_name
from bridge.legs.plivo_headers import read_extra_headers, write_extra_headers
from bridge.legs.plivo_play_wire import (
    Checkpoint,
    ClearAudio,
    PlayAudio,
    PlayAudioWriter,
    PlayMedia,
    SendDigits,
    UnknownEvent,
    read_from_service,
    write_checkpoint,
    write_clear_audio,
    write_send_dtmf,
)
from bridge.legs.plivo_wire import (
    BadBase64,
    Cleared,
    Digits,
    Media,
    MediaBody,
    NotUnderstood,
    OddLength,
    Played,
    Start,
    Stopped,
    Unknown,
    WireError,
    check_payload,
    read_from_call,
)

pytestmark = pytest.mark.wire

CASES = Path(__file__).parents[2] / "wire_cases" / "plivo"


def cases(name: str) -> list[Any]:
    loaded: list[Any] = json.loads((CASES / f"{name}.json").read_text())
    return loaded


def expected_value(case: dict[str, Any]) -> object:
    match case:
        case {"start": start}:
            encoding, rate_hz = start.pop("format")
            audio_format = AudioFormat(Encoding(encoding), rate_hz)
            return Start(CallStart(**{**start, "tracks": tuple(start["tracks"])}, audio_format=audio_format))
        case {"media": media}:
            return Media(MediaBody(bytes.fromhex(media["payload"]), media["track"]))
        case {"digits": digits}:
            return Digits(digits)
        case {"played": name}:
            return Played(name)
        case {"cleared": _}:
            return Cleared()
        case {"stopped": _}:
            return Stopped()
        case {"unknown": event}:
            return Unknown(event)
    raise AssertionError(case)


@pytest.mark.parametrize("case", cases("from_call"), ids=lambda case: case["name"])
def test_what_a_call_says_is_read(case: dict[str, Any]) -> None:
    message = case["message"].encode()
    if "error" in case:
        with pytest.raises(getattr(plivo_wire, case["error"])) as raised:
            read_from_call(message)
        assert (raised.value.close_code is not None) == (case["error"] == "BadStart")
    else:
        assert read_from_call(message) == expected_value(case)


@pytest.mark.parametrize("case", cases("extra_headers"), ids=lambda case: str(case["written"]))
def test_extra_headers_are_read_in_all_their_forms(case: dict[str, Any]) -> None:
    assert read_extra_headers(case["written"]) == case["headers"]


@pytest.mark.parametrize("case", cases("to_call"), ids=lambda case: " ".join(map(str, case["write"])))
def test_what_the_bridge_says_is_exact(case: dict[str, Any]) -> None:
    match case["write"]:
        case ["playAudio", encoding, rate_hz, payload]:
            writer = PlayAudioWriter(AudioFormat(Encoding(encoding), rate_hz))
            message = writer.write(bytes.fromhex(payload))
        case ["checkpoint", stream_id, name]:
            message = write_checkpoint(stream_id, name)
        case ["clearAudio", stream_id]:
            message = write_clear_audio(stream_id)
        case ["sendDTMF", digits]:
            message = write_send_dtmf(digits)
    assert message.decode() == case["message"]


SDK_OF_A_SERVICE = {
    "playAudio": sdk.PlayAudioEvent,
    "checkpoint": sdk.CheckpointEvent,
    "clearAudio": sdk.ClearAudioEvent,
}


@pytest.mark.parametrize(
    "case",
    [case for case in cases("to_call") if case["write"][0] in SDK_OF_A_SERVICE],  # it has no sendDTMF
    ids=lambda case: " ".join(map(str, case["write"])),
)
def test_the_vendor_s_types_accept_what_the_bridge_says(case: dict[str, Any]) -> None:
    parsed = SDK_OF_A_SERVICE[case["write"][0]].model_validate_json(case["message"])
    assert json.loads(parsed.model_dump_json(by_alias=True)) == json.loads(case["message"])


def a_start(audio_format: AudioFormat, *tracks: str, **headers: str) -> CallStart:
    return CallStart(
        str(uuid.uuid4()), str(uuid.uuid4()), "MA1", tracks or ("inbound",), audio_format, headers
    )


def test_the_vendor_s_types_accept_what_a_simulated_call_says() -> None:
    writer = CallWriter(a_start(L16_16K, user="1"))
    assert sdk.StartEvent.model_validate_json(writer.start()).start.media_format.sample_rate == 16000
    media = sdk.MediaEvent.model_validate_json(writer.media("inbound", b"\x01\x00", 1705312200000))
    assert (media.sequence_number, media.media.chunk, media.media.timestamp) == (2, 1, "1705312200000")
    assert sdk.DtmfEvent.model_validate_json(writer.dtmf("inbound", "5", 1)).dtmf.digit == "5"
    assert sdk.PlayedStreamEvent.model_validate_json(writer.played("x")).name == "x"
    assert sdk.ClearedAudioEvent.model_validate_json(writer.cleared()).sequence_number == 5


HEADERS = st.dictionaries(
    st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True),
    st.text(max_size=12),
    max_size=5,
)


@given(
    st.sampled_from([L16_8K, L16_16K, ULAW_8K]),
    st.sampled_from([("inbound",), ("outbound",), ("inbound", "outbound")]),
    HEADERS,
    st.binary(max_size=700),
)
def test_what_a_simulated_call_writes_is_read_back(
    audio_format: AudioFormat, tracks: tuple[str, ...], headers: dict[str, str], payload: bytes
) -> None:
    start = a_start(audio_format, *tracks, **headers)
    writer = CallWriter(start)
    assert read_from_call(writer.start()) == Start(start)
    assert read_from_call(writer.media(tracks[0], payload, 5)) == Media(MediaBody(payload, tracks[0]))
    assert read_from_call(writer.dtmf(tracks[0], "*", 5)) == Digits("*")
    assert read_from_call(writer.played("näme")) == Played("näme")
    assert read_from_call(writer.cleared()) == Cleared()
    assert read_from_call(writer.stop()) == Stopped()
    assert read_extra_headers(write_extra_headers(headers)) == headers


@given(st.sampled_from([L16_8K, L16_16K, ULAW_8K]), st.binary(max_size=700), st.text(), st.text())
def test_what_the_bridge_writes_is_read_back(
    audio_format: AudioFormat, payload: bytes, stream_id: str, name: str
) -> None:
    played = read_from_service(PlayAudioWriter(audio_format).write(payload))
    assert isinstance(played, PlayAudio)
    assert played.media.payload == payload
    assert played.media.audio_format(L16_8K) == audio_format
    assert read_from_service(write_checkpoint(stream_id, name)) == Checkpoint(name)
    assert read_from_service(write_clear_audio(stream_id)) == ClearAudio()
    assert read_from_service(write_send_dtmf("12")) == SendDigits("12")


@pytest.mark.parametrize(
    ("media", "usual", "understood"),
    [
        ('{"payload":""}', L16_16K, L16_16K),
        ('{"payload":"","sampleRate":"8000"}', L16_8K, L16_8K),
        ('{"payload":"","contentType":"audio/x-mulaw","sampleRate":"8000"}', L16_8K, ULAW_8K),
        ('{"payload":"","contentType":"audio/x-l16;rate=16000"}', L16_16K, L16_16K),
        ('{"payload":"","contentType":"audio/wav","sampleRate":8000}', L16_8K, None),
        ('{"payload":"","sampleRate":44100}', L16_8K, None),
    ],
)
def test_a_service_may_say_its_format_in_several_ways(
    media: str, usual: AudioFormat, understood: AudioFormat | None
) -> None:
    message = read_from_service(f'{{"event":"playAudio","streamId":"x","media":{media}}}')
    assert isinstance(message, PlayAudio)
    assert message.media.audio_format(usual) == understood


@pytest.mark.parametrize(
    ("message", "understood"),
    [
        ('{"event":"playAudio","media":{"payload":"AQA"}}', PlayAudio(PlayMedia(b"\1\0"))),
        ('{"event":"playAudio","media":{"payload":"AQ\\nA="}}', PlayAudio(PlayMedia(b"\1\0"))),
        ('{"event":"checkpoint","streamId":7,"name":12}', Checkpoint("12")),
        ('{"event":"sendDTMF","dtmf":123}', SendDigits("123")),
    ],
)  # fmt: skip
def test_usual_events_in_unusual_shapes_are_read(message: str, understood: object) -> None:
    assert read_from_service(message) == understood


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b'{"event":"playAudio","media":{"payload":"A"}}', BadBase64),
        (b'{"event":"stop"}', UnknownEvent),
        (b'{"event":"error","reason":"x"}', UnknownEvent),
        (b'{"event":"checkpoint","name":null}', NotUnderstood),
        (b'{"event":"checkpoint","name":"\xed\xa0\x80"}', NotUnderstood),
        (b'["playAudio"]', NotUnderstood),
    ],
)
def test_what_a_service_says_wrong_has_a_name(message: bytes, error: type[WireError]) -> None:
    with pytest.raises(error) as raised:
        read_from_service(message)
    assert raised.type is error


def test_a_header_is_percent_encoded_where_it_must_be() -> None:
    assert write_extra_headers({}) == "{}"
    assert write_extra_headers({"Test1": "Test2", "n": "1.5_a-b~"}) == "Test1=Test2;n=1.5_a-b~"
    assert write_extra_headers({"a b": "ü;=,%"}) == "a%20b=%C3%BC%3B%3D%2C%25"
    assert write_extra_headers({"a": "\ud800"}) == "a=%3F"


def test_a_message_that_was_not_sent_leaves_no_gap_in_the_numbers() -> None:
    writer = CallWriter(a_start(L16_8K))
    writer.start()
    assert json.loads(writer.media("inbound", b"", 20, 7))["sequenceNumber"] == 2
    writer.take_back()
    again = json.loads(writer.media("inbound", b"", 20, 7))
    assert (again["sequenceNumber"], again["media"]["chunk"]) == (2, 7)
    assert json.loads(writer.media("inbound", b"", 40))["media"]["chunk"] == 8


def test_odd_l16_is_refused_and_odd_ulaw_is_not() -> None:
    check_payload(b"abc", ULAW_8K)
    check_payload(b"abcd", L16_8K)
    with pytest.raises(OddLength):
        check_payload(b"abc", L16_8K)


def test_content_types_and_names_agree() -> None:
    for written, audio_format in CONTENT_TYPES.items():
        assert written == f"{format_name(audio_format)};rate={audio_format.rate_hz}"


def test_digits_are_not_shown() -> None:
    assert "5" not in repr(read_from_call(b'{"event":"dtmf","dtmf":{"digit":"5"}}'))
    assert "5" not in repr(SendDigits("5"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["start", "media", "dtmf", "playedStream", "clearedAudio", "stop", "x"]
NEARLY = st.fixed_dictionaries(
    {"event": st.sampled_from(NAMES) | JSON},
    optional={
        "start": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                key: JSON for key in ("callId", "streamId", "accountId", "tracks", "mediaFormat")
            },
        ),
        "media": JSON | st.fixed_dictionaries({"payload": JSON}, optional={"track": JSON}),
        "dtmf": JSON | st.fixed_dictionaries({"digit": JSON}),
        "name": JSON,
        "extra_headers": JSON,
        "streamId": JSON,
    },
)  # fmt: skip


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode())
       | NEARLY.map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_garbage_gives_a_wire_error_or_a_value_and_nothing_else(message: bytes) -> None:
    try:
        read_from_call(message)
    except WireError as error:
        assert error.figure
    try:
        read_from_service(message)
    except WireError as error:
        assert error.figure


@pytest.mark.parametrize("nested", [b'{"event":' + b"[" * 100_000, b"[" * 100_000, b'{"media":' * 50_000])
def test_deep_nesting_is_garbage_like_any_other(nested: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read_from_call(nested)


@given(st.text(max_size=300) | st.text(alphabet=",;=: {}ax%", max_size=300))
def test_any_text_gives_extra_headers(written: str) -> None:
    assert all(isinstance(value, str) for value in read_extra_headers(written).values())


def test_huge_extra_headers_take_no_time_and_are_cut() -> None:
    assert len(read_extra_headers("a=" + ", " * 1_000_000 + ";b=1")) == 1
    assert len(read_extra_headers(";".join(f"k{n}=v" for n in range(1000)))) == 64
