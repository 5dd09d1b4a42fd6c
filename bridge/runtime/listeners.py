"""The sockets that are listened on, and their TLS."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError

BACKLOG = 2048


class Tls:
    """One certificate for all listeners, which can be exchanged while connections go on."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises ConfigError when they cannot be used."""
        self._certificate = certificate
        self._key = key
        self.context = _context(certificate, key)

    def reload(self) -> None:
        """Use what is in the files now for new connections. Raises ConfigError, and keeps the old ones."""
        # Tried apart first: a failed load may leave a context with a certificate and no key to it.
        _context(self._certificate, self._key)
        self.context.load_cert_chain(self._certificate, self._key, password="")


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    for file in (certificate, key):
        if not os.access(file, os.R_OK):
            raise ConfigError(f"cannot read {file}: is it there, and readable for this user?")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password="")  # never ask the terminal for one
    except ssl.SSLError as wrong:
        if wrong.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"{key} is not the key of {certificate}") from None
        raise ConfigError(
            f"{certificate} and {key} cannot be used as TLS certificate and key"
            f" (PEM without a password is needed): {wrong.reason or wrong}"
        ) from None
    return context


@dataclass(frozen=True, slots=True)
class Listener:
    """An address that is listened on; connections wait until a server takes them."""

    sockets: tuple[socket.socket, ...]
    tls: Tls | None = None

    @property
    def addresses(self) -> list[str]:
        """As URLs."""
        scheme = "https" if self.tls else "http"
        urls = []
        for listening in self.sockets:
            host, port = listening.getsockname()[:2]
            urls.append(f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}")
        return urls

    def close(self) -> None:
        """Stop listening."""
        for listening in self.sockets:
            listening.close()


def listen(host: str, port: int, tls: Tls | None = None) -> Listener:
    """Listen on every address of `host`; port 0 takes a free one. Raises ConfigError in words."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigError(f"cannot listen on {where}: no such host") from None
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listening = socket.socket(family, kind, protocol)
            sockets.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken = sockets[0].getsockname()[1] if len(sockets) > 1 else port
            listening.bind((address[0], taken, *address[2:]))
            listening.listen(BACKLOG)  # only this notices that somebody else listens there
            listening.setblocking(False)
    except OSError as wrong:
        for listening in sockets:
            listening.close()
        raise ConfigError(f"cannot listen on {where}: {_why(wrong, port)}") from None
    return Listener(tuple(sockets), tls)


def _why(wrong: OSError, port: int) -> str:
    if wrong.errno == errno.EADDRINUSE:
        return "the port is in use; stop the other program, or choose another with --port"
    if wrong.errno == errno.EACCES:
        return f"port {port} needs more privileges; choose one from 1024 up with --port"
    if wrong.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address"
    return wrong.strerror or str(wrong)
