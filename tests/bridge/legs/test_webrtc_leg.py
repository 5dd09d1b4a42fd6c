from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest
from aiortc import RTCBundlePolicy

from bridge.core.events import LegClosed, LegConnected, LegInterrupted, TextReceived
from bridge.core.ports import CloseReason, MixSource, SoloSource, WebRtcOffer
from bridge.errors import BadOffer, LimitReached
from bridge.legs.webrtc_leg import WebRtcLeg
from bridge.legs.webrtc_legs import WebRtcLegs
from bridge.legs.webrtc_settings import WebRtcSettings
from tests.kit.browser_peer import BrowserPeer, Tone
from tests.kit.fake_port import FakePort
from tests.kit.offers import SDK_FIRST_OFFER
from tests.kit.opus_sound import decoded, play, tone_packets
from tests.kit.peer_on_leg import PeerOnLeg
from tests.kit.tones import find_tones, level_of

pytestmark = pytest.mark.e2e

SETTINGS = WebRtcSettings(loopback_candidate=True)


def is_closed(event: object) -> bool:
    return isinstance(event, LegClosed)


async def hears(pair: PeerOnLeg, mid: str, frequency_hz: int) -> None:
    """Send that tone in a section, and find it, and nothing else, at the peer."""
    playing = asyncio.create_task(play(pair.port.outputs[mid][1], tone_packets(frequency_hz, 1.2)))
    sound = await pair.peer.heard[mid].next(0.4, skip=0.3)
    assert list(find_tones(sound, 48_000)) == [frequency_hz]
    await playing


async def test_plain_peer_is_heard_and_hears_the_conference() -> None:
    async with PeerOnLeg() as pair:
        mid = await pair.peer.join_plain(Tone(440, amplitude=8000))
        await pair.connected()
        assert pair.port.outputs[mid][0] == MixSource()
        packets = await pair.port.inputs["primary"].next(40)
        sound = decoded(packet[0] for packet in packets)[9600:]
        assert level_of(sound, 48_000, 440) == pytest.approx(8000, rel=0.05)
        await hears(pair, mid, 1000)


async def test_packets_arrive_with_the_senders_numbers_and_times() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440), "sendonly")
        packets = await pair.port.inputs["primary"].next(10)
    numbers = [number for _, number, _, _ in packets]
    times = [timestamp for _, _, timestamp, _ in packets]
    assert [(b - a) & 0xFFFF for a, b in zip(numbers, numbers[1:], strict=False)] == [1] * 9
    assert [(b - a) & 0xFFFFFFFF for a, b in zip(times, times[1:], strict=False)] == [960] * 9


async def test_plain_listener_gets_the_mix_and_opens_no_input() -> None:
    async with PeerOnLeg() as pair:
        mid = await pair.peer.join_plain(None, "recvonly")
        assert pair.port.inputs == {}
        await hears(pair, mid, 700)


async def test_plain_peers_own_data_channel_carries_text_both_ways() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440), channel=True)
        pair.leg.send('{"type":"updated"}')
        assert await pair.peer.text() == '{"type":"updated"}'
        pair.peer.send_text("1:conference#audio:1:2")
        came = await pair.port.event(lambda event: isinstance(event, TextReceived))
        assert came == TextReceived("1:conference#audio:1:2")


async def test_text_for_a_peer_without_data_channel_is_dropped() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440))
        await pair.connected()
        for _ in range(2000):
            pair.leg.send("nobody hears this")
        assert pair.leg.state == "connected"
        assert pair.leg.text.unsent_bytes == 0


