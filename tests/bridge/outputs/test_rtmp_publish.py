"""The publishing client without a connection: what it says, to what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.errors import BadInput
from bridge.outputs.flv import Tag
from bridge.outputs.rtmp_publish import PublishRefused, RtmpPublisher, StreamName
from bridge.rtmp.amf0 import decode, encode
from bridge.rtmp.chunks import (
    ACKNOWLEDGEMENT,
    COMMAND,
    PEER_BANDWIDTH,
    SET_CHUNK_SIZE,
    SOUND,
    USER_CONTROL,
    WINDOW_SIZE,
    ChunkReader,
    ChunkWriter,
    Message,
)

pytestmark = pytest.mark.unit

KEY = "secret-key?token=hush"


class Server:
    """Speaks with a publisher; `said` are its messages since the last word."""

    def __init__(self) -> None:
        self.publisher = RtmpPublisher(
            StreamName.of(f"/live/{KEY}"), "rtmp://127.0.0.1:1", bytes(1528), 2_000
        )
        self._reader, self._writer = ChunkReader(), ChunkWriter()
        self.said: list[Message] = []

    def greet(self) -> None:
        hello = self.publisher.begin()
        assert len(hello) == 1537 and hello[0] == 3
        answer = self.publisher.receive(b"\x03" + b"s" * 1536 + hello[1:])
        assert answer[:1536] == b"s" * 1536, "C2 is S1"
        self.said = self._reader.feed(answer[1536:])

    def tell(self, *values: Any) -> None:
        self.send(Message(COMMAND, encode(*values)))

    def send(self, message: Message) -> None:
        self.said = self._reader.feed(self.publisher.receive(self._writer.write(message, 3)))

    def commands(self) -> list[list[Any]]:
        return [decode(message.body) for message in self.said if message.kind == COMMAND]

    def publish(self) -> None:
        self.greet()
        self.tell("_result", 1.0, {}, {})
        self.tell("_result", 4.0, None, 3.0)
        self.tell("onStatus", 0.0, None, {"level": "status", "code": "NetStream.Publish.Start"})


def test_it_says_what_a_server_expects_in_that_order() -> None:
    server = Server()
    server.greet()
    (connect,) = server.commands()
    assert connect[0] == "connect" and connect[2]["app"] == "live"
    assert connect[2]["tcUrl"] == "rtmp://127.0.0.1:1/live"
    assert not server.publisher.publishing
    server.tell("_result", 1.0, {}, {"code": "NetConnection.Connect.Success"})
    assert [message.kind for message in server.said][:2] == [WINDOW_SIZE, SET_CHUNK_SIZE]
    assert [said[0] for said in server.commands()] == ["releaseStream", "FCPublish", "createStream"]
    server.tell("_error", 2.0, None, {"code": "NetConnection.Call.Failed"})  # to releaseStream: no matter
    server.tell("_result", 4.0, None, 3.0)
    assert server.commands() == [["publish", 5.0, None, KEY, "live"]]
    assert server.said[0].stream == 3
    server.tell("onStatus", 0.0, None, {"level": "status", "code": "NetStream.Publish.Start"})
    assert server.publisher.publishing


def test_frames_carry_their_times_and_the_stream() -> None:
    server = Server()
    server.publish()
    written = server.publisher.write([(Tag(SOUND, 0, b"x" * 5000), 40)])
    assert server._reader.feed(written) == [Message(SOUND, b"x" * 5000, 40, 3)]


def test_the_end_is_said() -> None:
    server = Server()
    server.publish()
    said = [decode(message.body) for message in server._reader.feed(server.publisher.end())]
    assert said == [["FCUnpublish", 6.0, None, KEY], ["deleteStream", 7.0, None, 3.0]]
    assert not server.publisher.unpublished
    server.tell("onStatus", 0.0, None, {"level": "status", "code": "NetStream.Unpublish.Success"})
    assert server.publisher.unpublished


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"level": "error", "code": "NetStream.Publish.BadName", "description": KEY},
         "the peer refused it: NetStream.Publish.BadName"),
        ({"level": "error", "code": KEY}, "the peer refused it"),
        ({"level": "error", "code": f"NetStream.{KEY}"}, "the peer refused it"),
        ({"level": "error"}, "the peer refused it"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_by_its_code_and_by_nothing_that_could_be_secret(told: Any, text: str) -> None:
    server = Server()
    server.greet()
    server.tell("_result", 1.0, {}, {})
    server.tell("_result", 4.0, None, 3.0)
    with pytest.raises(PublishRefused) as refused:
        server.tell("onStatus", 0.0, None, told)
    assert str(refused.value) == text


def test_a_refused_connection_is_told() -> None:
    server = Server()
    server.greet()
    with pytest.raises(PublishRefused, match=r"NetConnection\.Connect\.Rejected"):
        server.tell("_error", 1.0, None, {"code": "NetConnection.Connect.Rejected"})


def test_a_refusal_may_also_be_the_answer_to_the_call() -> None:
    server = Server()
    server.greet()
    server.tell("_result", 1.0, {}, {})
    server.tell("_result", 4.0, None, 3.0)
    with pytest.raises(PublishRefused, match=r"NetStream\.Publish\.BadName"):
        server.tell("_error", 5.0, None, {"level": "error", "code": "NetStream.Publish.BadName"})


@pytest.mark.parametrize("size", [1, 1536, 3073])
def test_a_server_may_speak_in_pieces_and_say_all_it_has_at_once(size: int) -> None:
    """Its greeting, what it says of the connection, and all its answers, before we have asked."""
    publisher = RtmpPublisher(StreamName.of("/live/key"), "rtmp://h", bytes(1528), 2_000)
    publisher.begin()
    writer, reader = ChunkWriter(), ChunkReader()
    said = b"\x03" + bytes(3072)
    for message in (
        Message(WINDOW_SIZE, (2_500_000).to_bytes(4)),
        Message(PEER_BANDWIDTH, (2_500_000).to_bytes(4) + b"\x02"),
        Message(SET_CHUNK_SIZE, (60_000).to_bytes(4)),
    ):
        said += writer.write(message, 2)
    writer.chunk_bytes = 60_000
    for values in (
        ("_result", 1.0, {"fmsVer": "FMS/3,5,7,7009" + "x" * 300}, {"code": "NetConnection.Connect.Success"}),
        ("onBWDone", 0.0, None, 8192.0),
        ("_result", 2.0, None, None),
        ("onFCPublish", 0.0, None, {"code": "NetStream.Publish.Start", "description": "key"}),
        ("_result", 4.0, None, 1.0),
        ("onStatus", 0.0, None, {"level": "status", "code": "NetStream.Publish.Start"}),
    ):
        said += writer.write(Message(COMMAND, encode(*values)), 3)  # type: ignore[arg-type]
    answers = b"".join(publisher.receive(said[at : at + size]) for at in range(0, len(said), size))
    assert publisher.publishing
    told = [decode(message.body)[0] for message in reader.feed(answers[1536:]) if message.kind == COMMAND]
    assert told == ["connect", "releaseStream", "FCPublish", "createStream", "publish"]


def test_pings_are_answered() -> None:
    server = Server()
    server.publish()
    server.send(Message(USER_CONTROL, b"\x00\x06\x01\x02\x03\x04"))
    assert server.said == [Message(USER_CONTROL, b"\x00\x07\x01\x02\x03\x04")]


def test_what_is_read_is_said_when_a_window_is_full() -> None:
    server = Server()
    server.publish()
    server.send(Message(WINDOW_SIZE, (5_000).to_bytes(4)))
    server.send(Message(SOUND, bytes(4_000)))
    (read,) = server.said
    assert read.kind == ACKNOWLEDGEMENT and int.from_bytes(read.body) > 5_000


def test_what_is_no_rtmp_is_noticed() -> None:
    publisher = RtmpPublisher(StreamName.of("/live/key"), "rtmp://h", bytes(1528), 2_000)
    with pytest.raises(BadInput):
        publisher.receive(b"H" * 3073)


@pytest.mark.parametrize(
    ("path", "application", "key"),
    [
        ("/live/key", "live", "key"),
        ("/live/key?a=b/c", "live", "key?a=b/c"),
        ("/app/instance/key.flv", "app/instance", "key.flv"),
        ("/stream", "stream", ""),
        ("/stream?user=a/b", "stream?user=a/b", ""),
        ("/", "", ""),
        ("/live/", "live", ""),
    ],
)
def test_the_last_segment_is_the_key(path: str, application: str, key: str) -> None:
    name = StreamName.of(path)
    assert (name.application, name.key) == (application, key)
    assert not key or key not in repr(name)
    assert "user" not in repr(name)
