"""What an offer's sections get, and the answer (SDP) that says so.

Pure. A section's source is chosen by its msid label: `conference` is the mix without oneself,
`<participant>#primary` and `<participant>#secondary` one participant alone, anything else the mix.
What the peer sends goes where `me#primary` or `me#secondary` says, else the first free input gets it.
Video is answered inactive.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridge.core.ports import InputName, MixSource, SoloSource, Source
from bridge.legs.webrtc_transport_wire import IceCandidate
from bridge.legs.webrtc_wire import MID_EXTENSION, Offer, Section

CONFERENCE_LABEL = "conference"
OPUS_PARAMETERS = "minptime=10;useinbandfec=1"
"""Asks the peer to send in-band FEC (RFC 7587 §6.1)."""
INPUTS: tuple[InputName, ...] = ("primary", "secondary")


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of one section."""

    section: Section
    input_name: InputName | None = None
    """Where what the peer sends goes; None when it may not send here."""
    source: Source | None = None
    """What the peer hears; None when nothing."""

    @property
    def direction(self) -> str:
        """As the bridge sees it."""
        if self.source is not None:
            return "sendrecv" if self.input_name is not None else "sendonly"
        return "recvonly" if self.input_name is not None else "inactive"


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """The bridge's end of the transport."""

    ufrag: str
    password: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[IceCandidate, ...]


def plan_sections(offer: Offer) -> tuple[Plan, ...]:
    """One plan for each section, in the offer's order."""
    talking = [
        section
        for section in offer.sections
        if section.kind == "audio" and section.usable and section.peer_sends
    ]
    inputs: dict[int, InputName] = {}
    for section in talking:
        name = _own_label(section.label)
        if name is not None and name not in inputs.values():
            inputs[section.index] = name
    for section in talking:
        free = [name for name in INPUTS if name not in inputs.values()]
        if section.index not in inputs and _own_label(section.label) is None and free:
            inputs[section.index] = free[0]
    return tuple(
        Plan(
            section,
            inputs.get(section.index),
            source_of(section.label)
            if section.kind == "audio" and section.usable and section.peer_hears
            else None,
        )
        for section in offer.sections
    )


def source_of(label: str) -> Source:
    """What a label asks to hear."""
    participant_id, mark, name = label.rpartition("#")
    if mark and participant_id and participant_id != "me":
        for known in INPUTS:
            if name == known:
                return SoloSource(participant_id, known)
    return MixSource()


def label_of(source: Source) -> str:
    """The label that asks for `source`."""
    if isinstance(source, SoloSource):
        return f"{source.participant_id}#{source.input_name}"
    return CONFERENCE_LABEL


def _own_label(label: str) -> InputName | None:
    for name in INPUTS:
        if label == f"me#{name}":
            return name
    return None


def announce(candidates: Sequence[IceCandidate], addresses: Sequence[str]) -> tuple[IceCandidate, ...]:
    """The candidates as the outside sees them: own addresses replaced by `addresses` (of the same family).

    Loopback stays as it is. Ports are kept: whatever stands between must map them one to one. Server
    reflexive and relayed candidates are kept too, but without the address behind them.
    """
    if not addresses:
        return tuple(candidates)
    announced: dict[tuple[str, int], IceCandidate] = {}
    for candidate in candidates:
        shown: list[IceCandidate] = []
        own = ipaddress.ip_address(candidate.address)
        if candidate.type != "host":
            hidden = "0.0.0.0" if own.version == 4 else "::"  # RFC 8839 §5.1
            shown = [replace(candidate, related_address=hidden, related_port=9)]
        elif own.is_loopback:
            shown = [candidate]
        else:
            shown = [
                replace(candidate, address=address, foundation=f"a{number}")
                for number, address in enumerate(addresses)
                if ipaddress.ip_address(address).version == own.version
            ]
        for one in shown:
            announced.setdefault((one.address, one.port), one)
    return tuple(announced.values())


