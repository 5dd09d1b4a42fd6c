from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.ports import MixSource, SoloSource
from bridge.errors import BadOffer
from bridge.legs.webrtc_answer_wire import (
    LocalTransport,
    announce,
    plan_sections,
    source_of,
    write_answer,
)
from bridge.legs.webrtc_transport_wire import IceCandidate
from bridge.legs.webrtc_wire import OfferLimits, read_offer
from tests.kit.offers import FINGERPRINT, PLAIN_OFFER, SDK_FIRST_OFFER, SDK_FULL_OFFER, offer

pytestmark = pytest.mark.wire

LOCAL = LocalTransport(
    ufrag="loc1",
    password="p" * 22,
    fingerprints=(("sha-256", FINGERPRINT),),
    candidates=(IceCandidate("f1", 1, "udp", 2130706431, "192.0.2.1", 40000),),
)


def answer_to(sdp: str) -> str:
    understood = read_offer(sdp)
    plans = plan_sections(understood)
    ssrcs = {plan.section.key: 7000 + plan.section.index for plan in plans if plan.source is not None}
    return write_answer(understood, plans, LOCAL, ssrcs, "cname", 1)


def sections_of(sdp: str) -> list[str]:
    return re.split(r"(?m)^(?=m=)", sdp)[1:]


def attribute(section: str, name: str) -> list[str]:
    return re.findall(rf"(?m)^a={name}:([^\r\n]*)", section)


# --- offers ---


def test_sdk_begins_with_a_data_channel_alone() -> None:
    understood = read_offer(SDK_FIRST_OFFER)
    assert understood.data_only
    assert understood.data_section is not None
    assert understood.data_section.sctp_port == 5000
    assert understood.data_section.max_message_bytes == 262144
    assert understood.transport.ufrag == "Yb3q"
    assert understood.transport.fingerprints == (("sha-256", FINGERPRINT),)
    assert understood.transport.candidates == ()


def test_sdks_full_offer_is_planned_by_its_labels() -> None:
    plans = plan_sections(read_offer(SDK_FULL_OFFER))
    assert [plan.input_name for plan in plans] == [None, "primary", None, None, None, None, None, None]
    sources = {plan.section.mid: plan.source for plan in plans if plan.source is not None}
    assert sources == {"5": MixSource(), "7": SoloSource("bob", "secondary")}


@pytest.mark.parametrize(
    ("sections", "inputs", "sources"),
    [
        ([("audio", "sendrecv", "-")], {"0": "primary"}, {"0": MixSource()}),
        ([("audio", "sendrecv", "x"), "data"], {"0": "primary"}, {"0": MixSource()}),
        ([("audio", "sendonly", "-")], {"0": "primary"}, {}),
        ([("audio", "recvonly", "d7b")], {}, {"0": MixSource()}),
        ([("audio", "recvonly", "bob#primary")], {}, {"0": SoloSource("bob", "primary")}),
        ([("audio", "sendonly", "a"), ("audio", "sendonly", "b")], {"0": "primary", "1": "secondary"}, {}),
        ([("audio", "sendonly", "me#secondary")], {"0": "secondary"}, {}),
        (
            [("audio", "sendonly", "me#secondary"), ("audio", "sendonly", "-")],
            {"0": "secondary", "1": "primary"},
            {},
        ),
        ([("audio", "sendonly", "me#primary"), ("audio", "sendonly", "me#primary")], {"0": "primary"}, {}),
        ([("audio", "sendonly", "-")] * 3, {"0": "primary", "1": "secondary"}, {}),
        ([("audio", "inactive", "me#primary")], {}, {}),
        ([("audio", "sendrecv", "-"), ("video", "sendrecv", "-")], {"0": "primary"}, {"0": MixSource()}),
    ],
)
def test_sections_get_inputs_and_sources_by_label_and_order(
    sections: list[tuple[str, str, str] | str], inputs: dict[str, str], sources: dict[str, object]
) -> None:
    plans = plan_sections(read_offer(offer(*sections)))
    assert {plan.section.mid: plan.input_name for plan in plans if plan.input_name} == inputs
    assert {plan.section.mid: plan.source for plan in plans if plan.source} == sources


def test_label_names_a_participant_only_with_a_known_input() -> None:
    assert source_of("conference") == MixSource()
    assert source_of("a#b#secondary") == SoloSource("a#b", "secondary")
    for label in ("", "-", "#primary", "bob#tertiary", "me#primary", "bob"):
        assert source_of(label) == MixSource(), label


def test_lines_may_end_in_lf_alone() -> None:
    assert read_offer(SDK_FULL_OFFER.replace("\r\n", "\n")) == read_offer(SDK_FULL_OFFER)


def test_transport_is_that_of_the_section_named_first_in_the_bundle() -> None:
    sdp = offer(("audio", "sendrecv", "-"), "data").replace("BUNDLE 0 1", "BUNDLE 1 0")
    first, second = sdp.rindex("a=ice-ufrag:Yb3q"), sdp.index("a=ice-ufrag:Yb3q")
    assert first > second
    sdp = sdp[:first] + sdp[first:].replace("Yb3q", "data", 1)
    assert read_offer(sdp).transport.ufrag == "data"


