"""An S3 server on this machine (moto's), with a bucket, and what lies in it."""

from __future__ import annotations

import io
import logging
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
import httpx
from moto.server import ThreadedMotoServer

from bridge.outputs.storage_place import Place

BUCKET = "recordings"
ACCESS_KEY, SECRET_KEY = "an-access-key", "a-secret-key"


EXPIRED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>ExpiredToken</Code>'
    b"<Message>The provided token has expired.</Message><Token-0>%s</Token-0></Error>"
)
"""As S3 answers then, the token and all."""

Fault = Literal["", "503", "reset", "slow", "truncated"]


@dataclass
class Gate:
    """In front of the server's application: lets uploads go wrong."""

    refusing: bool = False
    lots: random.Random | None = None
    """Draws what goes wrong with each upload: more often than not something does."""
    tag: str = ""
    """Of every object that is looked at, instead of its MD5."""
    spoil: bool = False
    """What arrives is as long as what was sent."""
    drawn: Counter[str] = field(default_factory=Counter)
    expired: str = ""
    """A session token that is not good any more."""
    refusal: int = 0
    """The status of every answer, without a word."""
    refused_part: int = 0
    """The number of a part that is never taken."""
    delay_s: float = 0.0
    """Before each part is taken."""
    underway: set[int] = field(default_factory=set)
    """Threads that answer somebody now, who may be gone."""

    def around(self, application: Any) -> Any:
        def answer(environ: Any, start_response: Any) -> Any:
            self.underway.add(threading.get_ident())
            try:
                return given(environ, start_response)
            finally:
                self.underway.discard(threading.get_ident())

        def given(environ: Any, start_response: Any) -> Any:
            if "partNumber=" in environ["QUERY_STRING"]:
                time.sleep(self.delay_s)
            part = f"partNumber={self.refused_part}&" in environ["QUERY_STRING"] + "&"
            if self.refusal or part:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response(f"{self.refusal or 403} No", [("Content-Length", "0")])
                return [b""]
            if self.expired and environ.get("HTTP_X_AMZ_SECURITY_TOKEN") == self.expired:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                body = EXPIRED % self.expired.encode()
                headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
                start_response("400 Bad Request", headers)
                return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
            if environ["REQUEST_METHOD"] in ("PUT", "POST"):
                fault = self._draw()
                self.drawn[fault] += 1
                if fault == "503":
                    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                    start_response("503 Service Unavailable", [("Content-Length", "0")])
                    return [b""]
                if fault == "reset":
                    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                    raise ConnectionResetError
                if fault == "slow":
                    time.sleep(0.3)
                if fault == "truncated" or self.spoil:
                    self._change(environ)
                return application(environ, start_response)
            return application(environ, lambda *given: start_response(*self._tagged(*given)))

        return answer

    def _draw(self) -> Fault:
        if self.refusing:
            return "503"
        return self.lots.choice(("", "", "", "503", "reset", "slow", "truncated")) if self.lots else ""

    def _change(self, environ: Any) -> None:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = body[::-1] if self.spoil else body[: len(body) // 2]
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))

    def _tagged(self, status: str, headers: Any, *more: Any) -> Any:
        if self.tag:
            headers = [(name, self.tag if name.lower() == "etag" else value) for name, value in headers]
        return status, headers, *more


@dataclass
class ObjectStorage:
    """A running one."""

    endpoint: str
    client: Any
    gate: Gate = field(default_factory=lambda: Gate())

    def place(self, name: str = "main", **more: Any) -> Place:
        """Where to upload to."""
        given: Any = {"bucket": BUCKET, "endpoint": self.endpoint, **more}
        return Place(name, "s3", access_key=ACCESS_KEY, secret_key=SECRET_KEY, **given)

    def contents(self) -> dict[str, bytes]:
        """Every object, but what is removed meanwhile."""
        found = {}
        for key in self.keys():
            with suppress(self.client.exceptions.NoSuchKey):
                found[key] = self._read(key)
        return found

    def keys(self) -> list[str]:
        """Of every object."""
        listed = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [str(one["Key"]) for one in listed]

    def media_type(self, key: str) -> str:
        """As it was given."""
        return str(self.client.head_object(Bucket=BUCKET, Key=key)["ContentType"])

    def encryption(self, key: str) -> str:
        """With whose keys it was encrypted."""
        return str(self.client.head_object(Bucket=BUCKET, Key=key).get("ServerSideEncryption", ""))

    def kms_key(self, key: str) -> str:
        """With which key of the key service."""
        return str(self.client.head_object(Bucket=BUCKET, Key=key).get("SSEKMSKeyId", ""))

    def tags(self, key: str) -> dict[str, str]:
        """As it was tagged."""
        found = self.client.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
        return {one["Key"]: one["Value"] for one in found}

    def unfinished(self) -> list[str]:
        """The keys of uploads in parts that were begun and never ended."""
        found = self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [one["Key"] for one in found]

    def refuse(self) -> None:
        """From now on everything is answered by 503."""
        self.gate.refusing = True

    def take(self) -> None:
        """It works again."""
        self.gate.refusing = False

    def _read(self, key: str) -> bytes:
        read: bytes = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return read


@contextmanager
def object_storage() -> Iterator[ObjectStorage]:
    """Empty at the beginning."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
        )
        # What an earlier one had is still there: all in one process share it.
        httpx.post(f"{endpoint}/moto-api/reset").raise_for_status()
        client.create_bucket(Bucket=BUCKET)
        gate = Gate()
        assert server._server is not None
        server._server.app = gate.around(server._server.app)
        yield ObjectStorage(endpoint, client, gate)
    finally:
        server.stop()
