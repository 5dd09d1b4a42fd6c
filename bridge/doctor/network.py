"""Checks of what the outside needs: ports, addresses, TLS, accounts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from cryptography import x509

from bridge.config.tree import Config
from bridge.doctor.finding import Finding, Verdict
from bridge.errors import ConfigError
from bridge.runtime.listeners import Tls, listen


def tcp_ports(config: Config) -> Iterator[Finding]:
    """Whether the ports can be listened on."""
    places = [("port", config.host, config.port)]
    if config.metrics.port is not None:
        places.append(("metrics port", config.metrics.host, config.metrics.port))
    for subject, host, port in places:
        try:
            listen(host, port).close()
        except ConfigError as wrong:
            yield Finding(Verdict.FAIL, subject, str(wrong))
        else:
            yield Finding(Verdict.OK, subject, f"{host}:{port} is free")


def udp_ports(config: Config) -> Iterator[Finding]:
    """Whether the UDP ports are free and enough."""
    ports = config.webrtc.udp_port_range
    if ports is None:
        yield Finding(
            Verdict.OK, "UDP ports", "any (set webrtc.udp_port_range where a firewall must let them in)"
        )
        return
    size = ports.high - ports.low + 1
    step = max(1, size // 200)
    tried = range(ports.low, ports.high + 1, step)
    taken = [port for port in tried if not _udp_free(port)]
    shown = f"{ports.low}-{ports.high}"
    if len(taken) == len(tried):
        yield Finding(Verdict.FAIL, "UDP ports", f"{shown}: none is free", "choose another range")
    elif taken:
        text = f"{shown}: of {len(tried)} tried {len(taken)} are in use"
        yield Finding(Verdict.WARN, "UDP ports", text, "choose another range, or a larger one")
    elif size < 2 * config.limits.legs:
        text = f"{shown}: {size} ports, and a leg takes one for each address of this machine"
        advice = f"for {config.limits.legs} legs take a larger range, or lower limits.legs"
        yield Finding(Verdict.WARN, "UDP ports", text, advice)
    else:
        yield Finding(Verdict.OK, "UDP ports", f"{shown} are free")


def _udp_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def network(config: Config) -> Iterator[Finding]:
    """Which address clients can reach."""
    own = _own_address()
    if own is None and not config.webrtc.loopback_candidate:
        advice = "for clients on this machine set webrtc.loopback_candidate = true"
        yield Finding(Verdict.WARN, "network", "this machine has only loopback addresses", advice)
    elif own is not None and ip_address(own).is_private and not config.webrtc.announced_addresses:
        advice = "for clients beyond a NAT set webrtc.announced_addresses, or a TURN server"
        yield Finding(Verdict.OK, "network", f"{own} (private: {advice})")
    else:
        yield Finding(Verdict.OK, "network", own or "loopback only")


def _own_address() -> str | None:
    """The address that packets to the outside would come from; none is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def tls(config: Config) -> Iterator[Finding]:
    """Whether browsers will trust the connection."""
    if config.tls_certificate is None or config.tls_key is None:
        local = config.host in ("127.0.0.1", "::1", "localhost")
        if not local and not config.trusted_proxies:
            advice = "set tls_certificate and tls_key, or put a proxy with TLS in front (trusted_proxies)"
            text = "none; browsers give no microphone to pages without it, except on this machine"
            yield Finding(Verdict.WARN, "TLS", text, advice)
        else:
            yield Finding(Verdict.OK, "TLS", "none needed on this machine" if local else "left to the proxy")
        return
    try:
        Tls(config.tls_certificate, config.tls_key)
    except ConfigError as wrong:
        yield Finding(Verdict.FAIL, "TLS", str(wrong))
        return
    first = x509.load_pem_x509_certificates(config.tls_certificate.read_bytes())[0]
    days = (first.not_valid_after_utc - datetime.now(UTC)).days
    if days < 0:
        yield Finding(Verdict.FAIL, "TLS", "the certificate has expired", "renew it, then send SIGHUP")
    elif days < 14:
        yield Finding(Verdict.WARN, "TLS", f"expires in {days} days", "renew it, then send SIGHUP")
    else:
        yield Finding(Verdict.OK, "TLS", f"certificate and key fit; valid for {days} days")


def accounts(config: Config) -> Iterator[Finding]:
    """Whether tokens and accounts make sense."""
    short = sum(
        1 for application in config.applications for token in application.tokens if len(token.reveal()) < 16
    )
    if short:
        text = f"{short} of the application tokens are shorter than 16 characters"
        yield Finding(Verdict.WARN, "tokens", text, "take longer ones: openssl rand -base64 32")
    if config.plivo and not config.public_base_url:
        text = "public_base_url is not set, so no signed request can be told to be genuine"
        yield Finding(Verdict.WARN, "Plivo", text, "set it to the address that Plivo reaches this server by")
    count = len(config.applications)
    text = f"{count} configured" if count else f"none configured: one is kept in {config.data_dir}"
    yield Finding(Verdict.OK, "applications", text)
