from __future__ import annotations

import json

import pytest

from bridge.output_status import OutputsStatus
from bridge.sockets import Accept, Refuse
from bridge.web.live import BEATS_PER_REPEAT, MAX_SKIPPED, MAX_UNSENT_BYTES, MAX_WATCHERS_EACH
from tests.bridge.web.live_scene import APP, OTHER_APP, Scene
from tests.bridge.web.staged_outputs import recording
from tests.bridge.web.staged_streams import stream

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("path", ["/live", "/live/a", "/live/a/b/c", "/live//", f"/{APP}/c1", "/lively/a/b"])
async def test_other_paths_are_left_to_other_doors(path: str) -> None:
    assert await Scene().ask("app-token", path) is None


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        (None, f"/live/{APP}/c1", 401),
        ("", f"/live/{APP}/c1", 401),
        ("nobody", f"/live/{APP}/c1", 401),
        ("other-token", f"/live/{APP}/c1", 401),
        ("other-token", f"/live/{OTHER_APP}/c1", 404),
        ("app-token", f"/live/{APP}/c2", 404),
        ("token-p1", f"/live/{APP}/c2", 403),
        ("token-p1", f"/live/{OTHER_APP}/c1", 403),
    ],
)
async def test_only_a_conference_s_own_people_and_application_are_let_in(
    token: str | None, path: str, status: int
) -> None:
    refused = await Scene().ask(token, path)
    assert isinstance(refused, Refuse)
    assert refused.status == status
    assert "error" in json.loads(refused.body)


async def test_a_participant_gets_levels_and_nothing_else() -> None:
    scene = Scene()
    wire = await scene.watch("token-p1")
    for level in range(20):
        scene.rooms.level = -20.0 - level
        scene.timers.beat()
    assert set(wire.types()) == {"levels"}
    assert len(wire.sent) == 20
    assert wire.sent[3]["participants"]["p1"] == {
        "level": -23, "talking": True, "kind": "webrtc", "muted": False,
    }  # fmt: skip


async def test_an_application_gets_people_at_once_and_looks_twice_a_second() -> None:
    scene = Scene()
    wire = await scene.watch("app-token")
    scene.timers.beat(10)
    assert wire.types().count("people") == 1
    assert wire.types().count("looks") == 2
    assert wire.types()[0] == "people"


async def test_people_are_told_again_when_somebody_changed() -> None:
    scene = Scene()
    wire = await scene.watch("app-token")
    scene.timers.beat(3)
    del scene.people.people["p2"]
    scene.timers.beat(3)
    told = [message for message in wire.sent if message["type"] == "people"]
    assert [len(message["participants"]) for message in told] == [2, 1]


async def test_streams_are_told_at_once_and_then_when_something_changed() -> None:
    scene = Scene()
    scene.streams.add("c1", stream("s1"))
    wire = await scene.watch("app-token")
    scene.timers.beat()
    assert wire.types()[:2] == ["people", "streams"]
    scene.timers.beat(20)
    assert wire.types().count("streams") == 1
    scene.streams.change("c1", "s1", captured=13_000, lost=2)
    scene.timers.beat(3)
    assert wire.types().count("streams") == 1, "no faster than the looks"
    scene.timers.beat()
    told = [message["streams"] for message in wire.sent if message["type"] == "streams"]
    assert [streams[0]["captured"] for streams in told] == [12_350, 13_000]


async def test_streams_are_told_to_a_late_watcher_and_looked_at_once_for_all() -> None:
    scene = Scene()
    first = await scene.watch("app-token")
    scene.timers.beat(2)
    late = await scene.watch("app-token")
    scene.timers.beat()
    assert late.types().count("streams") == first.types().count("streams") == 1
    looks = scene.streams.looks
    scene.timers.beat(10)
    assert scene.streams.looks == looks + 2


async def test_participants_are_told_nothing_of_streams() -> None:
    scene = Scene()
    scene.streams.add("c1", stream("s1"))
    wire = await scene.watch("token-p1")
    scene.timers.beat(20)
    assert "streams" not in wire.types()
    assert scene.streams.looks == 0


async def test_outputs_are_told_at_once_and_then_when_something_changed() -> None:
    scene = Scene()
    wire = await scene.watch("app-token")
    scene.timers.beat()
    (told,) = [message for message in wire.sent if message["type"] == "outputs"]
    assert (told["recording"], told["streamings"], told["storages"]) == (None, [], [])
    scene.outputs.shown["c1"] = OutputsStatus(recording(trouble="the disk is full", state="troubled"))
    scene.timers.beat(20)
    scene.timers.beat(20)
    recordings = [message["recording"] for message in wire.sent if message["type"] == "outputs"]
    assert [one and one["trouble"] for one in recordings] == [None, "the disk is full"]


async def test_participants_are_told_nothing_of_outputs() -> None:
    scene = Scene()
    wire = await scene.watch("token-p1")
    scene.timers.beat(20)
    assert "outputs" not in wire.types()
    assert scene.outputs.looks == 0