def write_answer(
    offer: Offer,
    plans: Sequence[Plan],
    local: LocalTransport,
    ssrcs: Mapping[str, int],
    cname: str,
    version: int,
) -> str:
    """The answer, with CRLF. `ssrcs`: section key → SSRC, where anything is or ever was sent."""
    accepted = [plan for plan in plans if plan.section.usable]
    bundle = " ".join(plan.section.mid for plan in accepted if plan.section.mid)
    lines = ["v=0", f"o=- {_session_id(cname)} {version} IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if bundle:
        lines.append(f"a=group:BUNDLE {bundle}")
    lines.append("a=msid-semantic: WMS *")
    transport = _transport_lines(offer, local)
    for plan in plans:
        if not plan.section.usable:
            lines += _rejected(plan.section)
        elif plan.section.is_data:
            lines += _media_line(plan.section, ["webrtc-datachannel"], local)
            lines += _mid_line(plan.section)
            lines += ["a=sctp-port:5000", "a=max-message-size:65536", *transport]
        elif plan.section.kind == "audio":
            lines += [*_audio_lines(plan, local, ssrcs, cname), *transport]
        else:
            lines += [*_inactive_lines(plan.section, local), *transport]
    return "\r\n".join(lines) + "\r\n"


def _session_id(cname: str) -> int:
    return int.from_bytes(cname.encode()[:7].ljust(7, b"0"), "big")


def _media_line(section: Section, formats: Sequence[str], local: LocalTransport) -> list[str]:
    first = local.candidates[0] if local.candidates else None
    address, port = (first.address, first.port) if first else ("0.0.0.0", 9)
    version = ipaddress.ip_address(address).version
    return [f"m={section.kind} {port} {section.protocol} {' '.join(formats)}", f"c=IN IP{version} {address}"]


def _mid_line(section: Section) -> list[str]:
    return [f"a=mid:{section.mid}"] if section.mid else []


def _rejected(section: Section) -> list[str]:
    formats = section.formats or ("0",)
    return [
        f"m={section.kind} 0 {section.protocol} {' '.join(formats)}",
        "c=IN IP4 0.0.0.0",
        *_mid_line(section),
        "a=inactive",
    ]


def _audio_lines(plan: Plan, local: LocalTransport, ssrcs: Mapping[str, int], cname: str) -> list[str]:
    section = plan.section
    opus = section.opus
    lines = [*_media_line(section, [str(opus)], local), f"a={plan.direction}", *_mid_line(section)]
    if section.mid and section.mid_extension is not None:
        lines.append(f"a=extmap:{section.mid_extension} {MID_EXTENSION}")
    lines += ["a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp-mux"]
    if plan.source is not None:
        lines.append(f"a=msid:{label_of(plan.source)} {section.key}")
    if section.key in ssrcs:
        # Also while nothing is heard: a browser that lost the SSRC and gets it again with the section's next
        # source plays it, but gives it to Web Audio no more.
        lines.append(f"a=ssrc:{ssrcs[section.key]} cname:{cname}")
    codec = dict(section.codecs)[str(opus)]
    return [*lines, f"a=rtpmap:{opus} {codec}", f"a=fmtp:{opus} {OPUS_PARAMETERS}"]


def _inactive_lines(section: Section, local: LocalTransport) -> list[str]:
    """A section that is understood and not used: its first codec, so that it can be taken up later."""
    names = dict(section.codecs)
    plain = [
        one for one, name in section.codecs if name.split("/")[0].lower() not in ("rtx", "red", "ulpfec")
    ]
    chosen = (plain or list(names))[0]
    parameters = dict(section.parameters).get(chosen)
    return [
        *_media_line(section, [chosen], local),
        "a=inactive",
        *_mid_line(section),
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=rtcp-mux",
        f"a=rtpmap:{chosen} {names[chosen]}",
        *([f"a=fmtp:{chosen} {parameters}"] if parameters else []),
    ]


def _transport_lines(offer: Offer, local: LocalTransport) -> list[str]:
    # Repeated in every section: some peers take what the last one says.
    setup = "passive" if offer.transport.setup == "active" else "active"
    return [
        *(f"a=candidate:{_candidate_text(candidate)}" for candidate in local.candidates),
        "a=end-of-candidates",
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        *(f"a=fingerprint:{algorithm} {digest}" for algorithm, digest in local.fingerprints),
        f"a=setup:{setup}",
    ]


def _candidate_text(candidate: IceCandidate) -> str:
    text = (
        f"{candidate.foundation} {candidate.component} {candidate.protocol} {candidate.priority}"
        f" {candidate.address} {candidate.port} typ {candidate.type}"
    )
    if candidate.related_address is not None:
        text += f" raddr {candidate.related_address} rport {candidate.related_port or 9}"
    return text