def test_without_a_bundle_only_the_first_usable_section_is_served() -> None:
    sdp = offer(("audio", "sendrecv", "-"), "data")
    sdp = re.sub(r"a=group:BUNDLE[^\r\n]*\r\n", "", sdp)
    assert [section.usable for section in read_offer(sdp).sections] == [True, False]


def test_only_udp_candidates_with_addresses_are_kept() -> None:
    lines = [
        "a=candidate:1 1 udp 2122260223 192.0.2.9 50000 typ host generation 0",
        "a=candidate:2 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active",
        "a=candidate:3 1 udp 2122260223 0d1f.local 50001 typ host",
        "a=candidate:4 2 udp 2122260222 192.0.2.9 50002 typ host",
        "a=candidate:5 1 UDP 1686052607 198.51.100.1 50003 typ srflx raddr 0.0.0.0 rport 9",
        "a=candidate:6 1 udp x 192.0.2.9 50000 typ host",
        "a=candidate:nonsense",
    ]
    sdp = PLAIN_OFFER.replace("a=mid:0", "\r\n".join([*lines, "a=mid:0"]))
    assert [one.port for one in read_offer(sdp).transport.candidates] == [50000, 50003]


MANY = "a=candidate:1 1 udp 1 192.0.2.9 50000 typ host\r\n"


@pytest.mark.parametrize(
    ("sdp", "says"),
    [
        ("", "v=0"),
        ("hello", "v=0"),
        ("v=0\r\n", "no m="),
        (SDK_FIRST_OFFER.replace("a=ice-pwd", "a=ice-pwt"), "ice-pwd"),
        (SDK_FIRST_OFFER.replace("3mEmH1vHkSh1ddyk2bEbVOYK", "short"), "malformed"),
        (SDK_FIRST_OFFER.replace("sha-256", "sha-1"), "fingerprint"),
        (SDK_FIRST_OFFER.replace("5A:5A", "5A:ZZ"), "fingerprint"),
        (SDK_FIRST_OFFER.replace("actpass", "holdconn"), "setup"),
        (PLAIN_OFFER.replace("a=rtcp-mux\r\n", ""), "rtcp-mux"),
        (PLAIN_OFFER.replace("opus", "speex"), "Opus"),
        (PLAIN_OFFER.replace("m=audio 9", "m=audio 0"), "Opus"),
        (PLAIN_OFFER.replace("m=audio 9", "m=audio nine"), "m= line"),
        (PLAIN_OFFER.replace("a=mid:0", "a=mid:0\x07"), "character"),
        (offer("data", "data").replace("a=mid:1", "a=mid:0"), "same mid"),
        ("v=1", "v=0"),
        (PLAIN_OFFER + "a=x:" + "y" * 70000, "longer than 65536 bytes"),
        (PLAIN_OFFER + "é" * 40000, "longer than 65536 bytes"),
        (offer(*[("audio", "inactive", "-")] * 65), "more than 64 sections"),
        (PLAIN_OFFER.replace("a=mid:0\r\n", "a=mid:0\r\n" + MANY * 33), "more than 32 candidates"),
    ],
)
def test_offer_that_cannot_be_answered_is_refused_with_a_reason(sdp: str, says: str) -> None:
    limits = OfferLimits(max_bytes=256 * 1024) if "sections" in says else OfferLimits()
    with pytest.raises(BadOffer, match=re.escape(says)):
        read_offer(sdp, limits)


def test_limits_themselves_are_allowed() -> None:
    sdp = offer(*[("audio", "inactive", "-")] * 64)
    assert len(read_offer(sdp, OfferLimits(max_bytes=len(sdp))).sections) == 64
    assert read_offer(PLAIN_OFFER.replace("a=mid:0\r\n", "a=mid:0\r\n" + MANY * 32))


# --- answers ---


def test_answer_has_crlf_only_and_the_offers_sections_in_order() -> None:
    answer = answer_to(SDK_FULL_OFFER)
    assert answer.endswith("\r\n") and "\n" not in answer.replace("\r\n", "")
    kinds = [section.split()[0] for section in sections_of(answer)]
    assert kinds == [section.split()[0] for section in sections_of(SDK_FULL_OFFER)]
    assert "a=group:BUNDLE 0 1 2 3 4 5 6 7" in answer


def test_answers_directions_are_the_other_side_of_the_offers() -> None:
    directions = [
        re.findall(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)\r", section)
        for section in sections_of(answer_to(SDK_FULL_OFFER))
    ]
    assert directions == [
        [],
        ["recvonly"],
        ["inactive"],
        ["inactive"],
        ["inactive"],
        ["sendonly"],
        ["inactive"],
        ["sendonly"],
    ]