async def test_a_slow_reader_never_misses_the_last_of_the_streams() -> None:
    scene = Scene()
    scene.streams.add("c1", stream("s1"))
    wire = await scene.watch("app-token")
    scene.timers.beat(5)
    wire.unsent_bytes = MAX_UNSENT_BYTES + 1
    scene.streams.change("c1", "s1", state="interrupted")
    scene.timers.beat(10)
    wire.unsent_bytes = 0
    scene.timers.beat(5)
    told = [message for message in wire.sent if message["type"] == "streams"]
    assert [message["streams"][0]["state"] for message in told] == ["connected", "interrupted"]


async def test_levels_that_stay_the_same_are_repeated_once_a_second_only() -> None:
    scene = Scene()
    wire = await scene.watch("token-p1")
    scene.timers.beat(1 + 2 * BEATS_PER_REPEAT)
    assert len(wire.sent) == 3


async def test_a_newcomer_gets_the_levels_at_once() -> None:
    scene = Scene()
    await scene.watch("token-p1")
    scene.timers.beat(3)
    late = await scene.watch("token-p2")
    scene.timers.beat()
    assert late.types() == ["levels"]


async def test_nothing_runs_while_nobody_watches() -> None:
    scene = Scene()
    assert scene.timers.waiting == []
    await scene.watch("token-p1")
    assert len(scene.timers.waiting) == 1
    await scene.watch("token-p2")
    assert len(scene.timers.waiting) == 1
    second = scene.receiver
    scene.timers.beat(2)
    assert scene.live.watchers == 2
    second.closed(1001, "")
    second.closed(1001, "")
    assert scene.live.watchers == 1
    assert len(scene.timers.waiting) == 1
    scene.people.conferences_by_id.clear()
    scene.timers.beat()
    assert (scene.live.watchers, scene.timers.waiting) == (0, [])


async def test_a_slow_reader_misses_levels_but_never_a_change_of_people() -> None:
    scene = Scene()
    wire = await scene.watch("app-token")
    scene.timers.beat()
    wire.unsent_bytes = MAX_UNSENT_BYTES + 1
    sent = len(wire.sent)
    del scene.people.people["p2"]
    scene.rooms.level = -30.0
    scene.timers.beat(20)
    assert len(wire.sent) == sent
    assert scene.live.messages_skipped > 0
    wire.unsent_bytes = 0
    scene.timers.beat()
    assert wire.types()[sent] == "people"


async def test_a_full_socket_is_asked_again_about_people() -> None:
    scene = Scene()
    wire = await scene.watch("app-token")
    wire.full = True
    scene.timers.beat()
    wire.full = False
    scene.timers.beat()
    assert "people" in wire.types()


async def test_a_reader_that_never_catches_up_is_let_go() -> None:
    scene = Scene()
    wire = await scene.watch("token-p1")
    wire.full = True
    for level in range(MAX_SKIPPED + 1):
        assert wire.closed is None
        scene.rooms.level = -20.0 - level % 2
        scene.timers.beat()
    assert wire.closed == (1013, "too slow")
    assert scene.live.watchers == 0


async def test_an_expelled_participant_is_told_so_and_the_others_are_not() -> None:
    scene = Scene()
    gone, staying = await scene.watch("token-p2"), await scene.watch("token-p1")
    del scene.people.people["p2"]
    scene.timers.beat()
    assert gone.closed is not None and gone.closed[0] == 4001
    assert gone.sent == []
    assert staying.closed is None


async def test_everybody_is_told_when_the_conference_ends() -> None:
    scene = Scene()
    wires = [await scene.watch("token-p1"), await scene.watch("app-token")]
    scene.people.conferences_by_id.clear()
    scene.timers.beat()
    assert [wire.closed and wire.closed[0] for wire in wires] == [4000, 4000]


async def test_a_room_without_media_is_just_silent() -> None:
    scene = Scene()
    scene.rooms.known = False
    wire = await scene.watch("token-p1")
    scene.timers.beat()
    assert wire.sent == [{"type": "levels", "participants": {}}]


async def test_a_failure_closes_the_watchers_of_that_conference_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    wire = await scene.watch("token-p1")
    scene.people.broken = True
    scene.timers.beat()
    assert wire.closed == (1011, "internal error")
    assert "live levels failed" in caplog.text
    assert "token" not in caplog.text


async def test_one_participant_cannot_take_all_the_places() -> None:
    scene = Scene()
    for _ in range(MAX_WATCHERS_EACH):
        await scene.watch("token-p1")
    refused = await scene.ask("token-p1")
    assert isinstance(refused, Refuse) and refused.status == 429
    assert isinstance(await scene.ask("token-p2"), Accept)


async def test_the_room_is_looked_at_once_a_beat_however_many_watch() -> None:
    scene = Scene()
    for token in ("token-p1", "token-p2", "app-token"):
        await scene.watch(token)
    scene.timers.beat(4)
    assert scene.rooms.looks == 4