async def test_sdk_joins_publishes_subscribes_swaps_and_stops() -> None:
    async with PeerOnLeg() as pair:
        peer = pair.peer
        await peer.join_as_sdk()
        assert pair.port.log == []
        assert "m=video" in peer.answers[-1]

        await peer.publish(Tone(440))
        assert pair.port.log == ["open primary"]
        packets = await pair.port.inputs["primary"].next(30)
        assert list(find_tones(decoded(one[0] for one in packets)[9600:], 48_000)) == [440]

        mid = await peer.subscribe("conference")
        assert pair.port.outputs[mid][0] == MixSource()
        await hears(pair, mid, 440)

        await peer.unsubscribe(mid)
        assert pair.port.outputs == {}
        again = await peer.subscribe("bob#primary")
        assert again == mid, "the section is used again"
        assert pair.port.outputs[mid][0] == SoloSource("bob", "primary")
        await hears(pair, mid, 1000)

        other = await peer.subscribe("bob#secondary")
        assert pair.port.outputs[other][0] == SoloSource("bob", "secondary")

        await peer.publish(Tone(600), "secondary")
        await pair.port.inputs["secondary"].next(3)
        await peer.publish(None)
        assert set(pair.port.inputs) == {"secondary"}
        await pair.port.inputs["secondary"].next(3)
        assert len(pair.all) == 1, "all of it on one connection"


async def test_label_swapped_in_one_offer_changes_the_source_without_a_break() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_as_sdk()
        mid = await pair.peer.subscribe("conference")
        await hears(pair, mid, 440)
        sender = pair.port.outputs[mid][1]
        await pair.peer.relabel(mid, "bob#primary")
        assert pair.port.outputs[mid] == (SoloSource("bob"), sender), "the sender stays"
        await hears(pair, mid, 1000)
        pts = pair.peer.heard[mid].pts
        assert all(before < after for before, after in zip(pts, pts[1:], strict=False))


async def test_after_recovery_all_sections_come_in_one_offer_to_a_leg_of_its_own() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_as_sdk()
        await pair.peer.close()
        again = BrowserPeer(pair.ask)
        await again.join_as_sdk(publish=Tone(440), subscribe=["conference", "bob#primary"])
        assert len(pair.all) == 2
        assert len(again.offers) == 2, "a data channel, then everything at once"
        pair.peer = again
        await pair.port.inputs["primary"].next(5)
        await hears(pair, "5", 900)
        await hears(pair, "6", 1200)


async def test_renegotiation_of_another_connection_is_left_to_another_leg() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440))
        await pair.connected()
        stranger = pair.peer.offers[0]
        assert await pair.leg.renegotiate(WebRtcOffer(stranger)) is not None
        other_ufrag = re.sub(r"a=ice-ufrag:\S+", "a=ice-ufrag:abcd", stranger)
        assert await pair.leg.renegotiate(WebRtcOffer(other_ufrag)) is None
        other_key = re.sub(
            r"(a=fingerprint:sha-\d+ )(..)",
            lambda found: found[1] + ("00" if found[2] != "00" else "11"),
            stranger,
        )
        assert await pair.leg.renegotiate(WebRtcOffer(other_key)) is None
        with pytest.raises(BadOffer):
            await pair.leg.renegotiate(WebRtcOffer("v=0\r\n"))
        assert pair.leg.state == "connected"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (CloseReason.EXPELLED, ["4001"]),
        (CloseReason.REPLACED, ["4001"]),
        (CloseReason.ENDED, ["4000"]),
        (CloseReason.RESTART, []),
    ],
)
async def test_the_reason_of_a_close_is_said_before_the_channel_closes(
    reason: CloseReason, said: list[str]
) -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_as_sdk()
        await pair.leg.close(reason)
        await pair.peer.channel_closed()
        assert pair.peer.texts == said
        assert not any(is_closed(event) for event in pair.port.events), "the bridge asked for it"


async def test_sdk_that_leaves_ends_its_leg_at_once() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_as_sdk()
        await pair.peer.close()
        assert await pair.port.event(is_closed, timeout=2) == LegClosed("the peer left")


async def test_plain_peer_that_leaves_ends_its_leg_at_once() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440))
        await pair.peer.close()
        closed = await pair.port.event(is_closed, timeout=2)
        assert closed == LegClosed("the peer closed the connection")
        assert pair.legs.figures().ice_failures == 0


