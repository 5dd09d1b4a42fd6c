"""SDP offers (RFC 8866, 8829, 8843) understood: sections, transport, and what each section says of itself.

Pure. Only what an audio bridge needs is read; the rest of an offer is skipped, whatever it is.
`read_offer` raises BadOffer on anything that cannot be answered, and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bridge.errors import BadOffer
from bridge.legs.webrtc_transport_wire import Attributes, PeerTransport, read_transport

DIRECTIONS = ("inactive", "sendonly", "recvonly", "sendrecv")
MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid"

_MEDIA = re.compile(r"m=(\S+) (\d{1,5})(?:/\d+)? (\S+) ?(.*)\Z", re.ASCII)
_LABEL_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class OfferLimits:
    """What is too much."""

    max_bytes: int = 64 * 1024
    max_sections: int = 64
    max_candidates: int = 32


@dataclass(frozen=True, slots=True)
class Section:
    """One `m=` section of an offer."""

    index: int
    kind: str
    protocol: str
    formats: tuple[str, ...]
    mid: str
    direction: str
    """As the peer sees it."""
    label: str
    """The first half of its msid: the stream's name, `` when it has none."""
    codecs: tuple[tuple[str, str], ...]
    """Payload type → `name/clock…`, in the peer's order of preference."""
    parameters: tuple[tuple[str, str], ...]
    """Payload type → fmtp."""
    ssrcs: tuple[int, ...]
    mid_extension: int | None
    """The number of the RTP header extension that carries the mid (RFC 8843 §15)."""
    sctp_port: int
    max_message_bytes: int
    usable: bool
    """Neither rejected by the peer nor outside of the shared transport."""

    @property
    def key(self) -> str:
        """A name that stays the same as long as the section does."""
        return self.mid or f"#{self.index}"

    @property
    def opus(self) -> int | None:
        """The payload type of Opus (RFC 7587), None when it is not offered."""
        for payload_type, codec in self.codecs:
            if codec.lower().startswith("opus/48000"):
                return int(payload_type)
        return None

    @property
    def is_data(self) -> bool:
        """Whether data channels run over it (RFC 8841)."""
        return self.kind == "application" and "DTLS/SCTP" in self.protocol

    @property
    def peer_sends(self) -> bool:
        """The peer wants to be heard here."""
        return self.direction in ("sendonly", "sendrecv")

    @property
    def peer_hears(self) -> bool:
        """The peer wants to hear something here."""
        return self.direction in ("recvonly", "sendrecv")


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be answered: it has at least one usable section."""

    transport: PeerTransport
    sections: tuple[Section, ...]

    @property
    def data_only(self) -> bool:
        """Nothing but a data channel: how a conference SDK begins."""
        return all(section.is_data for section in self.sections)

    @property
    def data_section(self) -> Section | None:
        """The section that data channels run over."""
        return next((section for section in self.sections if section.is_data and section.usable), None)


def read_offer(sdp: str, limits: OfferLimits = OfferLimits()) -> Offer:
    """Understand an offer, its lines ended by CRLF or LF. Raises BadOffer with a text for a developer."""
    if len(sdp) > limits.max_bytes or len(sdp.encode(errors="replace")) > limits.max_bytes:
        raise BadOffer(f"the offer is longer than {limits.max_bytes} bytes")
    session, groups = _split(sdp)
    if not session or session[0] != "v=0":
        raise BadOffer("the offer is not SDP: it must begin with v=0")
    if not groups:
        raise BadOffer("the offer has no m= section")
    if len(groups) > limits.max_sections:
        raise BadOffer(f"the offer has more than {limits.max_sections} sections")
    head = Attributes(session)
    bodies = [Attributes(lines[1:]) for lines in groups]
    for body in bodies:
        if len(body.all("candidate")) > limits.max_candidates:
            raise BadOffer(f"a section has more than {limits.max_candidates} candidates")
    bundle = next((group.split()[1:] for group in head.all("group") if group.startswith("BUNDLE")), [])
    sections = [
        _section(index, lines[0], body, head, bundle)
        for index, (lines, body) in enumerate(zip(groups, bodies, strict=True))
    ]
    mids = [section.mid for section in sections if section.mid]
    if len(set(mids)) < len(mids):
        raise BadOffer("two sections have the same mid")
    usable = [section for section in sections if section.usable]
    if not usable:
        raise BadOffer("the offer has neither an audio section with Opus nor a data channel")
    if bundle:  # its first section describes the transport of all (RFC 8843 §7.2)
        usable.sort(key=lambda section: bundle.index(section.mid))
    else:  # without a shared transport only one section can be served
        usable = usable[:1]
        sections = [section if section in usable else replace(section, usable=False) for section in sections]
    for section in usable:
        if section.kind == "audio" and not bodies[section.index].has("rtcp-mux"):
            raise BadOffer("RTP and RTCP must share one port: a=rtcp-mux is missing")
    return Offer(read_transport(head, [bodies[section.index] for section in usable]), tuple(sections))


def _split(sdp: str) -> tuple[list[str], list[list[str]]]:
    session: list[str] = []
    groups: list[list[str]] = []
    for raw in sdp.replace("\r\n", "\n").split("\n"):
        line = raw.strip()
        if not line:
            continue
        if not line.isprintable():
            raise BadOffer("the offer holds a character that SDP does not allow")
        if line.startswith("m="):
            groups.append([line])
        elif groups:
            groups[-1].append(line)
        else:
            session.append(line)
    return session, groups


def _section(index: int, line: str, body: Attributes, head: Attributes, bundle: list[str]) -> Section:
    media = _MEDIA.match(line)
    if media is None or int(media[2]) > 65535:
        raise BadOffer(f"section {index}: its m= line cannot be understood")
    kind, protocol, formats = media[1], media[3], tuple(media[4].split())
    mid = body.first("mid") or ""
    if len(mid) > 64 or " " in mid:
        raise BadOffer(f"section {index}: its mid cannot be understood")
    codecs = _by_format(body.all("rtpmap"), formats)
    said = [name for source in (body, head) for name in DIRECTIONS if source.has(name)]
    extension = None
    for value in body.all("extmap"):
        number, _, uri = value.partition(" ")
        number = number.partition("/")[0]
        if uri.strip() == MID_EXTENSION and number.isascii() and number.isdigit() and 0 < int(number) < 15:
            extension = int(number)
    usable = (int(media[2]) > 0 or body.has("bundle-only")) and (not bundle or mid in bundle)
    section = Section(
        index=index,
        kind=kind,
        protocol=protocol,
        formats=formats,
        mid=mid,
        direction=said[0] if said else "sendrecv",
        label=(body.first("msid") or "").partition(" ")[0][:_LABEL_CHARACTERS],
        codecs=codecs,
        parameters=_by_format(body.all("fmtp"), formats),
        ssrcs=_ssrcs(body.all("ssrc")),
        mid_extension=extension,
        sctp_port=_whole(body.first("sctp-port"), 5000, 65535),
        max_message_bytes=_whole(body.first("max-message-size"), 65536, 1 << 30),
        usable=usable,
    )
    known = (
        (kind == "audio" and "RTP/SAVPF" in protocol and section.opus is not None)
        or (kind == "video" and "RTP/SAVPF" in protocol and bool(codecs))
        or (section.is_data and formats == ("webrtc-datachannel",))
    )
    return section if known else replace(section, usable=False)


def _by_format(values: list[str], formats: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The rtpmap or fmtp values by payload type, in the order of the m= line; impossible ones left out."""
    found: dict[str, str] = {}
    for value in values:
        payload_type, _, rest = value.partition(" ")
        if (
            payload_type.isascii()
            and payload_type.isdigit()
            and int(payload_type) < 128
            and rest.isprintable()
        ):
            found.setdefault(payload_type, rest.strip())
    return tuple((name, found[name]) for name in dict.fromkeys(formats) if name in found)


def _ssrcs(values: list[str]) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for value in values:
        number = value.partition(" ")[0]
        if number.isascii() and number.isdigit() and 0 < int(number[:12]) < 1 << 32:
            found[int(number[:12])] = None
    return tuple(found)


def _whole(value: str | None, default: int, high: int) -> int:
    if value is None or not (value.isascii() and value.isdigit()) or len(value) > 12:
        return default
    return min(int(value), high)
