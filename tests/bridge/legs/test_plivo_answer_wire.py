"""What answer URLs give: as the vendor's own library writes it, as people write it, and as enemies do."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plivo import plivoxml

from bridge.core.ports import L16_8K, L16_16K, ULAW_8K
from bridge.legs.plivo_answer_wire import (
    Answer,
    BadAnswer,
    HangupElement,
    OtherElement,
    RedirectElement,
    StreamElement,
    WaitElement,
    is_address,
    read_answer,
)

pytestmark = pytest.mark.wire

URL = "wss://bot.example/stream?call=1"


def read(inside: str) -> Answer:
    return read_answer(f"<Response>{inside}</Response>".encode())


def stream(attributes: str = "", url: str = URL) -> StreamElement:
    (element,) = read(f"<Stream {attributes}>{url}</Stream>").elements
    assert isinstance(element, StreamElement)
    return element


def why(inside: str) -> str:
    with pytest.raises(BadAnswer) as refused:
        read(inside)
    return str(refused.value)


def test_what_the_vendor_s_library_writes_is_read_as_it_was_meant() -> None:
    response = plivoxml.ResponseElement()
    response.add(plivoxml.WaitElement(length=3))
    response.add(
        plivoxml.StreamElement(
            URL, bidirectional=True, audioTrack="inbound", streamTimeout=60, keepCallAlive=True,
            statusCallbackUrl="https://bot.example/events", statusCallbackMethod="GET",
            contentType="audio/x-mulaw;rate=8000", extraHeaders="tenant=12,tier=gold",
        )
    )  # fmt: skip
    response.add(plivoxml.RedirectElement("https://bot.example/next", method="GET"))
    response.add(plivoxml.HangupElement(schedule=60))
    response.add(plivoxml.HangupElement(reason="busy"))
    answer = read_answer(response.to_string().encode())
    assert answer.remarks == ()
    assert answer.elements == (
        WaitElement(3),
        StreamElement(
            URL, True, ("inbound",), ULAW_8K, 60, "https://bot.example/events", "GET",
            {"tenant": "12", "tier": "gold"}, True,
        ),
        RedirectElement("https://bot.example/next", "GET"),
        HangupElement("", 60),
        HangupElement("busy", None),
    )  # fmt: skip


def test_a_bare_stream_has_the_vendor_s_defaults() -> None:
    bare = stream(url=f"\n  {URL}\n")
    assert bare == StreamElement(URL, False, ("inbound",), L16_8K, 86_400, "", "POST", {}, False)
    assert not bare.alone


def test_only_a_bidirectional_stream_is_alone() -> None:
    assert stream('bidirectional="true" keepCallAlive="true"').alone
    assert not stream('keepCallAlive="true"').alone
    assert not stream('bidirectional="true"').alone


@pytest.mark.parametrize(
    ("written", "audio_format"),
    [
        ("audio/x-l16;rate=16000", L16_16K),
        ("audio/x-l16; rate=8000", L16_8K),
        ("Audio/X-MuLaw;rate=8000", ULAW_8K),
    ],
)
def test_content_types(written: str, audio_format: object) -> None:
    assert stream(f'contentType="{written}"').audio_format == audio_format


@pytest.mark.parametrize(
    ("track", "tracks"),
    [("inbound", ("inbound",)), ("outbound", ("outbound",)), ("both", ("inbound", "outbound"))],
)
def test_tracks(track: str, tracks: tuple[str, ...]) -> None:
    assert stream(f'audioTrack="{track}"').tracks == tracks


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ('contentType="audio/wav"', "contentType must be one of audio/x-l16;rate=8000, "),
        ('audioTrack="all"', "audioTrack must be one of inbound, outbound, both"),
        ('bidirectional="true" audioTrack="both"', "audioTrack cannot be outbound or both when bidirect"),
        ('bidirectional="maybe"', "bidirectional must be one of true, false"),
        ('streamTimeout="0"', "streamTimeout must be a whole number of seconds above 0"),
        ('streamTimeout="1e3"', "streamTimeout must be a whole number"),
        ('statusCallbackUrl="/events"', "statusCallbackUrl is no address that begins with https://"),
        ('statusCallbackMethod="PUT"', "statusCallbackMethod must be one of get, post"),
        (f'extraHeaders="a={"x" * 600}"', "extraHeaders is longer than 512 bytes"),
    ],
)
def test_what_a_stream_cannot_be(attributes: str, text: str) -> None:
    assert text in why(f"<Stream {attributes}>{URL}</Stream>")


@pytest.mark.parametrize(
    "url", ["", "https://bot.example/s", "bot.example", "wss://", "wss://a b/", "ws://h:0/"]
)
def test_a_stream_needs_an_address(url: str) -> None:
    assert why(f"<Stream>{url}</Stream>").startswith("<Stream> holds no address")


def test_elements_that_are_not_carried_out_are_named() -> None:
    answer = read(
        '<Speak>Hello</Speak><Record recordSession="true"/><Record/><Message>x</Message><Say>Hi</Say>'
        "<PreAnswer><Play>https://bot.example/a.mp3</Play><Wait length='2'/></PreAnswer>"
    )
    assert answer.elements == (
        OtherElement("Speak", True, True),
        OtherElement("Record", True, False),
        OtherElement("Record", True, True),
        OtherElement("Message", True, False),
        OtherElement("Say", False, False),
        OtherElement("Play", True, True),
        WaitElement(2),
    )


def test_what_means_nothing_is_remarked() -> None:
    answer = read(
        f'<Stream colour="red" noiseCancellation="true" noiseCancellationLevel="80" extraHeaders="oops">{URL}'
        '<Say/></Stream>hello<Wait silence="true"/><Wait beep="false"/>'
    )
    assert answer.remarks == (
        "text in <Response> means nothing",
        "<Stream>: extraHeaders holds no key=value",
        "<Stream>: noiseCancellation is not carried out",
        "<Stream>: noiseCancellationLevel is not carried out",
        "<Stream> has no attribute colour",
        "<Say> in <Stream> means nothing",
        "<Wait>: silence is not carried out",
    )


def test_an_empty_response_is_read_and_holds_nothing() -> None:
    assert read_answer(b'<?xml version="1.0" encoding="utf-8"?>\n<Response/>') == Answer(())


BOMB = """<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>
<Response><Speak>&c;</Speak></Response>"""


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b'{"answer": 42}', "it is not XML (line 1, column 1)"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "it declares a document type"),
        (b"<html/>", "its root is <html>, not <Response>"),
        (b"<Response><Stream></Response>", "it is not XML (line 1, column 21)"),
        (b"<Response/><Response/>", "it is not XML"),
        (b"<Response>&undefined;</Response>", "it is not XML"),
        (b"<Response>\xff\xfe</Response>", "it is not XML"),
        (b'<?xml version="1.0" encoding="klingon"?><Response/>', "it is in an encoding that cannot"),
        (b'<?xml version="1.0" encoding="shift_jis"?><Response/>', "it is in an encoding that cannot"),
        (BOMB.encode(), "it declares a document type"),
        (b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><Response/>', "it declares a document type"),
        (b"<Response>" + b"<Wait/>" * 501 + b"</Response>", "it has more elements"),
        (b"<Response>" + b"<PreAnswer>" * 30 + b"</PreAnswer>" * 30 + b"</Response>", "it has more elements"),
        (b"<Response>" + b" " * 103_000 + b"</Response>", "it is longer than 100 KB"),
        (b"<" + b"x" * 1_000 + b"/>", f"its root is <{'x' * 39}…>"),
    ],
)  # fmt: skip
def test_documents_that_are_refused(document: bytes, text: str) -> None:
    began = time.process_time()
    with pytest.raises(BadAnswer) as refused:
        read_answer(document)
    assert text in str(refused.value)
    assert time.process_time() - began < 0.5


def test_addresses_never_stand_in_what_is_told() -> None:
    assert "s3cret" not in repr(
        read(f"<Stream>{URL}&amp;token=s3cret</Stream><Redirect>http://h/?s3cret</Redirect>")
    )
    assert "s3cret" not in why("<Stream>ftp://h/?token=s3cret</Stream>")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(document: bytes) -> None:
    try:
        read_answer(document)
    except BadAnswer:
        pass


@given(st.text(max_size=60))
def test_any_address_is_judged(url: str) -> None:
    assert isinstance(is_address(url, ("http", "https")), bool)