def test_answer_asks_for_fec_and_takes_opus_only() -> None:
    (section,) = sections_of(answer_to(PLAIN_OFFER))
    assert section.startswith("m=audio 40000 UDP/TLS/RTP/SAVPF 111\r\n")
    assert attribute(section, "fmtp") == ["111 minptime=10;useinbandfec=1"]
    assert attribute(section, "rtpmap") == ["111 opus/48000/2"]
    assert attribute(section, "extmap") == ["4 urn:ietf:params:rtp-hdrext:sdes:mid"]
    assert attribute(section, "ssrc") == ["7000 cname:cname"]
    assert attribute(section, "setup") == ["active"]


def test_section_gone_inactive_keeps_its_ssrc_for_the_next_source() -> None:
    understood = read_offer(offer(("audio", "inactive", "-")))
    answer = write_answer(understood, plan_sections(understood), LOCAL, {"0": 7000}, "cname", 2)
    (section,) = sections_of(answer)
    assert "a=inactive" in section
    assert attribute(section, "ssrc") == ["7000 cname:cname"]
    assert attribute(section, "msid") == []


def test_answer_to_an_active_peer_is_passive() -> None:
    assert "a=setup:passive" in answer_to(PLAIN_OFFER.replace("actpass", "active"))
    assert "a=setup:active" in answer_to(PLAIN_OFFER.replace("actpass", "passive"))


def test_every_section_repeats_candidates_and_credentials() -> None:
    for section in sections_of(answer_to(SDK_FULL_OFFER)):
        assert attribute(section, "candidate") == ["f1 1 udp 2130706431 192.0.2.1 40000 typ host"]
        assert attribute(section, "ice-ufrag") == ["loc1"]
        assert "a=end-of-candidates" in section


def test_video_is_answered_inactive_with_its_first_real_codec() -> None:
    video = sections_of(answer_to(SDK_FULL_OFFER))[2]
    assert video.startswith("m=video 40000 UDP/TLS/RTP/SAVPF 96\r\n")
    assert "simulcast" not in video and "rid" not in video


def test_section_that_cannot_be_served_is_rejected_and_left_out_of_the_bundle() -> None:
    sdp = offer("data", ("audio", "sendrecv", "-")).replace("opus", "speex")
    answer = answer_to(sdp)
    assert "a=group:BUNDLE 0\r\n" in answer
    assert sections_of(answer)[1].startswith("m=audio 0 ")


def test_announced_addresses_stand_in_for_those_of_their_family() -> None:
    candidates = (
        IceCandidate("a", 1, "udp", 9, "10.0.0.5", 40000),
        IceCandidate("b", 1, "udp", 9, "10.1.0.5", 40001),
        IceCandidate("c", 1, "udp", 9, "fd00::5", 40002),
        IceCandidate("d", 1, "udp", 9, "127.0.0.1", 40003),
        IceCandidate("e", 1, "udp", 9, "198.51.100.3", 50000, "relay", "10.0.0.5", 40009),
    )
    assert announce(candidates, ()) == candidates
    shown = announce(candidates, ("203.0.113.1", "203.0.113.2"))
    assert [(one.address, one.port) for one in shown] == [
        ("203.0.113.1", 40000),
        ("203.0.113.2", 40000),
        ("203.0.113.1", 40001),
        ("203.0.113.2", 40001),
        ("127.0.0.1", 40003),
        ("198.51.100.3", 50000),
    ]
    assert "10.0.0.5" not in str(shown)


# --- garbage ---

_LINES = [*SDK_FULL_OFFER.split("\r\n"), *PLAIN_OFFER.split("\r\n")]


@st.composite
def mutated_offers(draw: st.DrawFn) -> str:
    """A real offer with lines dropped, doubled, cut, mixed up, or with characters exchanged."""
    lines = draw(st.sampled_from([SDK_FIRST_OFFER, SDK_FULL_OFFER, PLAIN_OFFER])).split("\r\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(lines) - 1)))
        match draw(st.integers(0, 5)):
            case 0:
                lines = lines[:at] + lines[at + 1 :] or [""]
            case 1:
                lines.insert(at, draw(st.sampled_from(_LINES)))
            case 2:
                lines[at] = lines[at][: draw(st.integers(0, 20))]
            case 3:
                lines[at] = lines[at] + draw(st.text(max_size=10))
            case 4:
                words = lines[at].split(" ")
                words[draw(st.integers(0, len(words) - 1))] = draw(st.text(max_size=8))
                lines[at] = " ".join(words)
            case _:
                name = lines[at].partition(":")[0]
                lines[at] = name + ":" + draw(st.text(max_size=12))
    return "\r\n".join(lines)


@settings(max_examples=400, deadline=None)
@given(mutated_offers())
def test_mutated_offer_is_answered_or_refused(sdp: str) -> None:
    try:
        answer = answer_to(sdp)
    except BadOffer:
        return
    assert len(sections_of(answer)) == len(read_offer(sdp).sections)
    assert all(line.isprintable() for line in answer.split("\r\n"))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_answered_or_refused(text: str) -> None:
    for sdp in (text, "v=0\r\n" + text, PLAIN_OFFER + text):
        try:
            answer_to(sdp)
        except BadOffer:
            pass
