"""What becomes of a stream is told to `status_callback_url`, as Plivo tells it."""

from __future__ import annotations

import pytest
from plivo.utils import validate_v3_signature

from bridge.errors import HttpFailed
from bridge.legs.plivo_signature_wire import as_asked, with_query
from bridge.switch_events import LegInterruptedOn, LegResumed
from tests.kit.fork_house import EVENTS, SERVICE, Asked, ForkHouse
from tests.kit.plivo_house import AUTH_TOKEN

pytestmark = pytest.mark.wire


def is_right(asked: Asked) -> bool:
    nonce, signed = asked.headers["x-plivo-signature-v3-nonce"], asked.headers["x-plivo-signature-v3"]
    form = asked.fields if asked.method == "POST" else None
    return bool(validate_v3_signature(asked.method, asked.url, nonce, AUTH_TOKEN, signed, form))


async def test_start_and_stop_are_told_in_a_signed_form(forks: ForkHouse) -> None:
    stream_id = await forks.start(status_callback_url=EVENTS, name="Zoë")
    await forks.settle()
    (started,) = forks.asked
    assert (started.method, started.url) == ("POST", EVENTS)
    assert started.headers["content-type"] == "application/x-www-form-urlencoded"
    assert started.fields == {
        "Event": "StartStream",
        "StreamID": stream_id,
        "CallUUID": forks.anna.id,
        "From": "Anna",
        "To": "Talk",
        "Timestamp": "2023-11-14 22:13:20+00:00",
        "ServiceURL": SERVICE,
        "Name": "Zoë",
        "ParticipantID": forks.anna.id,
    }
    forks.now += 2
    await forks.http.delete(forks.streams())
    await forks.settle()
    stopped = forks.asked[1]
    assert (stopped.event, stopped.fields["Reason"]) == ("StopStream", "API request")
    assert stopped.fields["Timestamp"] == "2023-11-14 22:13:22+00:00"
    assert is_right(started) and is_right(stopped)


async def test_get_puts_it_into_the_query(forks: ForkHouse) -> None:
    await forks.start(status_callback_url=EVENTS, status_callback_method="get", name="Zoë")
    await forks.settle()
    (started,) = forks.asked
    assert (started.method, started.content) == ("GET", b"")
    assert started.url.startswith(EVENTS + "&Event=StartStream&")
    assert started.fields["token"] == "t0k3n"
    assert started.fields["Name"] == "Zo%C3%AB"  # the vendor's check takes ASCII only
    assert is_right(started)


@pytest.mark.parametrize(
    ("cause", "event", "reason", "detail"),
    [
        ("connect failed: no such host", "DroppedStream", "Connection error", "connect failed: no such host"),
        ("service closed: 1000", "DroppedStream", "Connection error", "service closed: 1000"),
        ("connection lost", "DroppedStream", "Connection error", "connection lost"),
        ("too slow", "DroppedStream", "Connection error", "too slow"),
        ("not understood", "DroppedStream", "Connection error", "not understood"),
        ("stream timeout", "StopStream", "Stream timeout", None),
        ("ended", "StopStream", "Call hangup", None),
        ("restart", "DroppedStream", "Connection error", "restart"),
    ],
)
async def test_every_end_has_its_event_and_its_reason(
    forks: ForkHouse, cause: str, event: str, reason: str, detail: str | None
) -> None:
    stream_id = await forks.start(status_callback_url=EVENTS, up="failed" not in cause)
    forks.lose(stream_id, cause)
    await forks.settle()
    told = forks.asked[-1].fields
    assert (told["Event"], told["Reason"], told.get("Detail")) == (event, reason, detail)
    assert forks.events == (["StartStream", event] if "failed" not in cause else [event])
    shown = await forks.get(stream_id)
    assert (shown["end_reason"], shown["end_detail"]) == (reason, detail or "")


async def test_the_calls_end_is_a_hangup(forks: ForkHouse) -> None:
    await forks.start(status_callback_url=EVENTS)
    forks.switchboard.down(forks.conference.id, forks.anna.id)
    await forks.settle()
    assert (forks.asked[-1].event, forks.asked[-1].fields["Reason"]) == ("StopStream", "Call hangup")


async def test_a_slow_service_is_told_step_by_step(forks: ForkHouse) -> None:
    stream_id = await forks.start(status_callback_url=EVENTS)
    for percent in (30, 60, 90):
        forks.behind(stream_id, percent)
    await forks.settle()
    degraded = [asked.fields for asked in forks.asked if asked.event == "DegradedStream"]
    assert [fields["Percent"] for fields in degraded] == ["30", "60", "90"]