async def test_peer_that_never_comes_is_given_up() -> None:
    legs = WebRtcLegs(replace(SETTINGS, connect_timeout_s=0.2))
    port = FakePort()
    leg = legs(port, WebRtcOffer(SDK_FIRST_OFFER))
    await leg.start()
    assert await port.event(is_closed, timeout=2) == LegClosed("no connection within 0.2 s")
    assert leg.state == "closed"
    assert legs.figures().ice_failures == 1
    await leg.close(CloseReason.FAILED)


async def test_peer_gone_without_a_word_ends_its_leg_when_its_consent_runs_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.05)
    monkeypatch.setattr("aioice.ice.CONSENT_FAILURES", 2)
    async with PeerOnLeg() as pair:
        await pair.peer.join_plain(Tone(440))
        await pair.connected()
        pair.peer.vanish()
        closed = await pair.port.event(is_closed, timeout=5)
        assert closed == LegClosed("the peer no longer answers")


async def test_peer_with_another_certificate_than_it_offered_is_not_let_in() -> None:
    legs = WebRtcLegs(SETTINGS)
    port = FakePort()
    legs_made: list[WebRtcLeg] = []

    async def ask(sdp: str) -> str:
        forged = re.sub(r"a=fingerprint:(sha-\d+) ..:..", r"a=fingerprint:\1 00:11", sdp)
        legs_made.append(legs(port, WebRtcOffer(forged)))
        return await legs_made[0].start()

    async with BrowserPeer(ask) as peer:
        joining = asyncio.create_task(peer.join_plain(Tone(440)))
        assert await port.event(is_closed) == LegClosed("DTLS failed")
        assert port.inputs["primary"].packets == []
        assert legs.figures().ice_failures == 1
        joining.cancel()
        await asyncio.gather(joining, return_exceptions=True)
    await legs_made[0].close(CloseReason.FAILED)


async def test_bare_client_with_a_transport_for_each_section_is_bundled_on_one() -> None:
    async with PeerOnLeg() as pair:
        pair.peer = BrowserPeer(pair.ask, strip_candidates=False, bundle=RTCBundlePolicy.BALANCED)
        mid = await pair.peer.join_plain(Tone(440), channel=True)
        await pair.connected()
        await hears(pair, mid, 800)
        pair.leg.send("hello")
        assert await pair.peer.text() == "hello"


async def test_nothing_more_reaches_the_inputs_of_a_leg_that_is_being_closed() -> None:
    async with PeerOnLeg() as pair:
        await pair.peer.join_as_sdk()
        await pair.peer.publish(Tone(440))
        taken = pair.port.inputs["primary"]
        await taken.next(5)
        closing = asyncio.create_task(pair.leg.close(CloseReason.EXPELLED))
        await asyncio.sleep(0)  # it has begun
        count = len(taken.packets)
        await closing
        assert len(taken.packets) == count


async def test_silent_peer_is_reported_and_its_return_too() -> None:
    async with PeerOnLeg(replace(SETTINGS, interrupted_after_s=0.3)) as pair:
        tone = Tone(440)
        await pair.peer.join_plain(tone, "sendonly")
        sender = pair.peer.pc.getSenders()[0]
        sender._enabled = False  # neither sound nor, for the next seconds, anything else
        await pair.port.event(lambda event: isinstance(event, LegInterrupted))
        assert pair.leg.look().state == "interrupted"
        pair.port.events.clear()
        sender._enabled = True
        await pair.port.event(lambda event: isinstance(event, LegConnected))
        assert pair.leg.look().state == "connected"


async def test_too_many_texts_for_a_channel_that_does_not_open_end_the_leg() -> None:
    legs = WebRtcLegs(replace(SETTINGS, max_waiting_texts=10))
    port = FakePort()
    leg = legs(port, WebRtcOffer(SDK_FIRST_OFFER))
    await leg.start()
    for number in range(11):
        leg.send(f"text {number}")
    assert [event for event in port.events if is_closed(event)] == [
        LegClosed("too much text waits for the peer")
    ]
    await leg.close(CloseReason.FAILED)


