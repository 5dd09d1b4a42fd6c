"""What we use of Google's storage, by its XML API: a bucket in memory that checks who asks.

Not Google's own, nor an emulator of theirs: it knows the requests of uploads, reads, listings and signed
addresses as the API's documentation describes them, and verifies every token and signature by the account's
public key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from bridge.outputs.storage_place import Place

BUCKET = "recordings"
EMAIL = "recorder@project.iam.gserviceaccount.com"


@dataclass
class GoogleStorage:
    """A running one."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    contents: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    """Key → content, media type."""
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    endpoint: str = ""

    def key_file(self, **more: str) -> str:
        """Of the service account."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {"type": "service_account", "client_email": EMAIL, "private_key_id": "k1"}
        return json.dumps({**account, "private_key": key.decode(), **more})

    def place(self, name: str = "google") -> Place:
        """Where to upload to."""
        return Place(name, "gcs", BUCKET, "calls", "", self.endpoint, "", self.key_file())

    def knows(self, token: str) -> bool:
        """A token that the account has signed itself, for writing, and is good now."""
        try:
            head, claims, signature = token.split(".")
            self._verify(_bytes(signature), f"{head}.{claims}".encode())
            said = json.loads(_bytes(claims))
        except (ValueError, InvalidSignature):
            return False
        scopes = {
            f"https://www.googleapis.com/auth/{one}" for one in ("devstorage.read_write", "cloud-platform")
        }
        return bool(
            json.loads(_bytes(head))["alg"] == "RS256"
            and said["iss"] == said["sub"] == EMAIL
            and said["iat"] - 5 <= time.time() < said["exp"] <= said["iat"] + 3600
            and scopes & set(said["scope"].split())
        )

    def signed(self, path: str, query: dict[str, str], host: str) -> bool:
        """Whether a signed address is good (Google's "V4 signing process")."""
        signature = bytes.fromhex(query.pop("X-Goog-Signature", ""))
        written = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='-_.~')}" for name, value in sorted(query.items())
        )
        request = f"GET\n{path}\n{written}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        scope = query.get("X-Goog-Credential", "").partition("/")[2]
        digest = hashlib.sha256(request.encode()).hexdigest()
        to_sign = f"GOOG4-RSA-SHA256\n{query.get('X-Goog-Date')}\n{scope}\n{digest}"
        try:
            self._verify(signature, to_sign.encode())
        except InvalidSignature:
            return False
        return True

    def _verify(self, signature: bytes, signed: bytes) -> None:
        self.key.public_key().verify(signature, signed, PKCS1v15(), hashes.SHA256())


@contextmanager
def google_storage() -> Iterator[GoogleStorage]:
    """Empty at the beginning."""
    storage = GoogleStorage()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answers(storage))
    storage.endpoint = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()


def _answers(storage: GoogleStorage) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            if not (
                storage.knows(token) if token else storage.signed(parts.path, query, self.headers["Host"])
            ):
                return self._answer(403)
            bucket, _, key = unquote(parts.path).removeprefix("/").partition("/")
            if bucket != BUCKET:
                return self._answer(404)
            match self.command:
                case "PUT" if "partNumber" in query:
                    storage.parts[query["uploadId"]][int(query["partNumber"])] = body
                    self._answer(200, ETag=f'"{query["partNumber"]}"')
                case "PUT":
                    storage.contents[key] = body, self.headers["Content-Type"]
                    self._answer(200, ETag='"whole"')
                case "POST" if "uploads" in query:
                    name = f"upload-{len(storage.parts)}-{self.headers['Content-Type']}"
                    storage.parts[name] = {}
                    self._answer(200, _result("Initiate", f"<UploadId>{name}</UploadId>"))
                case "POST":
                    pieces = storage.parts.pop(query["uploadId"])
                    whole = b"".join(piece for _, piece in sorted(pieces.items()))
                    storage.contents[key] = whole, query["uploadId"].partition("-")[2].partition("-")[2]
                    self._answer(200, _result("Complete", "<ETag>x</ETag>"))
                case "DELETE":
                    self._answer(204 if storage.contents.pop(key, None) else 404)
                case _ if not key:
                    self._answer(200, _listing(storage, query.get("prefix", "")))
                case _ if key in storage.contents:
                    self._give(*storage.contents[key])
                case _:
                    self._answer(404)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _any  # noqa: N815 - as the server wants them

        def _give(self, content: bytes, media_type: str) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
            headers = {"Content-Type": media_type, "ETag": '"x"', "Last-Modified": self.date_time_string()}
            if wanted is None:
                return self._answer(200, content, **headers)
            begin, end = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
            headers["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
            self._answer(206, content[begin : end + 1], **headers)

        def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Not here."""

    return Answers


def _listing(storage: GoogleStorage, prefix: str) -> bytes:
    found = "".join(
        f"<Contents><Key>{key}</Key><Size>{len(content)}</Size><ETag>x</ETag>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        for key, (content, _) in sorted(storage.contents.items())
        if key.startswith(prefix)
    )
    return f"<ListBucketResult>{found}</ListBucketResult>".encode()


def _result(what: str, inside: str) -> bytes:
    return f"<{what}MultipartUploadResult>{inside}</{what}MultipartUploadResult>".encode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