async def test_a_redialled_service_that_is_away_and_comes_back_is_told_of(forks: ForkHouse) -> None:
    stream_id = await forks.start(status_callback_url=EVENTS, redial=True)
    room, ledger = forks.conference.id, forks.fork(stream_id).ledger
    ledger.unsent_share = 0.123
    forks.switchboard.emit(LegInterruptedOn(room, stream_id, "connection lost"))
    ledger.connects += 1
    forks.switchboard.emit(LegResumed(room, stream_id))
    forks.switchboard.emit(LegInterruptedOn(room, forks.anna.id, "nothing heard"))
    forks.switchboard.emit(LegResumed(room, forks.anna.id))
    await forks.http.delete(forks.streams())
    await forks.settle()
    assert forks.events == ["StartStream", "DegradedStream", "StartStream", "StopStream"]
    away, back = forks.asked[1].fields, forks.asked[2].fields
    assert (away["Percent"], away["Reason"], away["Detail"]) == ("12", "Connection error", "connection lost")
    assert back["Reconnects"] == "1" and "Reconnects" not in forks.asked[0].fields


async def test_a_failing_receiver_gets_everything_in_order_later(forks: ForkHouse) -> None:
    forks.answers = [503, HttpFailed("the connection was closed"), 200, 429, 200]
    stream_id = await forks.start(status_callback_url=EVENTS)
    forks.behind(stream_id, 30)
    await forks.http.delete(forks.streams())
    await forks.settle()
    assert forks.events == ["StartStream"] * 3 + ["DegradedStream"] * 2 + ["StopStream"]
    assert all(is_right(asked) for asked in forks.asked)
    nonces = {asked.headers["x-plivo-signature-v3-nonce"] for asked in forks.asked}
    assert len(nonces) == 6
    figures = forks.facade.webhooks.look()
    assert (figures.sent, figures.retried) == (3, 3)


async def test_a_bots_callbacks_say_who_it_is(forks: ForkHouse) -> None:
    await forks.start(forks.conference.id, bidirectional=True, name="Helper", status_callback_url=EVENTS)
    await forks.settle()
    told = forks.asked[0].fields
    assert told["CallUUID"] == forks.conference.id
    assert told["ParticipantID"] == forks.people()["Helper"].id
    assert (told["From"], told["To"]) == ("", "Talk")


async def test_without_an_address_nothing_is_told(forks: ForkHouse) -> None:
    await forks.start()
    await forks.http.delete(forks.streams())
    await forks.settle()
    assert not forks.asked


async def test_an_account_that_is_gone_signs_nothing(forks: ForkHouse) -> None:
    stream_id = await forks.start(status_callback_url=EVENTS)
    spec = forks.spec(stream_id)
    forks.accounts.replace([])
    assert spec.handshake() == {}
    forks.lose(stream_id)
    await forks.settle()
    assert "x-plivo-signature-v3" not in forks.asked[-1].headers


async def test_no_secret_is_logged(forks: ForkHouse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    forks.answers = [404]
    stream_id = await forks.start(status_callback_url=EVENTS, extra_headers="k=h1dd3n")
    forks.switchboard.press(forks.conference.id, forks.anna.id, "7")
    forks.lose(stream_id, "connection lost")
    await forks.settle()
    assert "given up" in caplog.text and "stream" in caplog.text
    for secret in ("s3cr3t", "t0k3n", "h1dd3n", AUTH_TOKEN):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("wss://H.example", "https://h.example/"),
        ("ws://h.example:80/a?b=c", "http://h.example/a?b=c"),
        ("wss://h.example:443/a", "https://h.example/a"),
        ("wss://h.example:444/a", "https://h.example:444/a"),
        ("ws://h.example:443/a#part", "http://h.example:443/a"),
        ("ws://[::1]:8000/a", "http://[::1]:8000/a"),
        ("wss://bücher.example/ä?ö=%C3%BC", "https://xn--bcher-kva.example/%C3%A4?%C3%B6=%C3%BC"),
        ("https://h.example/e?x=1", "https://h.example/e?x=1"),
    ],
)
def test_what_is_signed_is_what_the_other_side_sees(url: str, asked: str) -> None:
    assert as_asked(url) == asked


def test_a_query_is_put_behind_the_one_there_is() -> None:
    assert with_query("https://h/e", {"a": "b c"}) == "https://h/e?a=b+c"
    assert with_query("https://h/e?x=1", {"a": "b"}) == "https://h/e?x=1&a=b"
