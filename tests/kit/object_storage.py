"""An S3 server on this machine (moto's), with a bucket, and what lies in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from bridge.outputs.storage_place import Place

BUCKET = "recordings"
ACCESS_KEY, SECRET_KEY = "an-access-key", "a-secret-key"


@dataclass
class Gate:
    """In front of the server's application."""

    refusing: bool = False

    def around(self, application: Any) -> Any:
        def answer(environ: Any, start_response: Any) -> Any:
            if self.refusing and environ["REQUEST_METHOD"] in ("PUT", "POST"):
                start_response("503 Service Unavailable", [("Content-Length", "0")])
                return [b""]
            return application(environ, start_response)

        return answer


@dataclass
class ObjectStorage:
    """A running one."""

    endpoint: str
    client: Any
    gate: Gate = field(default_factory=lambda: Gate())

    def place(self, name: str = "main", **more: str) -> Place:
        """Where to upload to."""
        given: Any = {"bucket": BUCKET, "endpoint": self.endpoint, **more}
        return Place(name, "s3", access_key=ACCESS_KEY, secret_key=SECRET_KEY, **given)

    def contents(self) -> dict[str, bytes]:
        """Every object."""
        listed = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {one["Key"]: self._read(one["Key"]) for one in listed}

    def media_type(self, key: str) -> str:
        """As it was given."""
        return str(self.client.head_object(Bucket=BUCKET, Key=key)["ContentType"])

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
        client.create_bucket(Bucket=BUCKET)
        gate = Gate()
        assert server._server is not None
        server._server.app = gate.around(server._server.app)
        yield ObjectStorage(endpoint, client, gate)
    finally:
        server.stop()
