"""SDP offers as browsers write them, cut down to what matters. Lines end in CRLF."""

from __future__ import annotations

FINGERPRINT = ":".join(["5A"] * 32)

_SESSION = """\
v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE {mids}
a=extmap-allow-mixed
a=msid-semantic: WMS
"""
_TRANSPORT = f"""\
a=ice-ufrag:Yb3q
a=ice-pwd:3mEmH1vHkSh1ddyk2bEbVOYK
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
"""
_DATA = """\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
{transport}a=mid:{mid}
a=sctp-port:5000
a=max-message-size:262144
"""
_AUDIO = """\
m=audio 9 UDP/TLS/RTP/SAVPF 111 63
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
{transport}a=mid:{mid}
a=msid:{label} track-{mid}
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a={direction}
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtcp-fb:* rrtr
"""
_VIDEO = """\
m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
{transport}a=mid:{mid}
a=msid:{label} track-{mid}
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a={direction}
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:103 H264/90000
a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:104 rtx/90000
a=fmtp:104 apt=103
a=rid:l send
a=rid:m send
a=rid:h send
a=simulcast:send ~l;~m;h
a=x-preferences:0@0
"""


def offer(*sections: tuple[str, str, str] | str, transport: str = _TRANSPORT) -> str:
    """An offer of `data` sections and of (kind, direction, label) ones, with mids 0, 1, 2…"""
    body = ""
    for mid, section in enumerate(sections):
        kind, direction, label = (section, "", "") if isinstance(section, str) else section
        template = {"data": _DATA, "audio": _AUDIO, "video": _VIDEO}[kind]
        body += template.format(transport=transport, mid=mid, direction=direction, label=label)
        if direction in ("sendonly", "sendrecv"):
            body += f"a=ssrc:{1000 + mid} cname:c\na=ssrc:{1000 + mid} msid:{label} track-{mid}\n"
    mids = " ".join(str(mid) for mid in range(len(sections)))
    return (_SESSION.format(mids=mids) + body).replace("\n", "\r\n")


SDK_FIRST_OFFER = offer("data")
SDK_FULL_OFFER = offer(
    "data",
    ("audio", "sendonly", "me#primary"),
    ("video", "inactive", "-"),
    ("audio", "inactive", "-"),
    ("video", "inactive", "-"),
    ("audio", "recvonly", "conference"),
    ("video", "recvonly", "conference"),
    ("audio", "recvonly", "bob#secondary"),
)
PLAIN_OFFER = offer(("audio", "sendrecv", "-"))