async def test_texts_sent_before_the_channel_opens_arrive_in_order() -> None:
    async with PeerOnLeg() as pair:
        peer = pair.peer
        original = pair.ask

        async def ask(sdp: str) -> str:
            answer = await original(sdp)
            if len(pair.all) == 1 and not peer.texts:
                pair.leg.send("first")
                pair.leg.send("second")
            return answer

        peer._ask = ask
        await peer.join_as_sdk()
        await peer.text(lambda text: text == "second")
        assert peer.texts[:2] == ["first", "second"]


async def test_no_more_legs_may_wait_than_allowed() -> None:
    legs = WebRtcLegs(replace(SETTINGS, max_connecting=1))
    leg = legs(FakePort(), WebRtcOffer(SDK_FIRST_OFFER))
    with pytest.raises(LimitReached):
        legs(FakePort(), WebRtcOffer(SDK_FIRST_OFFER))
    await leg.close(CloseReason.FAILED)
    await legs(FakePort(), WebRtcOffer(SDK_FIRST_OFFER)).close(CloseReason.FAILED)


async def test_bad_offer_opens_nothing() -> None:
    port = FakePort()
    leg = WebRtcLegs(SETTINGS)(port, WebRtcOffer("garbage"))
    with pytest.raises(BadOffer):
        await leg.start()
    await leg.close(CloseReason.FAILED)
    assert port.log == []


async def test_answer_announces_the_configured_address_and_keeps_loopback() -> None:
    legs = WebRtcLegs(replace(SETTINGS, announced_addresses=("203.0.113.7",)))
    leg = legs(FakePort(), WebRtcOffer(SDK_FIRST_OFFER))
    answer = await leg.start()
    addresses = {line.split()[4] for line in answer.split("\r\n") if line.startswith("a=candidate:")}
    assert "127.0.0.1" in addresses
    assert addresses <= {"127.0.0.1", "203.0.113.7"}
    await leg.close(CloseReason.FAILED)


async def test_look_tells_round_trip_jitter_and_loss() -> None:
    async with PeerOnLeg() as pair:
        mid = await pair.peer.join_plain(Tone(440))
        await play(pair.port.outputs[mid][1], tone_packets(500, 3.5))
        look = pair.leg.look()
        assert look.state == "connected" and look.format == "Opus"
        assert look.round_trip_ms is not None and 0 <= look.round_trip_ms < 200
        assert look.loss == 0.0
        assert look.figures["packets_in"] > 100 and look.figures["packets_out"] > 100
        assert look.figures["jitter_ms"] < 20


async def test_close_may_be_called_twice_and_leaves_no_task_or_socket() -> None:
    before = asyncio.all_tasks()
    pair = PeerOnLeg()
    await pair.peer.join_as_sdk()
    await pair.peer.publish(Tone(440))
    await pair.port.inputs["primary"].next(5)
    sockets = [protocol.transport for protocol in pair.leg.transport._connection._protocols]
    assert sockets
    await asyncio.gather(pair.leg.close(CloseReason.ENDED), pair.leg.close(CloseReason.FAILED))
    await pair.leg.close(CloseReason.EXPELLED)
    assert pair.port.inputs == {} and pair.port.outputs == {}
    assert all(transport.is_closing() for transport in sockets)
    await pair.peer.close()
    await asyncio.sleep(0)  # what was cancelled gets its turn
    await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() - before if not task.done()]
    assert left == []


async def test_one_failing_leg_does_not_touch_another() -> None:
    legs = WebRtcLegs(SETTINGS)
    async with PeerOnLeg(legs=legs) as broken, PeerOnLeg(legs=legs) as sound:
        await broken.peer.join_plain(Tone(440))
        await sound.peer.join_plain(Tone(600))

        def raising(*packet: object) -> None:
            raise RuntimeError("an input that fails")

        for stream in broken.leg.media.receiver.streams.values():
            stream.push = raising
        packets = await sound.port.inputs["primary"].next(25)
        assert list(find_tones(decoded(one[0] for one in packets)[9600:], 48_000)) == [600]
        assert broken.leg.state == sound.leg.state == "connected"
        assert broken.leg.transport.unreadable > 0
